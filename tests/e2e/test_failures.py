"""Every way in which a release fails before it serves: what is said of it, and what is left alone.

v2 serves all the time, and the releases that fail on top of it are real ones of the example.
"""

import json
import os
import re
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from local.cloud.cloud import LocalCloud
from local.demo import crops
from tests.e2e.by_hand import Ended
from tests.e2e.conftest import started
from tests.e2e.farm import Farm, with_v2
from tests.e2e.pushing import wait_until
from tests.support import local_cloud

# A stack of its own, and a release for each failure. What a diagnosis follows from is tested on
# every run in tests/unit, and how a release ends in tests/workflow.
pytestmark = pytest.mark.slow

# In Lightsail's seconds, a minute for each real one: a deployment that is never healthy is given
# up after a quarter of an hour of them, if not said otherwise.
SOON, MIDST, LATE = 15 * 60, 30 * 60, 120 * 60
# The log of a real gate may lag, and is waited for in real minutes before silence is believed.
SILENT = timedelta(minutes=8)


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    with started() as ready:
        yield with_v2(ready)


@pytest.fixture(autouse=True)
def usual(farm: Farm) -> None:
    farm.specify()
    local_cloud.set_switches(farm.ready.cloud, crops.APP, activation_limit=SOON)


def goes_on(farm: Farm) -> None:
    """v2 reads and writes."""
    read, write = farm.read(), farm.write()
    assert (read.status, read.release) == (200, "v2")
    assert (write.status, write.release) == (201, "v2")


def is_rolled_back(ended: Ended, farm: Farm, kind: str, verdict: str) -> str:
    """The text of a release after whose failure Lightsail went back, and rightly says so."""
    message, text = ended.message, str(ended.message["text"])
    assert (ended.status, ended.execution.error) == ("ROLLED_BACK", "ROLLED_BACK"), text
    assert message["failure"]["kind"] == kind, text
    assert message["judgement"]["verdict"] == verdict, text
    assert f"\nCause      {message['failure']['what']}\n" in text
    assert message["failure"]["evidence"] in text
    assert f"section {kind}\n\nNext       {message['failure']['nextAction']}\n" in text
    assert message["previousVersion"] == farm.version
    assert f"Version {farm.version} is healthy: " in text
    goes_on(farm)
    return text


def test_an_image_for_another_architecture_is_refused_before_anything(farm: Farm) -> None:
    before = farm.state

    ended = farm.release("arm64", crops.image("v2.1", architecture="arm64"))

    message = ended.message
    assert (ended.status, ended.execution.error) == ("REFUSED", "REFUSED")
    assert message["failure"]["kind"] == "architecture"
    assert "built for arm64, and Lightsail runs amd64 only" in message["failure"]["evidence"]
    assert "docker build --platform linux/amd64" in message["failure"]["nextAction"]
    assert (message["version"], message["judgement"], message["snapshot"]) == (None, None, None)
    assert "Nothing was applied and nothing was deployed." in message["text"]
    assert farm.state == before
    goes_on(farm)


@pytest.mark.parametrize(
    ("release", "kind", "verdict", "evidence", "told"),
    [
        (
            "missing-variable",
            "missing-variable",
            "UNKNOWN",
            "KeyError: 'WEATHER_API_KEY'",
            ["has no variable WEATHER_API_KEY"],
        ),
        (
            "crash-on-start",
            "app-crash",
            "NONE",
            "ModuleNotFoundError: No module named 'weather'",
            ["failed after its gate had opened"],
        ),
        (
            "wrong-port",
            "health-check",
            "NONE",
            "Listening at: http://0.0.0.0:9000",
            [
                "The app listens on port 9000, but the public endpoint is port 8000.",
                "set publicEndpoint.containerPort to 9000",
            ],
        ),
        (
            "unhealthy",
            "health-check",
            "NONE",
            '"GET /healthz HTTP/1.1" 500',
            ["/healthz returned 500 (expected 200)"],
        ),
    ],
)
def test_a_crash_at_the_start_is_diagnosed_with_the_line_that_shows_it(
    farm: Farm, release: str, kind: str, verdict: str, evidence: str, told: list[str]
) -> None:
    before = farm.state

    ended = farm.release(release)

    text = is_rolled_back(ended, farm, kind, verdict)
    assert evidence in ended.message["failure"]["evidence"]
    assert [words for words in told if words not in text] == []
    assert farm.state == before


def test_a_health_check_at_a_path_that_the_app_lacks_is_diagnosed(farm: Farm) -> None:
    before = farm.state
    farm.specify(health_check={"path": "/alive"})

    ended = farm.release("v2.1")

    text = is_rolled_back(ended, farm, "health-check", "NONE")
    assert '"GET /alive HTTP/1.1" 404' in ended.message["failure"]["evidence"]
    assert "Correct publicEndpoint.healthCheck.path, or add the path to the app." in text
    assert farm.state == before


def test_a_slow_migration_is_stopped_at_its_limit_and_leaves_nothing_behind(farm: Farm) -> None:
    before = farm.state
    local_cloud.set_switches(farm.ready.cloud, crops.APP, activation_limit=LATE)
    farm.specify(migrate={"timeoutSeconds": 4})

    ended = farm.release("slow-migration")

    text = is_rolled_back(ended, farm, "time-limit", "UNKNOWN")
    assert ended.message["failure"]["evidence"] == "not finished after 4 s"
    assert "Migration harvests.0005_reckon_yields was stopped at its time limit." in text
    assert "The database is unchanged." in text
    assert "Raise containers.migrate.timeoutSeconds" in text
    assert ended.message["notApplied"] == ["harvests.0005_reckon_yields"]
    assert farm.state == before


def test_what_lightsail_cuts_off_in_a_migration_is_never_called_rolled_back(farm: Farm) -> None:
    before = farm.state
    local_cloud.set_switches(farm.ready.cloud, crops.APP, activation_limit=MIDST)

    ended = farm.release("slow-migration")

    message, text = ended.message, ended.message["text"]
    assert (ended.status, ended.execution.error) == ("FAILED", "FAILED"), text
    assert message["failure"]["kind"] == "cut-off"
    assert message["failure"]["evidence"] == "stopped by SIGTERM"
    assert message["judgement"]["verdict"] == "UNKNOWN"
    assert f"(version {before.version}) is still live" in text
    assert "ended during a migration" in text
    assert "Compare the output of python manage.py showmigrations with the database" in text
    assert f"--db-snapshot-identifier {message['snapshot']['id']}" in text
    wait_until(lambda: farm.state == before, timedelta(seconds=20))
    goes_on(farm)


def test_who_holds_a_table_that_a_migration_needs_is_named(farm: Farm) -> None:
    before = farm.state
    local_cloud.set_switches(farm.ready.cloud, crops.APP, activation_limit=LATE)
    farm.specify(migrate={"timeoutSeconds": 90})
    url = farm.ready.cloud.database.url

    with psycopg.connect(url, application_name="nightly report") as session:
        session.execute("SELECT count(*) FROM harvests_harvest")
        pid = session.info.backend_pid
        ended = farm.release("default-only", within=timedelta(minutes=4))

    text = is_rolled_back(ended, farm, "lock-wait", "ONE_WAY")
    assert "lock timeout" in ended.message["failure"]["evidence"]
    assert f'It was held by session {pid} ("nightly report", for ' in text
    assert f"SELECT pg_terminate_backend({pid})" in text
    assert farm.state == before


def test_an_image_that_cannot_be_pulled_is_not_blamed_on_the_policy(
    farm: Farm,
) -> None:
    before = farm.state

    ended = farm.release("unpullable", local_cloud.unpullable_image("v2.1"), within=SILENT)

    text = is_rolled_back(ended, farm, "image-pull", "UNKNOWN")
    assert "the service's role may pull from the repository" in text
    assert farm.state == before


def test_a_repository_without_a_policy_is_refused_with_the_statement_to_add(farm: Farm) -> None:
    before, client = farm.state, farm.ready.cloud.client
    ecr, name = client("ecr"), crops.spec()["repository"]
    policy = ecr.get_repository_policy(repositoryName=name)["policyText"]
    ecr.delete_repository_policy(repositoryName=name)

    try:
        ended = farm.release("no-policy", crops.image("v2.1"))
    finally:
        ecr.set_repository_policy(repositoryName=name, policyText=policy)

    assert (ended.status, ended.execution.error) == ("REFUSED", "REFUSED")
    [service] = client("lightsail").get_container_services(serviceName=crops.APP)[
        "containerServices"
    ]
    statement = {
        "Sid": "LightsailPull",
        "Effect": "Allow",
        "Principal": {
            "AWS": service["privateRegistryAccess"]["ecrImagePullerRole"]["principalArn"]
        },
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    }
    assert json.dumps(statement) in ended.message["text"], ended.message["text"]
    assert farm.state == before
    goes_on(farm)


def test_a_migration_that_the_database_refuses_is_reported_with_the_databases_error(
    farm: Farm,
) -> None:
    """The migration before it stays applied, also for the tests after this one."""
    before = farm.version

    ended = farm.release("v3")

    text = is_rolled_back(ended, farm, "migration-error", "ONE_WAY")
    assert "This release has changed rows, with harvests.0005_tidy_crops." in text
    assert "could not create unique index" in ended.message["failure"]["evidence"]
    assert "Migration harvests.0006_one_harvest_a_day failed" in text
    applied = [migration["name"] for migration in ended.message["gate"]["migrations"]]
    assert applied == ["harvests.0005_tidy_crops"]
    assert ended.message["notApplied"] == ["harvests.0006_one_harvest_a_day"]
    assert farm.version == before


def test_a_database_that_is_down_makes_the_live_version_unhealthy_and_the_message_says_so(
    farm: Farm,
) -> None:
    """The last one: nobody starts the database again."""
    version, spec = farm.version, {"databaseTimeoutSeconds": 5}
    local_cloud.set_switches(farm.ready.cloud, crops.APP, activation_limit=LATE)
    farm.specify(migrations=spec)
    os.kill(server(farm.ready.cloud), signal.SIGINT)
    wait_until(lambda: farm.read().status == 500, timedelta(seconds=20))

    ended = farm.release("v2.1")

    message, text = ended.message, ended.message["text"]
    assert (ended.status, ended.execution.error) == ("FAILED", "FAILED"), text
    assert message["failure"]["kind"] == "database-unreachable"
    assert "connection to server at" in message["failure"]["evidence"]
    assert "its security group allows 172.26.0.0/16" in message["failure"]["nextAction"]
    assert message["judgement"]["verdict"] == "UNKNOWN"
    assert f"Version {version} is still live, but it is unhealthy: " in text
    # 500 by the app, or 502 once Lightsail has given its node up.
    assert re.search(r"GET / returned 50[02] \(expected 200\)", text), text
    assert farm.version == version


def server(cloud: LocalCloud) -> int:
    """The database's own process, among those of this machine."""
    data = str(cloud.directory / "database").encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            argv = path.read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended
        if argv[0].endswith(b"/postgres") and data in argv:
            return int(path.parent.name)
    raise AssertionError("the database is not running")
