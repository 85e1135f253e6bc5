"""A rehearsal on the local cloud: a real PostgreSQL with the data of the snapshot, the real gate.

The tests go on with one app in the order of this file.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from local.cloud import account, registry
from local.cloud.announcement import announced
from local.demo import crops
from tests.e2e.conftest import Ready, started
from tests.e2e.farm import Farm, with_v2
from tests.e2e.schema import schema

# A stack of its own. Tests in tests/workflow show each decision on every run.
pytestmark = pytest.mark.slow
VARIABLES = {
    "databaseVariable": "DATABASE_URL",
    "environment": {"DJANGO_SETTINGS_MODULE": "crops.settings_production"},
    "secrets": {
        "DATABASE_URL": "secretsmanager:crops/db:url",
        "SECRET_KEY": "ssm:/crops/secret-key",
    },
}


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    with started() as ready, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        farm = with_v2(ready)
        specify(ready)
        with announced(ready.cloud.endpoint, "lightgate"):
            yield farm


def specify(ready: Ready, **rehearsal: object) -> None:
    document = crops.spec() | {"rehearsal": {**VARIABLES, **rehearsal}, "pollSeconds": 2}
    account.put_app(ready.cloud.client("ssm"), crops.APP, document)


def push(ready: Ready, release: str) -> str:
    """Push the image under a tag that starts no release; its digest."""
    image = crops.image(release)
    return registry.push(ready.cloud.endpoint, crops.APP, f"rehearsed-{release}", image)


def command(*words: str) -> tuple[int, str, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "lightgate_cli", *words, "--local"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def rehearse(digest: str, *words: str) -> tuple[int, Any, str]:
    options = ("--digest", digest, "--yes", "--follow", "--json")
    code, out, err = command("rehearse", crops.APP, *options, *words)
    return code, json.loads(out) if out else None, err


def leftovers(ready: Ready) -> list[str]:
    databases = ready.cloud.client("rds").describe_db_instances()["DBInstances"]
    services = ready.cloud.client("lightsail").get_container_services()["containerServices"]
    names = [one["DBInstanceIdentifier"] for one in databases]
    names += [one["containerServiceName"] for one in services]
    return [name for name in names if name.startswith("lightgate-rehearsal-")]


def test_without_the_policy_the_rehearsal_is_refused_and_prints_it(farm: Farm) -> None:
    digest = push(farm.ready, "additive-fails-later")

    code, verdict, err = rehearse(digest, "--new-snapshot")

    assert code == 1, err
    assert verdict["status"] == "REFUSED", verdict
    policy = verdict["text"].partition("Set this policy: ")[2]
    assert "lightgate-rehearsal-" in policy
    farm.ready.cloud.client("ecr").set_repository_policy(
        repositoryName=crops.APP, policyText=policy
    )


def test_a_rehearsal_runs_the_migrations_on_the_data_of_the_snapshot(farm: Farm) -> None:
    before, version = schema(farm.ready), farm.version

    code, verdict, err = rehearse(push(farm.ready, "additive-fails-later"), "--new-snapshot")

    assert (code, verdict["status"]) == (0, "SUCCEEDED"), (verdict, err)
    assert "1 migration of" in verdict["text"]
    assert "AWS bills" in err
    assert schema(farm.ready) == before
    assert farm.version == version
    assert leftovers(farm.ready) == []
    _, shown, _ = command("show", verdict["release"])
    assert "on a copy of lightgate-crops-backend-" in shown
    _, history, _ = command("history", crops.APP, "--json")
    kinds = [one["kind"] for one in json.loads(history)]
    assert kinds[:2] == ["REHEARSAL", "REHEARSAL"]
