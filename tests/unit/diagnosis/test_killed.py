"""What ended without saying why: a kill by a memory limit, and other signals."""

import pytest

from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.gate.gate_report import Detail, Leftover, Phase
from tests.support.builders import evidence, failure
from tests.support.failed_release import symptoms
from tests.support.printed import diagnose_app_log, diagnose_command

DRIVER = [
    "Traceback (most recent call last):",
    "django.core.exceptions.ImproperlyConfigured: Error loading psycopg2 or psycopg module",
]
NOT_MAPPED = (
    "django.core.exceptions.ImproperlyConfigured: Error loading psycopg2 or psycopg module; "
    "No module named 'psycopg2'; no pq wrapper available. Attempts made: - couldn't import psycopg "
    "'binary' implementation: libcrypto-3a0647ea.so.3: failed to map segment from shared object"
)


def of_gate(**changes: object) -> Diagnosis:
    failed = evidence(Phase.FAILED, failed=failure(**changes))
    return diagnose(symptoms(evidence=failed))


@pytest.mark.parametrize("lines", [DRIVER, ["Applying crops.0002...", "Killed"], []])
def test_the_exit_code_of_a_kill_explains_more_than_what_was_printed_before(
    lines: list[str],
) -> None:
    found = diagnose_command(lines, code=137)

    assert "was killed, most likely because memory ended" in found.what
    assert "driver" not in found.what + found.next_action
    assert found.evidence == (lines[-1] if lines[-1:] == ["Killed"] else "exit code 137")
    assert "memory metric" in found.next_action


@pytest.mark.parametrize("cause", ["django", "lock", "settings", "plan", "signal", "healthCheck"])
def test_whatever_process_of_a_gate_is_killed_memory_is_named(cause: str) -> None:
    found = of_gate(cause=cause, error="ended by signal 9 (Killed)", migration=None)

    assert "most likely because memory ended" in found.what
    assert found.evidence == "ended by signal 9 (Killed)"
    assert "memory metric" in found.next_action
    assert "manage.py check" not in found.next_action


def test_a_migration_that_is_killed_is_told_to_read_fewer_rows_at_once() -> None:
    found = of_gate(cause="signal", error="ended by signal 9 (Killed)")

    assert found.what.startswith("Migration harvests.0006_one_harvest_a_day was killed")
    assert "iterator()" in found.next_action


def test_a_crash_in_native_code_is_not_called_a_lack_of_memory() -> None:
    found = of_gate(cause="signal", error="ended by signal 11 (Segmentation fault)")

    assert "crashed in native code" in found.what
    assert "memory" not in found.what + found.next_action


def test_why_another_signal_came_is_said_to_be_unknown() -> None:
    found = of_gate(cause="signal", error="ended by signal 6 (Aborted)", migration=None)

    assert "was ended by a signal. Why is unknown." in found.what
    assert "memory" not in found.what + found.next_action


def test_a_stop_is_no_lack_of_memory() -> None:
    found = of_gate(cause="signal", detail=Detail.STOPPED, error="stopped by SIGTERM")

    assert "memory" not in found.what


@pytest.mark.parametrize(
    "line",
    [
        NOT_MAPPED,
        "ImportError: /app/.so: failed to map segment from shared object: Cannot allocate memory",
        "OSError: [Errno 12] Cannot allocate memory",
        "sh: 1: Cannot fork",
        "/usr/local/bin/python: error while loading shared libraries: libpython3.12.so.1.0: "
        "failed to map segment from shared object",
    ],
)
def test_a_library_that_memory_has_no_room_for_is_not_called_missing(line: str) -> None:
    for found in (
        diagnose_command(["Traceback (most recent call last):", line]),
        diagnose_app_log(["Traceback (most recent call last):", line]),
    ):
        assert "no memory left" in found.what
        assert "libpq" not in found.what
        assert "memory metric" in found.next_action


def test_a_library_on_a_file_system_without_programs_is_no_lack_of_memory() -> None:
    line = (
        "ImportError: /tmp/x.so: failed to map segment from shared object: Operation not permitted"
    )

    assert "memory" not in diagnose_command(["Traceback (most recent call last):", line]).what


def test_what_a_killed_migration_has_left_is_to_be_undone_first() -> None:
    left = [Leftover(what="added column crops_crop.slug", undo="ALTER TABLE x")]

    found = of_gate(
        cause="signal", error="ended by signal 9 (Killed)", database="part-way", left=left
    )

    assert found.next_action.startswith("First undo what the migration has left: ALTER TABLE x.")
    assert "memory metric" in found.next_action
