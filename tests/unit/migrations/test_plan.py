"""Reading a plan that anybody may have written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.migrations.compatibility import Verdict, judge_plan
from lightgate.migrations.plan import Operation, Plan, read_plan, read_plans
from lightgate.spec.effect import Effect

TOLD: dict[str, Any] = {
    "lightgate": 1,
    "release": "r1",
    "container": "migrate",
    "event": "plan",
    "hash": "ab12",
    "count": 2,
    "class": "breaking",
    "migrations": [
        {"name": "crops.0002", "operations": [["compatible", "AddField", "crop.a"]]},
        {
            "name": "crops.0003",
            "operations": [["breaking", "RemoveField", "crop.b"], ["unknown", "Odd", "c"]],
        },
    ],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


def read(*events: dict[str, Any]) -> Plan | None:
    return read_plan("r1", "migrate", [json.dumps(event) for event in events])


def test_a_plan_names_what_may_break_the_version_that_serves() -> None:
    assert read(TOLD) == Plan(
        hash="ab12",
        count=2,
        effect=Effect.BREAKING,
        breaking=[
            "crops.0003: RemoveField crop.b (breaking)",
            "crops.0003: Odd c (unknown)",
        ],
        operations=[
            Operation(
                migration="crops.0003", kind="RemoveField", target="crop.b", effect=Effect.BREAKING
            ),
            Operation(migration="crops.0003", kind="Odd", target="c", effect=Effect.UNKNOWN),
        ],
        names=["crops.0002", "crops.0003"],
        listed=2,
        kinds=["AddField", "Odd", "RemoveField"],
    )


CUT = {
    **TOLD,
    "count": 185,
    "class": "unknown",
    "classes": {"unknown": 2, "compatible": 400, "breaking": 3},
    "omitted": {"migrations": 183},
}


def test_a_plan_that_was_cut_says_so_and_counts_everything() -> None:
    plan = read(CUT)

    assert plan is not None
    assert plan.counts == {Effect.BREAKING: 3, Effect.UNKNOWN: 2, Effect.COMPATIBLE: 400}
    assert plan.untold == 3
    assert plan.cut == (
        "2 of 185 pending migrations are listed, those with the greatest risk first. "
        "Operations of all of them: breaking 3, unknown 2, compatible 400."
    )


def test_a_plan_that_is_listed_whole_says_nothing_of_a_cut() -> None:
    plan = read(TOLD)

    assert plan is not None
    assert plan.cut is None


def test_a_cut_does_not_turn_not_safe_into_unknown() -> None:
    plan = read({**CUT, "migrations": []})

    assert plan is not None
    judged = judge_plan(plan)
    assert judged.verdict is Verdict.ONE_WAY
    assert "class unknown" in judged.reasons[0]


@pytest.mark.parametrize(
    "classes", [None, [], 3, {"compatible": "x"}, {"?": 1}, {"breaking": -1}, {"data": 10**99}]
)
def test_counts_that_cannot_be_read_make_no_plan_safer(classes: Any) -> None:
    plan = read({**TOLD, "classes": classes})

    assert plan is not None
    assert judge_plan(plan).verdict is Verdict.ONE_WAY


@pytest.mark.parametrize(
    ("classes", "verdict"),
    [
        ({"compatible": 3}, Verdict.SAFE),
        ({"compatible": 3, "data": 1}, Verdict.UNKNOWN),
        ({"compatible": 3, "breaking": 1}, Verdict.ONE_WAY),
        ({"compatible": 3, "?": 1}, Verdict.UNKNOWN),
    ],
)
def test_the_counts_decide_where_the_class_says_less(
    classes: dict[str, int], verdict: Verdict
) -> None:
    plan = read({**TOLD, "class": "compatible", "migrations": [], "classes": classes})

    assert plan is not None
    assert judge_plan(plan).verdict is verdict


@pytest.mark.parametrize("harmless", [{"class": "compatible"}, {"count": 0}, {"migrations": []}])
@pytest.mark.parametrize("is_last", [True, False])
def test_the_worst_plan_with_one_hash_counts(harmless: dict[str, Any], is_last: bool) -> None:
    other = {**TOLD, **harmless}

    plan = read(TOLD, other) if is_last else read(other, TOLD)

    assert plan is not None
    assert (plan.effect, plan.count) == (Effect.BREAKING, 2)


def test_a_plan_with_another_hash_takes_the_place_of_the_one_before() -> None:
    plan = read(TOLD, {**TOLD, "hash": "cd34", "count": 0, "class": "compatible", "migrations": []})

    assert plan is not None
    assert (plan.hash, plan.effect, plan.is_empty) == ("cd34", Effect.COMPATIBLE, True)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            {"count": 2, "class": "breaking", "names": ["crops.0003", 5, "crops.0004\x1b"]},
            "The database has migrations that this image does not know (breaking): "
            "crops.0003, crops.0004 .",
        ),
        (
            {"class": "harmless", "names": "all"},
            "The database has migrations that this image does not know (unknown): .",
        ),
    ],
)
def test_migrations_of_a_later_release_are_reported(found: object, expected: str) -> None:
    plan = read({**TOLD, "ahead": found})

    assert plan is not None
    assert str(plan.ahead) == expected


@pytest.mark.parametrize(("value", "expected"), [(True, True), ("yes", False), (1, False)])
def test_a_plan_runs_once_only_if_it_says_so(value: object, *, expected: bool) -> None:
    plan = read({**TOLD, "once": value})

    assert plan is not None
    assert plan.once is expected


def test_an_operation_of_an_unknown_kind_is_unknown() -> None:
    odd = [{"name": "crops.0002", "operations": [["harmless", "Odd", "c"], ["data", "RunPython"]]}]
    plan = read({**TOLD, "migrations": odd})

    assert plan is not None
    assert plan.operations == [
        Operation(migration="crops.0002", kind="Odd", target="c", effect=Effect.UNKNOWN),
        Operation(migration="crops.0002", kind="RunPython", effect=Effect.DATA),
    ]


def test_a_plan_that_was_applied_meanwhile_is_still_reported() -> None:
    done = {**TOLD, "hash": "cd34", "count": 0, "class": "compatible", "migrations": []}
    told = read_plans("r1", "migrate", [json.dumps(TOLD), "{", json.dumps(done)])

    assert [plan.hash for plan in told] == ["ab12", "cd34"]


def test_the_last_plan_counts() -> None:
    last = read(TOLD, {**TOLD, "hash": "cd34", "count": 0, "class": "compatible", "migrations": []})

    assert last is not None
    assert (last.hash, last.is_empty) == ("cd34", True)


@pytest.mark.parametrize(
    "change",
    [
        {"release": "r2"},
        {"container": "web"},
        {"event": "locked"},
        {"hash": None},
        {"hash": ""},
        {"count": -1},
        {"count": True},
        {"count": "2"},
        {"count": 1.0},
        {"count": 10**9},
    ],
    ids=str,
)
def test_an_invalid_plan_is_ignored(change: dict[str, Any]) -> None:
    assert read({**TOLD, **change}) is None
    assert read(TOLD, {**TOLD, **change}) == read(TOLD)


@pytest.mark.parametrize(
    "change", [{"class": "safe"}, {"class": None}, {"class": []}, {"count": None}], ids=str
)
def test_an_unknown_effect_is_never_safe(change: dict[str, Any]) -> None:
    plan = read({**TOLD, "migrations": [], **change})

    assert plan is not None
    assert plan.effect is Effect.UNKNOWN
    assert not plan.is_empty


def test_a_class_that_its_own_operations_belie_is_unknown() -> None:
    plan = read({**TOLD, "class": "compatible"})

    assert plan is not None
    assert plan.effect is Effect.UNKNOWN


@given(st.dictionaries(st.sampled_from([*TOLD, "more"]), JSON))
def test_no_junk_breaks_the_reader(change: dict[str, Any]) -> None:
    plan = read({**TOLD, **change})

    assert plan is None or plan.hash


def test_a_plan_with_thousands_of_operations_stays_small() -> None:
    many = [{"name": "x" * 999, "operations": [["unknown", "y" * 999]] * 50}] * 100
    plan = read({**TOLD, "migrations": many})

    assert plan is not None
    assert len(json.dumps(plan.breaking)) < 25_000
    assert len(plan.operations) == 50


@pytest.mark.parametrize(
    ("told", "statements"),
    [
        (["DELETE farms_farm", "UPDATE farms_farm"], ("DELETE farms_farm", "UPDATE farms_farm")),
        ([], ()),
        (["DROP farms_farm"], ()),
        (["DELETE farms_farm", 3], ()),
        ("DELETE farms_farm", ()),
    ],
)
def test_a_restricted_operation_that_names_no_statement_is_unknown(
    told: object, statements: tuple[str, ...]
) -> None:
    one = ["restricted", "AddField", "crop.farm", "ForeignKey", "", told]
    migrations = [{"name": "crops.0002", "operations": [one]}]
    plan = read({**TOLD, "class": "restricted", "count": 1, "migrations": migrations})

    assert plan is not None
    [operation] = plan.operations
    assert operation.statements == statements
    assert operation.effect is (Effect.RESTRICTED if statements else Effect.UNKNOWN)
