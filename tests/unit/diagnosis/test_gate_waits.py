"""What a gate waits for, and who holds it up."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.codec import decode, encode
from lightgate.diagnosis.gate_waits import Awaited, Wait, read_wait
from lightgate.gate.gate_report import DatabaseSession
from tests.support.builders import RELEASE, gate_line

PSQL = {"pid": 4711, "application": "psql", "seconds": 35}
ON_LOCK = gate_line("waiting", **{"for": ["lock"], "why": "held by another gate", "holder": [PSQL]})
ON_TABLE = gate_line("waiting", **{"for": ["database lock"], "holder": [PSQL]})
ON_PERMIT = gate_line("waiting", **{"for": ["permit"], "why": "the permit is not granted"})
DOWN = gate_line("database", state="down", reason="unreachable", error="Connection refused")


def read(*lines: str) -> Wait | None:
    return read_wait(RELEASE, "migrate", lines)


def test_who_holds_the_lock_is_named() -> None:
    wait = read(ON_LOCK)

    assert wait == Wait(
        container="migrate",
        what=Awaited.LOCK,
        why="held by another gate",
        holders=(DatabaseSession(pid=4711, application="psql", seconds=35),),
    )
    assert str(wait.holders[0]) == 'session 4711 ("psql", for 35 s)'


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (ON_LOCK, gate_line("locked")),
        (ON_PERMIT, gate_line("permitted")),
        (DOWN, gate_line("database", state="up")),
        (ON_TABLE, gate_line("applied", migration="crops.0002")),
        (ON_TABLE, gate_line("succeeded")),
    ],
)
def test_a_wait_that_is_over_is_none(begin: str, end: str) -> None:
    assert read(begin, end) is None
    assert read(end, begin) is not None


def test_a_table_that_keeps_a_migration_waiting_outlives_the_begin_of_it() -> None:
    wait = read(ON_TABLE, gate_line("applying", migration="crops.0002"))

    assert wait is not None
    assert wait.what == "database lock"


def test_waiting_for_other_containers_is_their_affair() -> None:
    assert read(gate_line("waiting", **{"for": ["migrate"]})) is None


@pytest.mark.parametrize("line", [ON_LOCK, ON_TABLE, ON_PERMIT, DOWN])
def test_a_wait_travels_with_the_release(line: str) -> None:
    wait = read(line)

    assert wait is not None
    assert decode(Wait, json.loads(json.dumps(encode(wait)))) == wait


JSON = st.none() | st.integers() | st.text() | st.lists(st.dictionaries(st.text(), st.integers()))


@given(
    st.dictionaries(st.sampled_from(["for", "why", "holder", "state", "error"]), JSON),
    st.sampled_from(["waiting", "database"]),
)
def test_no_junk_breaks_the_reader(change: dict[str, Any], event: str) -> None:
    found = read(gate_line(event, **{"for": ["lock"], **change}))

    assert found is None or found.container == "migrate"
