"""The whole local cloud: it starts, works, and is gone afterwards."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import psycopg
import pytest

from local.cloud.cloud import LocalCloud
from local.cloud.errors import LocalCloudError
from local.cloud.processes import LOOPBACK, accepts_connections
from tests.local.waiting import eventually

OWNER = """
import time
from local.cloud.cloud import LocalCloud
with LocalCloud() as cloud:
    print(cloud.endpoint, cloud.database.url, cloud.directory, flush=True)
    time.sleep(1000)
"""


def port_of(url: str) -> int:
    found = re.search(r":(\d+)(/|$)", url)
    assert found
    return int(found[1])


@pytest.mark.slow
def test_every_service_answers_inside_the_block_and_nothing_is_left_after_it() -> None:
    said: list[str] = []

    with LocalCloud(on_progress=said.append) as cloud:
        identity = cloud.client("sts").get_caller_identity()["Account"]
        services = cloud.client("lightsail").get_container_services()["containerServices"]
        with psycopg.connect(cloud.database.url) as connection:
            row = connection.execute("SELECT 1").fetchone()

    assert (identity, services, row) == ("000000000000", [], (1,))
    assert not accepts_connections(port_of(cloud.endpoint))
    assert not accepts_connections(cloud.database.port)
    assert not cloud.directory.exists()
    assert said[0] == "starting the database"


@pytest.mark.slow
def test_the_logs_stay_when_the_block_was_left_by_an_error() -> None:
    cloud = LocalCloud()

    with pytest.raises(RuntimeError), cloud:
        raise RuntimeError

    assert not accepts_connections(cloud.database.port)
    assert (cloud.logs / "engine.log").exists()
    shutil.rmtree(cloud.directory)


@pytest.mark.slow
def test_nothing_runs_on_when_the_owner_is_killed() -> None:
    command = [sys.executable, "-c", OWNER]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as owner:
        assert owner.stdout is not None
        endpoint, database, directory = owner.stdout.readline().split()
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            urllib.request.urlopen(endpoint)
        refused.value.close()
        owner.send_signal(signal.SIGKILL)

    ports = [port_of(endpoint), port_of(database.rpartition("@")[2])]
    assert eventually(lambda: not any(accepts_connections(port) for port in ports))
    assert eventually(lambda: directory not in all_command_lines())
    shutil.rmtree(directory)


def all_command_lines() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def test_a_port_that_is_in_use_is_named_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]

        with (
            pytest.raises(LocalCloudError, match=rf"^port {port} is in use: .*$"),
            LocalCloud(port=port),
        ):
            pass
