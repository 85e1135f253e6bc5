"""Why a gate stayed shut."""

import json
import shlex
from typing import Any

import pytest

from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.gate_waits import Awaited, Wait
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.gate.gate_report import (
    CommandStep,
    DatabaseSession,
    Detail,
    GateCause,
    Leftover,
    Phase,
)
from lightgate.migrations.permit import VoidCause, pending
from lightgate.release.lightgate_command import lightgate_command
from tests.support.builders import DIGEST, EXECUTION, evidence, failure
from tests.support.failed_release import NO_MODULE, NO_VARIABLE, UNREACHABLE, app, symptoms
from tests.support.printed import diagnose_command

Kind = FailureClass
PSQL = DatabaseSession(pid=4711, application="psql", seconds=35)


def of_gate(wait: Wait | None = None, **changes: Any) -> Diagnosis:
    failed = evidence(Phase.FAILED, failed=failure(**changes))
    return diagnose(symptoms(evidence=failed, wait=wait))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, Kind.MIGRATION_ERROR),
        ({"cause": "pending", "error": "still to be applied: crops.0002"}, Kind.MIGRATION_ERROR),
        (
            {
                "cause": "attempt",
                "detail": Detail.FAILED_BEFORE,
                "error": "KeyError: 'x'",
            },
            Kind.MIGRATION_ERROR,
        ),
        (
            {"cause": "signal", "error": "ended by signal 9 (Killed)"},
            Kind.MIGRATION_ERROR,
        ),
        (
            {"cause": "refused", "error": "policy: crops.0002: RemoveField crop.a (breaking)"},
            Kind.MIGRATION_REFUSED,
        ),
        ({"cause": "permit", "error": "the permit is void: It came too late."}, Kind.NO_PERMIT),
        (
            {"cause": "lock", "detail": Detail.NOT_FREE, "error": "in whatever words"},
            Kind.LOCK_WAIT,
        ),
        (
            {"error": "django.db.utils.OperationalError: canceling statement due to lock timeout"},
            Kind.LOCK_WAIT,
        ),
        ({"error": "psycopg.errors.LockNotAvailable: canceling statement"}, Kind.LOCK_WAIT),
        (
            {"cause": "database", "detail": Detail.UNREACHABLE, "error": UNREACHABLE},
            Kind.DATABASE_UNREACHABLE,
        ),
        (
            {"cause": "database", "detail": Detail.NOT_ALLOWED, "error": "…"},
            Kind.DATABASE_UNREACHABLE,
        ),
        (
            {"cause": "preflight", "migration": None, "error": f"health check: {UNREACHABLE}"},
            Kind.DATABASE_UNREACHABLE,
        ),
        (
            {"error": "psycopg.OperationalError: server closed the connection unexpectedly"},
            Kind.CONNECTION_LOST,
        ),
        (
            {"cause": "lock", "detail": Detail.LOST, "error": "in whatever words"},
            Kind.CONNECTION_LOST,
        ),
        ({"detail": Detail.DEADLOCK, "error": "in whatever words"}, Kind.DEADLOCK),
        ({"detail": Detail.LOCK_TIMEOUT, "error": "in whatever words"}, Kind.LOCK_WAIT),
        ({"detail": Detail.CONNECTION_LOST, "error": "in whatever words"}, Kind.CONNECTION_LOST),
        (
            {"detail": Detail.STATEMENT_TIMEOUT, "error": "in whatever words"},
            Kind.STATEMENT_TIMEOUT,
        ),
        (
            {"cause": "database", "detail": Detail.CONNECTION_LOST, "error": "in whatever words"},
            Kind.CONNECTION_LOST,
        ),
        *(
            ({"cause": cause, "detail": detail, "error": "in whatever words"}, kind)
            for detail, kind in (
                (Detail.TOO_MANY_CONNECTIONS, Kind.DATABASE_UNREACHABLE),
                (Detail.READ_ONLY, Kind.DATABASE_REFUSED),
                (Detail.INSUFFICIENT_RESOURCES, Kind.DATABASE_REFUSED),
                (Detail.NO_PRIVILEGE, Kind.DATABASE_REFUSED),
            )
            for cause in ("exit", "database")
        ),
        ({"cause": "record", "detail": Detail.READ_ONLY, "error": "…"}, Kind.DATABASE_REFUSED),
        ({"cause": "record", "detail": Detail.NO_PRIVILEGE, "error": "…"}, Kind.GATE_ERROR),
        ({"cause": "attempt", "detail": Detail.DEADLOCK, "error": "…"}, Kind.DEADLOCK),
        ({"error": "OperationalError: (1213, 'Deadlock found when trying')"}, Kind.DEADLOCK),
        ({"cause": "timeout", "error": "not finished after 300 s"}, Kind.TIME_LIMIT),
        ({"cause": "signal", "detail": Detail.STOPPED, "error": "…"}, Kind.CUT_OFF),
        (
            {
                "cause": "attempt",
                "detail": Detail.NEVER_ENDED,
                "error": "in whatever words",
            },
            Kind.CUT_OFF,
        ),
        ({"cause": "permit", "error": "the permit has expired"}, Kind.NO_PERMIT),
        (
            {"cause": "mailbox", "error": "TLS: unable to get local issuer certificate"},
            Kind.NO_PERMIT,
        ),
        (
            {
                "cause": "schema",
                "migration": None,
                "error": "crops.0004_tidy (breaking) was applied since",
            },
            Kind.MIGRATION_REFUSED,
        ),
        ({"cause": "exec", "migration": None, "error": "cannot run 'pyton'"}, Kind.GATE_ERROR),
        ({"cause": "exit", "migration": None, "error": "exit code 2"}, Kind.GATE_ERROR),
        ({"cause": "settings", "error": "No module named 'x'"}, Kind.GATE_ERROR),
        ({"cause": "arguments", "error": "unrecognized arguments: --x"}, Kind.GATE_ERROR),
        ({"cause": "manage", "error": "'./run.sh' is no program"}, Kind.GATE_ERROR),
        (
            {"cause": "loading", "error": "the app migrates while it loads"},
            Kind.MIGRATES_ON_LOADING,
        ),
        (
            {"cause": "slow-loading", "error": "the app has not loaded within 600 s; it is at x"},
            Kind.TIME_LIMIT,
        ),
        ({"cause": "record", "error": "permission denied for schema public"}, Kind.GATE_ERROR),
        ({"cause": "lock", "error": "none is known for oracle; …"}, Kind.GATE_ERROR),
        ({"cause": GateCause.UNKNOWN, "error": "what is this"}, Kind.GATE_ERROR),
        (
            {"cause": "django", "error": NO_VARIABLE[-2], "last_lines": NO_VARIABLE},
            Kind.MISSING_VARIABLE,
        ),
    ],
    ids=lambda value: value.value if isinstance(value, Kind) else None,
)
def test_what_a_gate_reports_has_its_class_and_its_line(
    changes: dict[str, Any], kind: FailureClass
) -> None:
    found = of_gate(**changes)

    assert found.kind is kind
    assert found.evidence
    assert failure(**changes).error.endswith(found.evidence)
    assert found.next_action


def test_a_plan_that_blocks_a_large_table_is_refused_with_a_way_around_it() -> None:
    found = of_gate(cause="refused", detail=Detail.LOCK_RISK, error="in whatever words")

    assert found.kind is Kind.MIGRATION_REFUSED
    assert "migrations.lockRisk forbids" in found.what
    assert "the warnings say how" in found.next_action


def test_a_migration_that_would_be_recorded_without_its_schema_is_refused_with_what_to_do() -> None:
    found = of_gate(cause="refused", detail=Detail.LACKING, error="in whatever words")

    assert found.kind is Kind.MIGRATION_REFUSED
    assert "does not have" in found.what
    assert found.next_action.startswith("Remove --fake")


def test_a_gate_whose_permit_was_withdrawn_by_the_policy_was_refused_by_it() -> None:
    failed = evidence(Phase.FAILED, failed=failure(cause="permit", error="the permit is void"))
    permit = pending("r1").voided(VoidCause.POLICY, "in whatever words")

    assert diagnose(symptoms(evidence=failed, no_permit=permit)).kind is Kind.MIGRATION_REFUSED


def test_a_refusal_by_the_policy_is_known_where_the_permit_cannot_be_read() -> None:
    failed = evidence(Phase.FAILED, failed=failure(cause="permit", error="the permit is void"))

    found = diagnose(symptoms(evidence=failed, refusal_cause=VoidCause.POLICY))

    assert found.kind is Kind.MIGRATION_REFUSED


def test_a_gate_of_an_earlier_version_that_was_stopped_was_cut_off() -> None:
    for code in (130, 131, 143):
        assert (
            of_gate(cause="signal", error="in whatever words", exit_code=code).kind is Kind.CUT_OFF
        )


def test_who_holds_the_table_is_named() -> None:
    wait = Wait(container="migrate", what=Awaited.DATABASE_LOCK, why=None, holders=(PSQL,))

    found = of_gate(wait, error="psycopg.errors.LockNotAvailable: canceling statement")

    assert 'It was held by session 4711 ("psql", for 35 s).' in found.what
    assert DIGEST in found.next_action


def test_a_time_limit_that_passed_behind_another_session_is_that_sessions_doing() -> None:
    wait = Wait(container="migrate", what=Awaited.DATABASE_LOCK, why=None, holders=(PSQL,))

    found = of_gate(wait, cause="timeout", error="not finished after 300 s")

    assert found.kind is Kind.LOCK_WAIT
    assert 'It was held by session 4711 ("psql", for 35 s).' in found.what
    assert found.evidence == "not finished after 300 s"


def test_who_holds_the_lock_is_taken_from_the_gates_own_words() -> None:
    holder = DatabaseSession(pid=12, application="lightgate gate r1 migrate", seconds=9)

    found = of_gate(cause="lock", detail=Detail.NOT_FREE, holders=[holder])

    assert 'It was held by session 12 ("lightgate gate r1 migrate", for 9 s).' in found.what


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("lock", Kind.LOCK_WAIT),
        ("database", Kind.DATABASE_UNREACHABLE),
        ("permit", Kind.NO_PERMIT),
    ],
)
def test_a_gate_that_was_ended_while_it_waited_says_for_what(what: str, kind: FailureClass) -> None:
    wait = Wait(container="migrate", what=what, why="not yet")

    found = diagnose(symptoms(evidence=evidence(Phase.WAITING), wait=wait))

    assert (found.kind, found.evidence) == (kind, "not yet")
    assert "nothing was applied" in found.what


@pytest.mark.parametrize(
    ("why", "action"),
    [
        ("FATAL:  sorry, too many clients already", "Close connections"),
        ("(1040, 'Too many connections')", "Close connections"),
        ("(1045, \"Access denied for user 'crops'@'h'\")", "Correct user, password"),
        ("(1044, \"Access denied for user 'crops'@'h' to database 'x'\")", "or it does not exist"),
        ('FATAL:  database "crops" does not exist', "Create the database"),
        ("connection timeout expired", "Check whether the database is available"),
    ],
)
def test_what_to_do_about_a_database_that_a_gate_waited_for_fits_its_answer(
    why: str, action: str
) -> None:
    wait = Wait(container="migrate", what=Awaited.DATABASE, why=why)

    found = diagnose(symptoms(evidence=evidence(Phase.WAITING), wait=wait))

    assert action in found.next_action


@pytest.mark.parametrize("what", ["lock", "database", "permit"])
def test_a_gate_that_may_have_begun_is_never_reported_as_having_applied_nothing(what: str) -> None:
    wait = Wait(container="migrate", what=what, why="not yet")
    held = symptoms(evidence=evidence(Phase.WAITING), wait=wait, may_have_changed=True)
    failed = [
        symptoms(
            evidence=evidence(Phase.FAILED, failed=failure(cause=cause, detail=detail)),
            may_have_changed=True,
        )
        for cause, detail in (("lock", Detail.NOT_FREE), ("permit", None), ("refused", None))
    ]

    for seen in (held, *failed):
        found = diagnose(seen)
        assert "whether anything was applied is unknown" in found.what
        assert "nothing was applied" not in found.what


def test_a_deployment_that_ended_during_a_migration_was_cut_off() -> None:
    began = evidence(Phase.APPLYING, began_at="2026-11-22T19:03:20+00:00")

    found = diagnose(symptoms(evidence=began, logs=app(*NO_MODULE)))

    assert found.kind is Kind.CUT_OFF
    assert "It began at 19:03:20 UTC." in found.what
    assert "showmigrations" in found.next_action


SUSPECT = DatabaseSession(pid=5, application="crops", seconds=8, is_suspect=True)


def test_a_session_that_may_hold_the_lock_is_called_that_and_is_not_to_be_killed() -> None:
    wait = Wait(container="migrate", what="database lock", why=None, holders=(SUSPECT,))

    found = of_gate(wait, detail=Detail.LOCK_TIMEOUT, error="in whatever words")

    assert 'does not show who held it. It may be session 5 ("crops", for 8 s).' in found.what
    assert "KILL" not in found.next_action


@pytest.mark.parametrize("count", [4, 5])
def test_a_list_of_sessions_that_may_be_cut_says_so(count: int) -> None:
    wait = Wait(container="migrate", what="database lock", why=None, holders=(SUSPECT,) * count)

    found = of_gate(wait, detail=Detail.LOCK_TIMEOUT, error="in whatever words")

    assert (", and perhaps others." in found.what) == (count == 5)


LEFT = [
    Leftover(what="added column crops_crop.slug", undo="ALTER TABLE crops_crop DROP COLUMN slug"),
    Leftover(what="added index crops_crop.a", undo="DROP INDEX a"),
    Leftover(what="removed column crops_crop.name", undo=None),
]


@pytest.mark.parametrize(
    ("left", "steps"),
    [
        (
            LEFT,
            "First undo what the migration has left: ALTER TABLE crops_crop DROP COLUMN slug; DROP "
            "INDEX a. Repair by hand what no statement can safely undo: removed column "
            "crops_crop.name. Then: Correct",
        ),
        ([], "First compare the schema with the one before, and undo what the migration left. "),
    ],
)
def test_the_first_step_after_a_half_applied_migration_is_to_undo_it(
    left: list[Leftover], steps: str
) -> None:
    assert of_gate(database="part-way", left=left).next_action.startswith(steps)


@pytest.mark.parametrize("step", CommandStep)
def test_that_a_command_around_migrate_has_changed_no_row_is_never_claimed(
    step: CommandStep,
) -> None:
    found = of_gate(migration=None, step=step, command="manage.py loaddata x", database="unchanged")

    assert (
        "The schema is unchanged. Whether this command has changed rows is unknown." in found.what
    )


def test_a_plan_that_stands_between_two_whole_migrations_needs_no_repair() -> None:
    half = failure(database="part-way", left=LEFT)
    failed = evidence(Phase.FAILED, failed=half, atomic=True)

    assert diagnose(symptoms(evidence=failed)).next_action.startswith("Correct ")


GATE = DatabaseSession(pid=4712, application="lightgate gate crops", seconds=None)
OTHER = DatabaseSession(pid=4713, application="report", seconds=None)


@pytest.mark.parametrize(
    ("holders", "action"),
    [
        (
            [PSQL, GATE, OTHER],
            "Let it finish, or end it with SELECT pg_terminate_backend(4711), "
            "pg_terminate_backend(4713) on PostgreSQL, or KILL 4711; KILL 4713 on MySQL. ",
        ),
        ([GATE], "Let it finish: it is a session of a gate, or of its migration. "),
        ([], "Find the session that holds it, in pg_stat_activity (PostgreSQL) or with "),
    ],
)
def test_what_to_do_about_a_lock_can_be_copied_and_ends_no_gate(
    holders: list[DatabaseSession], action: str
) -> None:
    wait = Wait(container="migrate", what=Awaited.DATABASE_LOCK, why=None, holders=holders)

    found = of_gate(wait, error="psycopg.errors.LockNotAvailable: canceling statement")

    assert found.kind is Kind.LOCK_WAIT
    assert action in found.next_action


@pytest.mark.parametrize(
    ("asked", "document"),
    [
        ({}, {"digest": DIGEST}),
        ({"digest": None}, {}),
        ({"rollback_to": 7}, {"rollbackTo": 7}),
        (
            {"command": ("python", "manage.py", "migrate", "crops", "0007")},
            {"digest": DIGEST, "command": ["python", "manage.py", "migrate", "crops", "0007"]},
        ),
    ],
)
def test_the_input_of_the_next_execution_can_be_copied(
    asked: dict[str, Any], document: dict[str, Any]
) -> None:
    forced, again = (
        diagnose(symptoms(evidence=evidence(Phase.FAILED, failed=failure(cause=cause)), **asked))
        for cause in ("schema", "permit")
    )

    for found, more in ((forced, {"allowDestructive": True}), (again, {})):
        told = found.next_action.partition(": ")[2]
        with_cli, _, without = told.partition(" (without the CLI: ")
        asked_for = {"app": "crops-backend", **document, **more}
        assert with_cli == lightgate_command(EXECUTION, asked_for)
        copied = shlex.split(without.removesuffix(")"))
        assert copied[:3] == ["aws", "stepfunctions", "start-execution"]
        assert json.loads(copied[-1]) == {"app": "crops-backend", **document, **more}


CONFLICT = (
    "CommandError: Conflicting migrations detected; multiple leaf nodes in the migration graph: "
    "(0007_left, 0007_right in crops)."
)


@pytest.mark.parametrize(
    ("lines", "kind", "cause", "evidence", "advice"),
    [
        (
            [CONFLICT, "To fix them run 'python manage.py makemigrations --merge'"],
            Kind.GATE_ERROR,
            "follow the same migration",
            "(0007_left, 0007_right in crops)",
            "makemigrations --merge",
        ),
        (
            [
                "Migrations for 'crops':",
                "  crops/migrations/0008_crop_note.py",
                "    + Add field note to crop",
                "DEBUG:crops:closing the pool",
            ],
            Kind.GATE_ERROR,
            "changes without a migration",
            "Migrations for 'crops': crops/migrations/0008_crop_note.py",
            "makemigrations, commit",
        ),
        (
            [
                "SystemCheckError: System check identified some issues:",
                "",
                "ERRORS:",
                "crops.Crop.a: (fields.E304) Reverse accessor clashes",
                "\tHINT: https://docs.example/",
            ],
            Kind.GATE_ERROR,
            "system check",
            "crops.Crop.a: (fields.E304) Reverse accessor clashes",
            "manage.py check",
        ),
        (
            [*NO_MODULE, "DEBUG:crops:closing the pool"],
            Kind.GATE_ERROR,
            "no module weather",
            "ModuleNotFoundError: No module named 'weather'",
            "Install the module weather",
        ),
        (
            [
                "Traceback (most recent call last):",
                "psycopg.errors.ReadOnlySqlTransaction: cannot execute CREATE TABLE in a read-only "
                "transaction",
            ],
            Kind.DATABASE_REFUSED,
            "it is read-only",
            "read-only transaction",
            "writer endpoint",
        ),
        (
            [
                "Traceback (most recent call last):",
                "django.db.utils.OperationalError: FATAL:  sorry, too many clients already",
                "bye",
            ],
            Kind.DATABASE_UNREACHABLE,
            "no free connection",
            "too many clients already",
            "max_connections",
        ),
    ],
)
def test_the_evidence_of_a_command_is_what_went_wrong_and_not_its_last_line(
    lines: list[str], kind: FailureClass, cause: str, evidence: str, advice: str
) -> None:
    found = diagnose_command(lines)

    assert found.kind is kind
    assert cause in found.what
    assert evidence in (found.evidence or "")
    assert advice in found.next_action


@pytest.mark.parametrize("cause", ["healthCheck", "preflight"])
def test_a_health_check_without_a_database_is_explained(cause: str) -> None:
    found = of_gate(cause=cause, migration=None, error=f"health check: {UNREACHABLE}")

    assert found.kind is Kind.DATABASE_UNREACHABLE
    assert found.what.startswith("The health check of migrate could not use the database: ")


@pytest.mark.parametrize("cause", ["healthCheck", "preflight"])
def test_a_health_check_whose_program_is_missing_is_explained(cause: str) -> None:
    error = "health check: cannot run 'curl': No such file or directory (ENOENT)"

    found = of_gate(cause=cause, migration=None, error=error)

    assert "The image has no program curl" in found.what
    assert "install curl in the image" in found.next_action


@pytest.mark.parametrize(
    "lines",
    [
        ["requests.exceptions.ConnectionError: Connection refused"],
        ["smtplib.SMTPAuthenticationError: (535, b'authentication failed')"],
        ["redis.exceptions.AuthenticationError: Access denied"],
    ],
)
def test_the_trouble_of_another_service_is_none_of_the_database(lines: list[str]) -> None:
    found = diagnose_command(["Traceback (most recent call last):", *lines])

    assert found.kind is Kind.GATE_ERROR


@pytest.mark.parametrize(
    ("printed", "words", "kind"),
    [
        (["Unknown command: 'tidy_cropz'"], ["python", "manage.py", "x"], Kind.COMMAND_NOT_RUN),
        (
            ["usage: manage.py tidy [-h]", "manage.py tidy: error: unrecognized arguments: --al"],
            ["python", "manage.py", "tidy", "--al"],
            Kind.COMMAND_NOT_RUN,
        ),
        (
            ["python: can't open file '/app/mange.py': [Errno 2] No such file or directory"],
            ["python", "mange.py"],
            Kind.COMMAND_NOT_RUN,
        ),
        (["tidied 3", "Unknown command: 'x'"], ["python", "manage.py", "x"], Kind.GATE_ERROR),
        (["Unknown command: 'x'"], ["/bin/sh", "-c", "tidy; manage.py x"], Kind.GATE_ERROR),
        (["KeyError: 'barley'"], ["python", "manage.py", "x"], Kind.GATE_ERROR),
        (["Unknown command: 'x'"], ["env", "A=b", "sh", "-c", "tidy; x"], Kind.GATE_ERROR),
        (["x: error: argument y"], ["python", "-c", "tidy(); parse()"], Kind.GATE_ERROR),
        (["Unknown command: 'x'"], ["/venv/bin/python3.13", "manage.py"], Kind.COMMAND_NOT_RUN),
    ],
)
def test_a_command_that_was_refused_at_once_was_not_run(
    printed: list[str], words: list[str], kind: FailureClass
) -> None:
    failed = failure(
        container="lightgate-command", error=printed[-1], migration=None, last_lines=printed
    )

    found = diagnose(symptoms(evidence=evidence(Phase.FAILED, failed=failed), command=words))

    assert found.kind is kind


def test_a_command_whose_program_is_missing_was_not_run() -> None:
    error = "cannot run 'pyhton': No such file or directory (ENOENT)"

    found = of_gate(
        cause="exec", container="lightgate-command", error=error, migration=None, last_lines=[]
    )

    assert (found.kind, found.evidence) == (Kind.COMMAND_NOT_RUN, error)


def test_what_ran_before_migrate_may_have_changed_rows() -> None:
    found = of_gate(database="unchanged", rows_unknown=True)

    assert "The schema is unchanged." in found.what
    assert "has changed rows is unknown" in found.what
