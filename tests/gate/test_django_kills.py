"""Killed at any instant: lock, record and schema agree, and nothing is run twice."""

import contextlib
import os
import random
import signal
import time

import pytest

from tests.gate.programs import Program, Runner
from tests.gate.projects import ADD_COLOUR, Project, Rows, sql
from tests.gate.test_django_lock import FINAL, commands_of, final, helpers_of, rounds

pytestmark = pytest.mark.slow

VICTIMS = ["supervisor", "helper", "command", "session", "everything"]
TRACE = "insert into trace default values"


def kill(victim: str, gate: Program, rows: Rows) -> None:
    pids = []
    with contextlib.suppress(OSError):
        if victim in ("helper", "everything"):
            pids += helpers_of(gate)
        if victim in ("command", "everything"):
            pids += commands_of(gate)
    if victim in ("supervisor", "everything"):
        pids.append(gate.process.pid)
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    if victim == "session":
        rows(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
            " and datname = current_database()"
        )


@pytest.mark.parametrize("round_", rounds(1, 40))
def test_killed_at_any_instant_everything_agrees(
    runner: Runner, crops: Project, rows: Rows, round_: int
) -> None:
    # Ten combinations, each with an instant in each quarter of the time that a gate needs.
    quarter = round_ // 10 + random.Random(round_).random()  # noqa: S311
    atomic, victim = round_ % 2 == 0, VICTIMS[round_ % len(VICTIMS)]
    rows("create table trace (at timestamptz default clock_timestamp())")
    crops.migration(
        f"{sql(TRACE)}, {sql('select pg_sleep(0.4)')}, {ADD_COLOUR}, {sql('select pg_sleep(0.2)')}",
        atomic=atomic,
    )
    gate = crops.gate(runner)
    gate.event("plan")
    time.sleep(2.5 * quarter / 4)
    kill(victim, gate, rows)

    relaunched = crops.gate(runner)
    last = final(relaunched)

    has_colour = "colour" in rows.columns()
    traces = rows("select count(*) from trace")[0][0]
    is_applied = "0002_change" in rows.applied()
    assert last in FINAL
    if last == "succeeded":
        assert is_applied
        assert has_colour
        assert traces == 1
    else:
        assert relaunched.event("failed")["cause"] in ("attempt", "database")
    if atomic:
        assert traces == int(has_colour)
    assert traces <= 1
    states = [state for _, state, _ in rows.attempts()]
    assert states == (["succeeded"] if last == "succeeded" else states[:1])
    if last == "failed":
        assert states in (["failed"], ["started"])
    third = crops.gate(runner)
    assert final(third) == last
    assert third.named("applying") == []
    assert rows("select count(*) from trace")[0][0] == traces
