"""The releases that go wrong, on a real PostgreSQL: each fails in its own way and in no other.

The slow matrix adds the releases that combine two failures.
"""

import subprocess
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

import lightgate
from lightgate.diagnosis.app_log import read_app_log
from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.symptoms import Diagnosis, Endpoint
from lightgate.gate.gate_report import NO_GATE_REPORT
from lightgate.migrations.compatibility import Verdict
from lightgate.migrations.plan import read_plans
from local.cloud.postgres import Database
from local.cloud.processes import accepts_connections, free_port
from local.demo.crops import FAILURES
from tests.crops.releases import Release, Site
from tests.crops.test_releases import applied, columns
from tests.support.builders import judged
from tests.support.failed_release import symptoms

WITHIN = timedelta(seconds=20)
# These two cannot even look at their migrations.
LOADABLE = sorted(FAILURES.keys() - {"missing-variable"})
# Those with a migration of their own; the others combine them.
MIGRATING = ("additive-fails-later", "default-only", "one-way", "slow-migration")


def nowhere() -> Site:
    return Site(f"http://127.0.0.1:{free_port()}")


def diagnosed(log: str, port: int = 8000) -> Diagnosis:
    """What follows from the lines that a container of the app has really written."""
    web = read_app_log("web", log.splitlines(), version=8, release="r1")
    endpoint = Endpoint(container="web", port=port, path="/healthz", success_codes="200")
    return diagnose(symptoms(evidence=NO_GATE_REPORT, logs={"web": web}, endpoint=endpoint))


# What the gate's own helper reads in the app, as an event would report it.
TELL_PLAN = f"""
import json, sys
sys.path.append({str(Path(lightgate.__file__).parents[1])!r})
from django.core.management import load_command_class
from lightgate.gate.programs.django_classifier.__main__ import main
from lightgate.gate.programs.django_helper.command import Command
from lightgate.gate.programs.django_helper.plan import Plan
migrate = load_command_class("django.core", "migrate")
config = {{"declared": {{}}, "largeTableRows": 0}}
command = Command(migrate, ["manage.py", "migrate"])
told = Plan.read(command, None, lambda *given: main(*given, config)).fields()
who = {{"lightgate": 1, "release": "r1", "container": "migrate", "event": "plan"}}
print(json.dumps({{**who, **told}}))
"""


@pytest.mark.representatives(2)
@pytest.mark.usefixtures("v2")
@pytest.mark.parametrize(
    ("name", "verdict", "reason"),
    [
        ("additive-fails-later", Verdict.SAFE, None),
        ("v3", Verdict.ONE_WAY, "harvests.0006_one_harvest_a_day: AddConstraint "),
        ("default-only", Verdict.ONE_WAY, "harvests.0005_quality: AddField harvest.quality: "),
        ("one-way", Verdict.ONE_WAY, "harvests.0005_no_season: RemoveField harvest.season: "),
        ("slow-migration", Verdict.UNKNOWN, "harvests.0005_reckon_yields: RunPython: "),
        ("v2", Verdict.NONE, None),
        ("crash-on-start", Verdict.NONE, None),
    ],
)
def test_the_verdict_says_before_it_starts_what_its_failure_would_mean(
    name: str, verdict: Verdict, reason: str | None, database: Database, tmp_path: Path
) -> None:
    told = Release(name, tmp_path / "planned", database.url).manage("shell", "-v0", "-c", TELL_PLAN)

    plans = read_plans("r1", "migrate", told.stdout.splitlines())
    found = judged({"migrate": plans})

    assert found.verdict is verdict, told.stderr
    assert any(one.startswith(reason) for one in found.reasons) if reason else not found.reasons


@pytest.mark.representatives(1)
@pytest.mark.parametrize("name", sorted(LOADABLE, key=lambda name: name not in MIGRATING))
def test_its_migrations_make_its_models(name: str, database: Database, tmp_path: Path) -> None:
    completed = Release(name, tmp_path, database.url).manage(
        "makemigrations", "--check", "--dry-run"
    )

    assert completed.returncode == 0, completed.stdout


@pytest.mark.representatives(1)
@pytest.mark.parametrize("name", ["crash-on-start", "one-way-crash"])
@pytest.mark.usefixtures("v2")
def test_a_crash_on_start_comes_after_a_good_migration(
    name: str, database: Database, tmp_path: Path
) -> None:
    release = Release(name, tmp_path, database.url)
    release.migrate()

    with release.started(nowhere()) as process:
        code = process.wait(WITHIN)
        log = process.log.read_text()

    found = diagnosed(log)
    assert code == 3
    assert "Worker failed to boot" in log
    assert found.kind is FailureClass.APP_CRASH
    assert found.evidence == "ModuleNotFoundError: No module named 'weather'"


@pytest.mark.usefixtures("v2")
def test_a_missing_variable_ends_the_migration_before_it_begins(
    database: Database, tmp_path: Path
) -> None:
    before = applied(database)

    completed = Release("missing-variable", tmp_path, database.url).manage("migrate", "--noinput")

    assert completed.returncode == 1
    assert applied(database) == before
    found = diagnosed(completed.stderr)
    assert found.kind is FailureClass.MISSING_VARIABLE
    assert found.evidence == "KeyError: 'WEATHER_API_KEY'"


@pytest.mark.usefixtures("v2")
def test_the_wrong_port_is_open_and_the_right_one_is_not(
    database: Database, tmp_path: Path
) -> None:
    site = nowhere()

    with Release("wrong-port", tmp_path, database.url).started(site) as process:
        process.wait_until(lambda: "Listening at:" in process.log.read_text(), WITHIN)
        log = process.log.read_text()
        is_open = accepts_connections(int(site.url.rpartition(":")[2]))

    assert not is_open
    found = diagnosed(log)
    assert found.kind is FailureClass.HEALTH_CHECK
    assert "listens on port 9000, but the public endpoint is port 8000" in found.what


@pytest.mark.usefixtures("v2")
def test_an_unhealthy_app_serves_everything_but_its_health(
    database: Database, tmp_path: Path
) -> None:
    with Release("unhealthy", tmp_path, database.url).serving() as site:
        health, page = site.get("/healthz"), site.get()

    assert (health.status, page.status) == (500, 200)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("name", ["fails-later", "one-way-fails-later"])
@pytest.mark.usefixtures("v2")
def test_what_fails_later_is_healthy_and_answers_for_a_while(
    name: str, database: Database, tmp_path: Path
) -> None:
    release = Release(name, tmp_path, database.url)
    release.migrate()

    with release.serving() as site:
        statuses = [site.get().status for _ in range(6)]
        health = site.get("/healthz").status

    assert statuses == [200, 200, 500, 500, 500, 500]
    assert health == 200


def test_after_the_one_way_migration_the_release_before_neither_reads_nor_writes(
    v2: Release, database: Database, tmp_path: Path
) -> None:
    one_way = Release("one-way", tmp_path, database.url)
    one_way.migrate()

    with one_way.serving() as site:
        now = [site.get().status, site.post().status]
    with v2.serving() as site:
        before = [site.get().status, site.post().status, site.get("/healthz").status]

    assert now == [200, 201]
    assert before == [500, 500, 200]


@pytest.mark.slow
def test_a_column_with_only_a_django_default_lets_the_release_before_read_and_not_write(
    v2: Release, database: Database, tmp_path: Path
) -> None:
    default_only = Release("default-only", tmp_path, database.url)
    default_only.migrate()

    with default_only.serving() as site:
        assert site.post().content["added"]["quality"] == 1
    with v2.serving() as site:
        before = [site.get().status, site.post().status]

    assert before == [200, 500]
    with (
        psycopg.connect(database.url) as connection,
        pytest.raises(psycopg.errors.NotNullViolation),
    ):
        connection.execute(
            "INSERT INTO harvests_harvest (crop, kilograms, harvested_on)"
            " VALUES ('wheat', 1, '2026-08-01')"
        )


def test_after_the_additive_migration_the_release_before_reads_and_writes(
    v2: Release, database: Database, tmp_path: Path
) -> None:
    Release("additive-fails-later", tmp_path, database.url).migrate()

    with v2.serving() as site:
        before = [site.get().status, site.post().status]

    assert "note" in columns(database)
    assert before == [200, 201]


@pytest.mark.slow
def test_a_one_way_migration_can_be_reversed_with_its_own_image(
    v2: Release, database: Database, tmp_path: Path
) -> None:
    default_only = Release("default-only", tmp_path, database.url)
    default_only.migrate()

    completed = default_only.manage("migrate", "harvests", "0004", "--noinput")

    assert completed.returncode == 0, completed.stderr
    with v2.serving() as site:
        assert site.post().status == 201


@pytest.mark.slow
@pytest.mark.usefixtures("v2")
def test_a_slow_migration_goes_past_any_limit_and_leaves_nothing_behind(
    database: Database, tmp_path: Path
) -> None:
    schema, before = columns(database), applied(database)

    with pytest.raises(subprocess.TimeoutExpired):
        Release("slow-migration", tmp_path, database.url).manage("migrate", seconds=3)

    assert (columns(database), applied(database)) == (schema, before)
