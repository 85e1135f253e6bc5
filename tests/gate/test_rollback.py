"""The gate of a deployment that goes back: old code, on whatever has become of the schema."""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from lightgate.gate.packaging import config_text, pack, program_text
from tests.gate.mailbox_server import Mailbox
from tests.gate.programs import Program, Runner, after, facts, free_port, shell
from tests.gate.projects import ADD_COLOUR, HALF, REMOVE_NAME, Project, Rows, sql
from tests.gate.rollbacks import (
    BACK,
    NEWER,
    OLD,
    back,
    newer,
    opens,
    rollback_environment,
    stays_shut,
)

RUN_PYTHON = "migrations.RunPython(migrations.RunPython.noop)"


def ahead(rows: Rows, name: str, label: str | None, at: str = "now()") -> str:
    """As if a later release had applied it, and put it on record with this class."""
    values = f"('crops', '{name}', {at})"
    rows(f"insert into django_migrations (app, name, applied) values {values}")  # noqa: S608
    if label:
        listed_records(rows, NEWER, "2025-02-02T00:00:00Z", {f"crops.{name}": label})
    return f"crops.{name}"


def listed_records(rows: Rows, release: str, at: str, classes: dict[str, str]) -> None:
    rows(
        "create table if not exists lightgate_attempt (release_id varchar(128),"
        " container varchar(128), state varchar(16), detail text)"
    )
    detail = json.dumps({"at": at, "classes": classes})
    values = f"('{release}', 'migrate', 'succeeded', '{detail}')"
    rows(f"insert into lightgate_attempt values {values}")  # noqa: S608


def seen(rows: Rows) -> list[Any]:
    """All that a gate which applies nothing leaves as it is."""
    tables = rows.tables() - {"lightgate_attempt"}
    applied = rows("select * from django_migrations order by id")
    return [applied, *((table, rows.columns(table)) for table in sorted(tables))]


# Django


def test_it_opens_on_what_was_only_added_since_and_asks_nobody(
    runner: Runner, crops: Project, rows: Rows, mailbox: Mailbox
) -> None:
    rows.begin()
    names = newer(runner, crops, ADD_COLOUR, ADD_COLOUR.replace("colour", "size"))
    before = seen(rows)

    migrate = back(runner, crops, mailbox=mailbox)

    assert "overridden" not in opens(migrate)
    told = migrate.event("plan")
    assert told["ahead"] == {"count": 2, "class": "compatible", "names": names}
    assert told["count"] == 0
    assert seen(rows) == before
    assert (mailbox.polls, mailbox.objects.keys()) == (0, {"classifier"})


def test_it_stays_shut_on_what_may_break_its_code_unless_that_is_overridden(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    added, removed = newer(runner, crops, ADD_COLOUR, REMOVE_NAME)
    before = seen(rows)

    migrate = back(runner, crops, afterFailure="exit")

    assert stays_shut(migrate)["error"] == f"{removed} (breaking) was applied since"
    assert migrate.ends() == 1
    told = migrate.event("plan")["ahead"]
    assert told == {"count": 2, "class": "breaking", "names": [added, removed]}
    unchecked = opens(back(runner, crops, "unchecked"))
    assert unchecked["overridden"] == [f"{removed} (breaking) was applied since"]
    assert seen(rows) == before
    assert [release for release, _, _ in rows.attempts()] == [NEWER]


def test_it_stays_shut_where_its_own_migration_was_reversed(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    name = crops.migration(ADD_COLOUR)
    before = seen(rows)

    assert stays_shut(back(runner, crops))["error"] == f"{name} is pending"

    assert opens(back(runner, crops, "unchecked"))["overridden"] == [f"{name} is pending"]
    assert seen(rows) == before


@pytest.mark.slow
def test_a_node_relaunched_after_a_later_release_has_broken_its_schema_opens(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    opens(back(runner, crops))
    assert [(release, state) for release, state, _ in rows.attempts()] == [(BACK, "succeeded")]
    later = ahead(rows, "0002_later", "breaking")
    before = seen(rows)

    again = back(runner, crops)

    opens(again)
    told = again.event("plan")["ahead"]
    assert told == {"count": 1, "class": "breaking", "names": [later]}
    assert seen(rows) == before
    crops.migration(ADD_COLOUR)
    assert "is pending" in stays_shut(back(runner, crops))["error"]


@pytest.mark.parametrize(
    ("label", "is_open"),
    [
        ("compatible", True),
        (None, False),
        pytest.param("data", False, marks=pytest.mark.slow),
        pytest.param("breaking", False, marks=pytest.mark.slow),
        pytest.param("unknown", False, marks=pytest.mark.slow),
        pytest.param("harmless", False, marks=pytest.mark.slow),
    ],
)
def test_only_what_is_on_record_as_additive_counts_as_that(
    runner: Runner, crops: Project, rows: Rows, label: str | None, is_open: bool
) -> None:
    rows.begin()
    name = ahead(rows, "0002_later", label)
    before = seen(rows)

    migrate = back(runner, crops)

    (opens if is_open else stays_shut)(migrate)
    assert migrate.event("plan")["ahead"]["names"] == [name]
    assert seen(rows) == before


@pytest.mark.slow
def test_what_a_failed_attempt_has_applied_is_on_record(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    removed, half = crops.migration(REMOVE_NAME), crops.migration(HALF)
    crops.gate(runner, release=NEWER).event("failed")
    for name in (removed, half):
        (crops.directory / f"crops/migrations/{name.partition('.')[2]}.py").unlink()
    assert stays_shut(back(runner, crops))["error"] == f"{removed} (breaking) was applied since"


def test_what_was_there_when_the_old_release_began_is_not_ahead(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    ahead(rows, "0001_squashed_long_ago", None, at="'2024-12-31 23:59:59+00'")
    migrate = back(runner, crops)
    opens(migrate)
    assert "ahead" not in migrate.event("plan")


def test_what_its_own_squash_replaces_is_not_ahead(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    initial = crops.directory / "crops/migrations/0001_initial.py"
    squash = initial.with_name("0001_squashed.py")
    squash.write_text(f'{initial.read_text()}    replaces = [("crops", "0001_initial")]\n')
    initial.unlink()
    migrate = back(runner, crops)
    opens(migrate)
    assert "ahead" not in migrate.event("plan")


@pytest.mark.slow
def test_a_squash_of_what_is_there_counts_as_additive(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    initial = (crops.directory / "crops/migrations/0001_initial.py").read_text()
    squash = crops.directory / "crops/migrations/0001_squashed.py"
    squash.write_text(f'{initial}    replaces = [("crops", "0001_initial")]\n')
    newer(runner, crops, ADD_COLOUR)
    squash.unlink()
    assert "0001_squashed" in rows.applied()

    migrate = back(runner, crops)

    opens(migrate)
    assert "crops.0001_squashed" in migrate.event("plan")["ahead"]["names"]


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param("create table lightgate_attempt (release_id text)", marks=pytest.mark.slow),
        "create table lightgate_attempt (release_id text, container text, state text, detail text);"
        " insert into lightgate_attempt values ('r', 'migrate', 'succeeded', '[]'),"
        " ('s', 'migrate', 'succeeded', '{}')",
    ],
    ids=["without the column", "without the classes"],
)
def test_a_table_of_another_shape_leaves_unknown_what_is_ahead_and_fails_nobody(
    runner: Runner, crops: Project, rows: Rows, shape: str
) -> None:
    rows.begin()
    rows(shape)
    ahead(rows, "0002_later", None)
    assert "(unknown) was applied since" in stays_shut(back(runner, crops))["error"]
    crops.environment = {}
    forward = crops.gate(runner, release=OLD)
    forward.event("succeeded")
    assert forward.event("plan")["ahead"]["class"] == "unknown"


def test_a_node_that_may_not_write_opens(runner: Runner, crops: Project, rows: Rows) -> None:
    rows.begin()
    crops.database["OPTIONS"] = {"options": "-c default_transaction_read_only=on"}
    opens(back(runner, crops))
    assert rows.attempts() == []


def test_of_several_nodes_at_once_all_open_and_one_record_is_left(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    for migrate in [back(runner, crops) for _ in range(3)]:
        opens(migrate)
    assert [release for release, _, _ in rows.attempts()] == [BACK]


@pytest.mark.slow
def test_the_plan_of_a_replaced_migrate_command_is_unknown(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.own_migrate("    def handle(self, *a, **k):\n        super().handle(*a, **k)\n")
    assert "are unknown" in stays_shut(back(runner, crops))["error"]
    assert opens(back(runner, crops, "unchecked"))["overridden"]


def test_the_commands_around_the_migration_are_not_run(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path
) -> None:
    rows.begin()
    trace = ["touch", str(tmp_path / "trace")]
    opens(back(runner, crops, before=[trace], then=[trace]))
    assert not (tmp_path / "trace").exists()


def test_a_running_release_opens_whatever_is_ahead_and_says_so(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    name, data, unread = newer(runner, crops, REMOVE_NAME, RUN_PYTHON, sql("select 1"))
    relaunched = crops.gate(runner, release=OLD)
    assert relaunched.event("succeeded")["release"] == OLD
    told = relaunched.event("plan")["ahead"]
    assert told == {"count": 3, "class": "unknown", "names": [name, data, unread]}


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_time_of_a_migration_is_right_in_every_zone(
    runner: Runner, crops: Project, rows: Rows, zone: str
) -> None:
    with (crops.directory / "settings.py").open("a") as settings:
        settings.write(f'USE_TZ = False\nTIME_ZONE = "{zone}"\n')
    rows.begin()
    ahead(rows, "0001_before", None, at="'2024-12-31 23:59:59+00'")
    later = ahead(rows, "0002_later", "compatible", at="'2025-01-01 00:00:01+00'")
    migrate = back(runner, crops)
    opens(migrate)
    assert migrate.event("plan")["ahead"]["names"] == [later]


@pytest.mark.parametrize("last", ["compatible", pytest.param("breaking", marks=pytest.mark.slow)])
def test_of_two_attempts_at_a_migration_the_last_one_counts(
    runner: Runner, crops: Project, rows: Rows, last: str
) -> None:
    rows.begin()
    first = {"compatible": "unknown", "breaking": "compatible"}[last]
    listed_records(rows, "r3", "2025-03-03T00:00:00Z", {"crops.0002_later": last})
    ahead(rows, "0002_later", first)
    migrate = back(runner, crops)
    (opens if last == "compatible" else stays_shut)(migrate)
    assert migrate.event("plan")["ahead"]["class"] == last


@pytest.mark.slow
def test_a_reversed_migration_is_reported_as_undone_and_not_recorded_as_applied(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    crops.gate(runner, release=NEWER).event("succeeded")
    undone = crops.gate(runner, "crops", "0001", release="20250303t000000z-2c3d4e5f-7f6e")
    undone.event("succeeded")
    [told] = undone.event("plan")["migrations"]
    assert told["reversed"]
    assert told["operations"] == [["breaking", "AddField", "crop.colour"]]
    assert rows.columns() == {"id", "name"}
    assert all("crops.0002_change" not in detail["classes"] for _, _, detail in rows.attempts()[1:])


# All others


def supervisor(runner: Runner, mode: str = "checked", **more: Any) -> Program:
    environment = {**os.environ, **rollback_environment(mode)}
    return runner.supervisor(
        more.pop("arguments", shell("echo ran")),
        options={"env": environment},
        **{"release": OLD, **more},
    )


def test_what_waits_in_the_same_deployment_opens_under_its_new_name(
    runner: Runner, any_python: str
) -> None:
    port = free_port()
    base = supervisor(runner, python=any_python, port=port, pendingCommand=["true"])
    app = supervisor(runner, python=any_python, after=[after("migrate", port)], container="app")
    options = {"env": {**os.environ, **rollback_environment()}}
    web = runner.waiter(
        shell("echo $LIGHTGATE_RELEASE"),
        python=any_python,
        release=OLD,
        after=[after("migrate", port)],
        options=options,
    )
    assert web.ends() == 0
    assert web.event("open")["release"] == BACK
    assert web.command_output == BACK.encode() + b"\n"
    app.event("succeeded")
    opens(base)
    assert facts(port, "SUCCESS")[-1] == f"lightgate {BACK} migrate SUCCESS"


@pytest.mark.parametrize("name", ["supervisor", "waiter"])
def test_without_its_new_name_nothing_is_begun(runner: Runner, name: str) -> None:
    environment = {**os.environ, "LIGHTGATE_ROLLBACK": "checked"}
    environment.pop("LIGHTGATE_RELEASE", None)
    start = runner.supervisor if name == "supervisor" else runner.waiter
    program = start(shell("echo ran"), options={"env": environment})
    assert program.ends() == 2
    assert program.event("failed")["cause"] == "config"
    assert program.command_output == b""


def test_what_is_pending_for_another_command_is_not_applied(runner: Runner) -> None:
    box = {"pollSeconds": 1, "patienceSeconds": 1, "reachSeconds": 1}
    arguments = [program_text("s3_client"), *shell("echo ran")]
    more: dict[str, Any] = {"pendingCommand": ["false"], "mailbox": box, "arguments": arguments}

    failed = stays_shut(supervisor(runner, **more))
    done = opens(unchecked := supervisor(runner, "unchecked", **more))

    assert failed["error"] == "pendingCommand: something is pending"
    assert done["overridden"] == [failed["error"]]
    assert unchecked.command_output == b""


def test_a_command_that_cannot_show_what_is_pending_runs_as_always(runner: Runner) -> None:
    migrate = supervisor(runner)
    assert migrate.event("succeeded")["release"] == BACK
    assert b"ran" in migrate.command_output


def test_the_distributor_reports_its_failure_under_the_new_name(runner: Runner) -> None:
    config = config_text({"release": OLD, "container": "migrate"})
    with socket.create_server(("127.0.0.1", 0)) as other:
        distributor = runner.program(
            program_text("distributor"),
            str(other.getsockname()[1]),
            [pack(b"\0"), config, "true"],
            sys.executable,
            {"env": {**os.environ, **rollback_environment()}},
        )
        assert distributor.ends() == 1
    assert distributor.event("failed")["release"] == BACK
