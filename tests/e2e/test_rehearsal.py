"""A rehearsal on the local cloud: a real PostgreSQL with the data of the snapshot, the real gate.

The tests go on with one app in the order of this file.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.cloud import account, executions, registry
from local.cloud.announcement import announced
from local.cloud.registry import Image, ImageConfig
from local.demo import crops
from tests.e2e.conftest import Ready, started
from tests.e2e.farm import Farm, with_v2
from tests.e2e.schema import schema
from tests.support import local_cloud

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
    document = crops.spec() | {"rehearsal": {**VARIABLES, **rehearsal}, "pollSeconds": 6}
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
    assert verdict["status"] == "REFUSED", (verdict, err)
    policy = verdict["text"].partition("Set this policy: ")[2]
    assert "lightgate-rehearsal-" in policy
    farm.ready.cloud.client("ecr").set_repository_policy(
        repositoryName=crops.APP, policyText=policy
    )


def test_a_rehearsal_runs_the_migrations_on_the_data_of_the_snapshot(farm: Farm) -> None:
    before, version = schema(farm.ready), farm.version

    code, verdict, err = rehearse(push(farm.ready, "additive-fails-later"), "--new-snapshot")

    assert (code, verdict["status"]) == (0, "SUCCEEDED"), verdict["text"]
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


def begin(farm: Farm, digest: str) -> str:
    """Start a rehearsal that takes a snapshot of its own, and return the ARN of its execution."""
    machine = farm.ready.stack.state_machine_arn.removesuffix("-release") + "-rehearsal"
    request = {"app": crops.APP, "digest": digest, "takeSnapshot": True}
    return local_cloud.start(farm.ready.cloud.client("stepfunctions"), machine, request)


def wait_for_state(farm: Farm, arn: str, state: str) -> None:
    client = farm.ready.cloud.client("stepfunctions")
    deadline = time.monotonic() + 300
    while state not in entered(executions.history(client, arn)):
        assert time.monotonic() < deadline, f"{state} is not reached"
        assert executions.describe(client, arn).running, (state, command("show", arn))
        time.sleep(0.2)


def entered(events: Sequence[Mapping[str, Any]]) -> set[str]:
    found = (event.get("stateEnteredEventDetails", {}) for event in events)
    return {details["name"] for details in found if "name" in details}


def reconcile(farm: Farm) -> None:
    functions = farm.ready.cloud.client("lambda")
    pages = functions.get_paginator("list_functions").paginate()
    names = [one["FunctionName"] for page in pages for one in page["Functions"]]
    [name] = [one for one in names if "ReconcileFunction" in one]
    answer = json.load(functions.invoke(FunctionName=name, Payload=b"{}")["Payload"])
    assert "errorMessage" not in answer, answer


def restored_files(farm: Farm) -> list[str]:
    found = (farm.ready.cloud.directory / "restored").iterdir()
    return [one.name for one in found if one.name != "snapshots"]


@pytest.mark.parametrize("state", ["WaitForPlace", "RunRehearsal"])
def test_reconcile_removes_what_a_stopped_rehearsal_leaves(farm: Farm, state: str) -> None:
    before = schema(farm.ready)
    arn = begin(
        farm,
        push(farm.ready, "slow-migration" if state == "RunRehearsal" else "additive-fails-later"),
    )
    wait_for_state(farm, arn, state)

    farm.ready.cloud.client("stepfunctions").stop_execution(executionArn=arn)

    deadline = time.monotonic() + 240
    while leftovers(farm.ready):
        assert time.monotonic() < deadline, leftovers(farm.ready)
        reconcile(farm)
        time.sleep(1)
    # The next one is refused until the end of this one is on record.
    reconcile(farm)
    assert restored_files(farm) == []
    assert schema(farm.ready) == before


def wide(tmp_path: Path) -> Image:
    """v2 with one more migration, which writes all harvests anew."""
    migration = tmp_path / "harvests" / "migrations" / "0005_wide.py"
    migration.parent.mkdir(parents=True)
    migration.write_text(
        "from django.db import migrations, models\n\n\n"
        "class Migration(migrations.Migration):\n"
        '    dependencies = [("harvests", "0004_fill_season")]\n'
        "    operations = [migrations.AlterField(\n"
        '        "harvest", "kilograms", models.BigIntegerField())]\n'
    )
    config = ImageConfig(cmd=("gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000"))
    return registry.build([*crops.folders("v2"), tmp_path], config)


class Reader(threading.Thread):
    """A session of the app: it reads one row again and again, and notes its longest wait."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.longest, self.ended = url, 0.0, threading.Event()

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self.ended.wait(0.01):
                began = time.monotonic()
                connection.execute("SELECT FROM harvests_harvest LIMIT 1")
                self.longest = max(self.longest, time.monotonic() - began)


def test_the_lock_of_the_release_lasts_as_long_as_the_rehearsal_said(
    farm: Farm, tmp_path: Path
) -> None:
    database = farm.ready.cloud.database
    with psycopg.connect(database.url) as connection:
        connection.execute(
            "INSERT INTO harvests_harvest (crop, kilograms, harvested_on)"
            " SELECT 'leek', n % 1000, '2026-01-01' FROM generate_series(1, 2000000) n"
        )
    image = wide(tmp_path)
    digest = registry.push(farm.ready.cloud.endpoint, crops.APP, "rehearsed-wide", image)

    code, verdict, err = rehearse(digest, "--new-snapshot")
    assert code == 0, (verdict, err)
    _, shown, _ = command("show", verdict["release"], "--json")
    locks = json.loads(shown)["record"]["rehearsal"]["measured"]["locks"]
    [predicted] = [one["seconds"] for one in locks if one["mode"] == "AccessExclusiveLock"]

    reader = Reader(database.url)
    reader.start()
    try:
        released = farm.release("wide", image, timedelta(seconds=300))
    finally:
        reader.ended.set()
        reader.join()

    assert released.status == "SUCCEEDED", released.message["text"]
    assert reader.longest > 0.5
    assert reader.longest / 2 < predicted < reader.longest * 2
