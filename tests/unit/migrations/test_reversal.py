"""How migrations are taken back: what a gate has told of it, and what becomes of that."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.migrations.reversal import UNTOLD, Reversal, read_reversal, reversal_of
from lightgate.spec.migration_policy import Policy
from tests.support.builders import DIGEST

NAMES = ["harvests.0005_a", "harvests.0006_b"]
CALL = ["python", "manage.py", "migrate", "harvests", "0004_fill"]
ELSEWHERE = ["uv", "run", "src/manage.py", "migrate", "farms", "zero", "--database", "analytics"]
TOLD = Reversal(migrations=tuple(NAMES), calls=(tuple(CALL),))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just("migrate"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


def test_the_calls_come_from_the_gate() -> None:
    assert read_reversal([CALL, ELSEWHERE], NAMES, 2) == Reversal(
        migrations=tuple(NAMES), calls=(tuple(CALL), tuple(ELSEWHERE))
    )


def test_why_there_are_none_is_reported_in_plain_text() -> None:
    found = read_reversal("a.0002_x:\x1b[2J RunPython" + "x" * 900, NAMES, 2)

    assert found.why_not is not None
    assert found.why_not.startswith("a.0002_x: [2J RunPython")
    assert len(found.why_not) == 300


@pytest.mark.parametrize(
    "told",
    [
        None,
        "",
        [],
        {},
        [CALL] * 21,
        [[]],
        [CALL, "rm -rf /"],
        [["rm", "-rf", "/"]],
        [["migrate", "harvests", "zero"]],
        [[*CALL[:3]]],
        [[*CALL[:4]]],
        [[*CALL[:3], "harvests", "0004; rm"]],
        [[*CALL, "x" * 201]],
        [[*CALL, *["x"] * 40]],
        [[*CALL, "\x1b"]],
        [[*CALL, 5]],
        [[*CALL, ""]],
    ],
    ids=lambda told: str(told)[:40],
)
def test_only_calls_of_migrate_are_shown(told: object) -> None:
    assert read_reversal(told, NAMES, 2) == UNTOLD


def test_an_incomplete_plan_is_unknown() -> None:
    assert read_reversal([CALL], NAMES, 3) == UNTOLD


@given(JSON)
def test_any_report_of_a_gate_gives_a_reversal_or_a_reason_why_there_is_none(told: Any) -> None:
    found = read_reversal(told, NAMES, 2)

    assert bool(found.calls) != bool(found.why_not)


@pytest.mark.parametrize(("policy", "more"), [("warn", {}), ("block", {"allowDestructive": True})])
def test_a_reversal_overrides_the_policy_that_blocks_it(policy: str, more: Any) -> None:
    [execution] = TOLD.executions("crops", DIGEST, Policy(policy))

    assert execution == {"app": "crops", "digest": DIGEST, "command": CALL, **more}


def test_without_an_image_there_is_no_execution() -> None:
    assert TOLD.executions("crops", None, None) == ()


@pytest.mark.parametrize("applied", [[], NAMES[:1], NAMES])
def test_the_reversal_of_a_plan_reverses_each_part_of_it(applied: list[str]) -> None:
    assert reversal_of({"migrate": TOLD}, applied) == TOLD


@pytest.mark.parametrize(
    ("told", "applied", "why"),
    [
        ({}, NAMES, "did not report"),
        ({"migrate": TOLD}, [*NAMES, "farms.0001_x"], "more was applied"),
        ({"migrate": TOLD, "other": Reversal(why_not="x")}, NAMES, "several gates"),
        ({"migrate": Reversal(why_not="a.0002: RunSQL")}, NAMES, "a.0002: RunSQL"),
    ],
)
def test_an_incomplete_reversal_is_not_offered(
    told: dict[str, Reversal], applied: list[str], why: str
) -> None:
    found = reversal_of(told, applied)

    assert found.calls == ()
    assert why in str(found.why_not)


def test_gates_with_the_same_reversal_count_as_one() -> None:
    assert reversal_of({"migrate": TOLD, "other": TOLD}, NAMES) == TOLD
