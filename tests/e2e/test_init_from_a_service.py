"""From a service that runs without Lightgate to a release: `lightgate init` and what it prints.

The printed commands run in Bash as they are, with the real AWS CLI.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lightgate.checks.finding import Level
from local.cloud import account, registry
from local.cloud.announcement import announced
from local.cloud.cloud import STACK
from local.cloud.credentials import ACCOUNT, REGION, ROOT
from local.demo import crops
from tests.e2e.conftest import Ready, started
from tests.e2e.pushing import wait_until

pytestmark = pytest.mark.slow

ORCHARD = "orchard"
# One that ends in no newline and has one inside, as a private key has.
KEY = "-----BEGIN KEY-----\nabc/+=def\n-----END KEY-----"


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ready]:
    """A cloud of its own. The service orchard runs the image v1 and migrates in its command."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with started() as ready, announced(ready.cloud.endpoint, STACK):
        account.create_repository(ready.cloud.client("ecr"), ORCHARD)
        registry.push(ready.cloud.endpoint, ORCHARD, "v1", crops.image("v1"))
        lightsail = ready.cloud.client("lightsail")
        account.create_container_service(lightsail, ORCHARD)
        lightsail.update_container_service(serviceName=ORCHARD, power="micro")
        wait_for(lightsail, "READY")
        account.let_lightsail_pull(ready.cloud.client("ecr"), lightsail, ORCHARD, ORCHARD)
        lightsail.create_container_service_deployment(
            serviceName=ORCHARD,
            containers={
                "web": {
                    "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{ORCHARD}:v1",
                    "command": [
                        *("sh", "-c"),
                        "python manage.py migrate && exec gunicorn crops.wsgi --bind 0.0.0.0:8000",
                    ],
                    "environment": {
                        "DJANGO_SETTINGS_MODULE": "crops.settings_production",
                        "DATABASE_URL": ready.cloud.database.url,
                        "SECRET_KEY": "jk3Hs8Qp2Lx9Vb4Nz7Tc",
                        "SIGNING_PRIVATE_KEY": KEY,
                    },
                    "ports": {"8000": "HTTP"},
                }
            },
            publicEndpoint={
                "containerName": "web",
                "containerPort": 8000,
                "healthCheck": {"path": "/healthz"},
            },
        )
        wait_for(lightsail, "RUNNING")
        yield ready


def wait_for(lightsail: Any, state: str) -> None:
    def is_so() -> bool:
        [found] = lightsail.get_container_services(serviceName=ORCHARD)["containerServices"]
        return bool(found["state"] == state)

    wait_until(is_so, timedelta(seconds=120))


def test_a_running_service_becomes_an_app_and_its_image_is_released(
    ready: Ready, tmp_path: Path
) -> None:
    def bash(script: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": ready.cloud.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            **ROOT,
        }
        python = f'lightgate() {{ {sys.executable} -m lightgate_cli "$@"; }}\n'
        return subprocess.run(
            ["bash", "-e", "-u", "-o", "pipefail", "-c", python + script],
            cwd=tmp_path,
            env=environment,
            check=False,
            timeout=400,
            capture_output=True,
            text=True,
        )

    written = bash(f"lightgate init --from-service {ORCHARD} --database crops-backend-db --local")
    assert written.returncode == 0, written.stderr
    commands = [line.strip() for line in written.stdout.splitlines() if line.startswith("  ")]
    *secrets, store, _, release = commands
    # A short watch period is the only change to what init wrote.
    spec = json.loads((tmp_path / "lightgate.json").read_text())
    spec["verification"] = {"watchSeconds": 2}
    (tmp_path / "lightgate.json").write_text(json.dumps(spec))

    stored = bash("\n".join([*secrets, store]))
    assert stored.returncode == 0, stored.stderr
    doctor = bash(f"lightgate doctor {ORCHARD} --local --json")
    released = bash(release)

    ssm = ready.cloud.client("ssm")
    name = f"/lightgate/secrets/{ORCHARD}/SIGNING_PRIVATE_KEY"
    assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == KEY
    findings = json.loads(doctor.stdout)["findings"]
    assert [one for one in findings if one["level"] != Level.OK] == []
    assert released.returncode == 0, released.stdout + released.stderr
    assert re.search(r"^SUCCEEDED: Release v1 of orchard is live\.$", released.stdout, re.MULTILINE)
