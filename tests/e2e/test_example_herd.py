"""The example with Celery, released on the local cloud with a server that speaks as Redis does."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.cloud import account
from tests.e2e.example_apps import ROOT, Example, running, spec_of, venv

pytestmark = pytest.mark.slow

HOME = ROOT / "examples" / "herd"
CMD = ("gunicorn", "herd.wsgi", "--bind", "0.0.0.0:8000")
REDIS = """
from fakeredis import TcpFakeServer

TcpFakeServer(("127.0.0.1", 6379), server_type="redis").serve_forever()
"""


@pytest.fixture(scope="module")
def herd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    stand_in = ROOT / "requirements" / "stand-ins" / "redis.txt"
    with running("herd", venv("herd", HOME / "requirements.txt", stand_in)) as example:
        cloud = example.cloud
        uri = account.create_repository(cloud.client("ecr"), "redis")
        account.let_lightsail_pull(cloud.client("ecr"), cloud.client("lightsail"), "redis", "herd")
        folder = tmp_path_factory.mktemp("redis")
        (folder / "redis_server.py").write_text(REDIS)
        digest = example.push("redis", "7", [folder], ("python", "redis_server.py"))
        spec = spec_of("herd")
        spec["containers"]["redis"]["image"] = f"{uri}@{digest}"
        for name in ("web", "beat"):
            spec["containers"][name]["environment"]["COUNT_SECONDS"] = "2"
        # Active once the beat and the worker have done something: they start slowly on a busy
        # machine, whose seconds are a minute of the watch period each.
        spec["publicEndpoint"]["healthCheck"]["path"] = "/work"
        spec["verification"]["watchSeconds"] = 60
        account.put_app(cloud.client("ssm"), "herd", spec)
        yield example


def test_the_worker_and_the_beat_start_behind_the_gate(herd: Example) -> None:
    released = herd.release("v1", [HOME / "app"], CMD)

    assert released["status"] == "SUCCEEDED", released
    assert herd.request("/", {"cow": "Berta", "kilograms": 640})[0] == 202
    deadline = time.monotonic() + 60
    while not (found := herd.request("/")[1]["latest"]):
        assert time.monotonic() < deadline, "the worker has written no row"
        time.sleep(0.5)
    assert found == [{"cow": "Berta", "kilograms": 640}]
    assert herd.request("/work")[0] == 200


def test_a_release_whose_worker_does_not_start_is_rolled_back(
    herd: Example, tmp_path: Path
) -> None:
    (tmp_path / "cows").mkdir()
    (tmp_path / "cows" / "tasks.py").write_text(
        (HOME / "app/cows/tasks.py").read_text()
        + "\nimport sys\nif sys.argv[0].endswith('celery'):\n    raise SystemExit('no worker')\n"
    )

    spec = spec_of_the_app(herd)
    spec["publicEndpoint"]["healthCheck"]["path"] = "/healthz"
    # A minute of this machine: the last count of the old worker must grow old meanwhile.
    spec["verification"]["watchSeconds"] = 3600
    account.put_app(herd.cloud.client("ssm"), "herd", spec)

    released = herd.release("v2", [HOME / "app", tmp_path], CMD)

    assert released["status"] == "ROLLED_BACK", released
    assert herd.request("/")[0] == 200


def spec_of_the_app(herd: Example) -> Any:
    stored = herd.cloud.client("ssm").get_parameter(Name="/lightgate/apps/herd")
    return json.loads(stored["Parameter"]["Value"])
