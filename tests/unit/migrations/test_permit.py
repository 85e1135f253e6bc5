"""What a permit says, and that void is for good."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.gate.programs.supervisor.permit import read_permit
from lightgate.migrations.permit import (
    LARGEST_PERMIT_BYTES,
    Permit,
    PermitState,
    VoidCause,
    pending,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
STEPS = st.one_of(
    st.tuples(st.just("grant"), st.text(max_size=40)),
    st.tuples(st.just("void"), st.text(max_size=2000)),
)


def after(steps: list[tuple[str, str]]) -> Permit:
    permit = pending("r1")
    for step, word in steps:
        permit = (
            permit.granted(word, LATER) if step == "grant" else permit.voided(VoidCause.ENDED, word)
        )
    return permit


@given(st.lists(STEPS))
def test_a_void_permit_stays_void_with_its_first_reason(steps: list[tuple[str, str]]) -> None:
    permit = after(steps)
    reasons = [word for step, word in steps if step == "void"]

    assert (permit.state is PermitState.VOID) is bool(reasons)
    assert permit.reason == (reasons[0][:600] if reasons else None)


@given(st.lists(STEPS))
def test_a_permit_comes_back_from_its_text_as_it_was(steps: list[tuple[str, str]]) -> None:
    text = after(steps).to_text()

    assert Permit.from_text(text) == after(steps)
    assert len(text.encode()) <= LARGEST_PERMIT_BYTES


def test_a_permit_that_an_earlier_version_has_voided_is_void_without_a_cause() -> None:
    document = json.loads(pending("r1").voided(VoidCause.POLICY, "why").to_text())
    del document["cause"]

    permit = Permit.from_text(json.dumps(document))

    assert permit is not None
    assert (permit.state, permit.cause, permit.reason) == (PermitState.VOID, None, "why")


def test_only_a_grant_is_read_as_one_by_the_gate() -> None:
    def seconds(permit: Permit, plan: str = "p") -> float | None:
        look = {"status": 200, "body": permit.to_text(), "now": NOW.timestamp()}
        return read_permit(look, "r1", plan)[0]

    granted = pending("r1").granted("p", LATER)
    assert seconds(granted) == 600
    assert seconds(granted, "q") is None
    assert seconds(pending("r1")) is None
    assert seconds(granted.voided(VoidCause.POLICY, "no")) is None


def test_its_end_is_never_later_than_what_was_meant() -> None:
    until = LATER + timedelta(microseconds=999_999)

    assert pending("r1").granted("p", until).until == LATER


GOOD = json.loads(pending("r1").granted("p", LATER).to_text())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "[" * 100_000,
        "{}",
        *(json.dumps({k: v for k, v in GOOD.items() if k != key}) for key in GOOD),
        json.dumps({**GOOD, "state": "GRANTED"}),
        json.dumps({**GOOD, "until": "x"}),
        json.dumps({**GOOD, "until": 1e300}),
        json.dumps({**GOOD, "until": float("nan")}),
        json.dumps({**GOOD, "more": 1}),
    ],
    ids=lambda text: text[:40],
)
def test_only_a_text_of_ours_is_a_permit(text: Any) -> None:
    assert Permit.from_text(text) is None
