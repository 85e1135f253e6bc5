"""Whether the release before can run on the schema of the next one."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.codec import decode, encode
from lightgate.migrations.compatibility import (
    Judgement,
    Verdict,
    judge_applied,
    judge_plan,
    together,
)
from lightgate.migrations.plan import Operation, Plan, read_plans
from lightgate.spec.effect import DEFAULT_AUTOMATIC, Effect
from tests.support.builders import RELEASE, gate_line, judged

EMPTY = Plan(hash="0", count=0, effect=Effect.COMPATIBLE, breaking=[])
COMPATIBLE = Plan(hash="1", count=1, effect=Effect.COMPATIBLE, breaking=[])
OPERATIONS = st.builds(
    Operation,
    migration=st.sampled_from(["crops.0002_a", "crops.0003_b"]),
    kind=st.sampled_from(["AddField", "RunSQL", "RunPython", "Odd", "AlterField"]),
    target=st.sampled_from([None, "crop.a"]),
    effect=st.sampled_from(Effect),
)
PLANS = st.builds(
    Plan,
    hash=st.just("p"),
    count=st.none() | st.integers(0, 3),
    effect=st.sampled_from(Effect),
    breaking=st.just([]),
    operations=st.lists(OPERATIONS, max_size=4),
)
JUDGEMENTS = PLANS.map(judge_plan)


WHAT = re.compile(r"(?P<undo>undo )?(?P<kind>[\w.]+)(\((?P<detail>\w+)\))?( (?P<target>\S+))?")


def plan(label: str, what: str, effect: str | None = None) -> Plan:
    """A plan of one migration as a gate tells it: `what` is the text of its operation."""
    found = WHAT.fullmatch(what)
    assert found is not None
    operation = [label, found["kind"], found["target"] or "", found["detail"] or ""]
    migration = {"name": "harvests.0005_quality", "operations": [operation]}
    told = gate_line(
        "plan",
        **{"hash": "ab12", "count": 1, "class": effect or label},
        migrations=[{**migration, "reversed": bool(found["undo"])}],
    )
    [found] = read_plans(RELEASE, "migrate", [told])
    return found


@pytest.mark.parametrize(
    ("judged", "verdict"),
    [
        (EMPTY, Verdict.NONE),
        (COMPATIBLE, Verdict.SAFE),
        (plan("compatible", "undo CreateModel Plot"), Verdict.SAFE),
        (plan("breaking", "RemoveField harvest.season"), Verdict.ONE_WAY),
        (plan("data", "RunPython"), Verdict.UNKNOWN),
        (plan("unknown", "RunSQL"), Verdict.UNKNOWN),
        (plan("compatible", "RunSQL", effect="unknown"), Verdict.UNKNOWN),
        (plan("compatible", "RemoveField a.b", effect="breaking"), Verdict.ONE_WAY),
        (plan("breaking", "RemoveField a.b", effect="compatible"), Verdict.ONE_WAY),
        (plan("breaking", "RemoveField a.b", effect="unknown"), Verdict.ONE_WAY),
        (plan("who knows", "AddField a.b", effect="compatible"), Verdict.UNKNOWN),
    ],
    ids=lambda value: value.effect.value if isinstance(value, Plan) else value.value,
)
def test_the_worst_operation_decides(judged: Plan, verdict: Verdict) -> None:
    assert judge_plan(judged).verdict is verdict


@pytest.mark.parametrize(
    ("label", "what", "why"),
    [
        ("breaking", "AddField harvest.quality", "fails with NotNullViolation"),
        ("breaking", "RemoveField harvest.season", "still uses it"),
        ("breaking", "RenameField harvest.kilograms", "still uses the old name"),
        ("breaking", "AlterField harvest.crop", "may reject values"),
        ("breaking", "AddConstraint harvest.one_a_day", "writes fail"),
        ("breaking", "AddField(GeneratedField) harvest.mean", "computes the column"),
        ("breaking", "AlterField(on_delete) harvest.plot", "relies on the old handling"),
        ("breaking", "AlterField(unique) harvest.note", "its ON CONFLICT fails"),
        ("breaking", "AddField(db_default) harvest.size", "the insert may fail"),
        ("breaking", "AddField(Odd) harvest.plot", "fails with NotNullViolation"),
        ("breaking", "undo CreateModel Plot", "the table is removed"),
        ("breaking", "undo AddField harvest.quality", "the column is removed"),
        ("breaking", "undo AddIndex harvest.by_day", "the live version may rely on it"),
        ("breaking", "BrandNew harvest.x", "may not be able to read or write"),
        ("data", "RunPython", "may do anything to rows and schema"),
        ("unknown", "RunSQL", "not read"),
        ("unknown", "Migration.apply", "replaces a method of Django's"),
        ("unknown", "Sharded harvest", "not one of Django's own"),
    ],
)
def test_a_reason_names_migration_and_operation_and_says_why(
    label: str, what: str, why: str
) -> None:
    [reason] = judge_plan(plan(label, what)).reasons

    assert reason.startswith(f"harvests.0005_quality: {what}: ")
    assert why in reason


def test_a_gate_of_an_earlier_version_tells_an_operation_in_one_text() -> None:
    migration = {"name": "crops.0002", "operations": [["breaking", "undo AddField crop.size"]]}
    told = gate_line(
        "plan", **{"hash": "ab12", "count": 1, "class": "breaking"}, migrations=[migration]
    )

    found = judge_plan(read_plans(RELEASE, "migrate", [told])[0])

    assert found.verdict is Verdict.ONE_WAY
    assert found.reasons[0].startswith("crops.0002: undo AddField crop.size: ")


def test_an_operation_that_the_gate_could_not_judge_is_unknown_for_that_reason() -> None:
    operation = ["unknown", "AddIndex", "harvest", "", "KeyError: 'by\nday'"]
    told = gate_line(
        "plan",
        **{"hash": "ab12", "count": 1, "class": "unknown"},
        migrations=[{"name": "harvests.0005_quality", "operations": [operation]}],
    )

    found = judge_plan(read_plans(RELEASE, "migrate", [told])[0])

    assert found == Judgement(
        verdict=Verdict.UNKNOWN,
        reasons=(
            "harvests.0005_quality: AddIndex harvest: Lightgate could not judge it: "
            "KeyError: 'by day'.",
        ),
    )


def test_a_plan_that_could_not_be_read_is_unknown_and_says_so() -> None:
    unread = Plan(hash="unknown", count=None, effect=Effect.UNKNOWN, breaking=[])

    assert judge_plan(unread) == Judgement(
        verdict=Verdict.UNKNOWN, reasons=("The gate could not determine the pending migrations.",)
    )


def test_operations_that_found_no_room_in_the_plan_are_not_forgotten() -> None:
    trimmed = Plan(hash="p", count=40, effect=Effect.BREAKING, breaking=[])

    assert judge_plan(trimmed) == Judgement(
        verdict=Verdict.ONE_WAY,
        reasons=("The plan has the class breaking, and the gate did not report all operations.",),
    )


def test_an_empty_plan_of_a_later_node_takes_nothing_back() -> None:
    applied = plan("breaking", "RemoveField harvest.season")

    assert judged({"migrate": [applied, EMPTY]}, has_database=True).verdict is Verdict.ONE_WAY


def test_the_worst_of_several_gates_counts() -> None:
    found = judged(
        {"migrate": [COMPATIBLE], "archive": [plan("unknown", "RunSQL")]}, has_database=True
    )

    assert found.verdict is Verdict.UNKNOWN


def test_a_gate_without_a_report_makes_the_verdict_unknown() -> None:
    found = judged({"migrate": [EMPTY], "archive": []}, has_database=True)

    assert found.verdict is Verdict.UNKNOWN
    assert list(found.reasons) == ["The gate of archive has not reported the pending migrations."]


@pytest.mark.parametrize(
    ("has_database", "verdict"), [(True, Verdict.UNKNOWN), (False, Verdict.NONE)]
)
def test_without_a_gate_only_an_app_without_a_database_has_nothing_pending(
    has_database: bool, verdict: Verdict
) -> None:
    assert judged({}, has_database=has_database).verdict is verdict


@given(PLANS)
def test_nothing_but_known_operations_of_allowed_classes_is_ever_safe(judged: Plan) -> None:
    judgement = judge_plan(judged)
    is_known = judged.count is not None and judged.effect in DEFAULT_AUTOMATIC
    is_harmless = all(one.effect in DEFAULT_AUTOMATIC for one in judged.operations)

    assert judgement.verdict.allows_rollback == (is_known and is_harmless)
    assert judgement.verdict.allows_rollback or judgement.reasons


@given(st.lists(JUDGEMENTS, max_size=4), JUDGEMENTS)
def test_adding_a_judgement_never_makes_it_better(
    before: list[Judgement], added: Judgement
) -> None:
    whole = together([*before, added])

    assert not whole.verdict.allows_rollback or together(before).verdict.allows_rollback
    assert not whole.verdict.allows_rollback or added.verdict.allows_rollback
    assert together([whole, added]).verdict is whole.verdict
    assert together([added, *before]).verdict is whole.verdict


@given(JUDGEMENTS)
def test_a_judgement_survives_the_state_machine(judged: Judgement) -> None:
    assert decode(Judgement, json.loads(json.dumps(encode(judged)))) == judged


def test_thousands_of_operations_make_no_long_story() -> None:
    many = [
        Operation(migration="m" * 200, kind="RemoveField", target="x" * 180, effect=Effect.BREAKING)
        for _ in range(900)
    ]
    judged = judge_plan(
        Plan(hash="p", count=900, effect=Effect.BREAKING, breaking=[], operations=many)
    )

    assert judged.reasons[-1] == "There are 880 more reasons."
    assert len(json.dumps(encode(judged))) < 16_000


@pytest.mark.parametrize(
    ("planned", "effect", "expected"),
    [
        (Verdict.ONE_WAY, Effect.COMPATIBLE, Verdict.SAFE),
        (Verdict.ONE_WAY, Effect.RESTRICTED, Verdict.SAFE),
        (Verdict.ONE_WAY, Effect.DATA, Verdict.UNKNOWN),
        (Verdict.ONE_WAY, Effect.BREAKING, Verdict.ONE_WAY),
        (Verdict.ONE_WAY, Effect.UNKNOWN, Verdict.ONE_WAY),
        (Verdict.UNKNOWN, Effect.UNKNOWN, Verdict.UNKNOWN),
        (Verdict.SAFE, None, Verdict.SAFE),
        (Verdict.SAFE, Effect.BREAKING, Verdict.UNKNOWN),
        (Verdict.SAFE, Effect.UNKNOWN, Verdict.UNKNOWN),
        (Verdict.NONE, Effect.UNKNOWN, Verdict.UNKNOWN),
    ],
)
def test_an_applied_part_that_is_worse_than_its_plan_is_never_safe(
    planned: Verdict, effect: Effect | None, expected: Verdict
) -> None:
    found = judge_applied(Judgement(verdict=planned), effect, ["crops.0002"])

    assert found.verdict is expected


HOLDS = Operation(
    migration="crops.0002",
    kind="AddField",
    target="harvest.plot",
    effect=Effect.RESTRICTED,
    detail="ForeignKey",
    statements=("DELETE crops_plot",),
)
RESTRICTED = Plan(
    hash="p",
    count=1,
    effect=Effect.RESTRICTED,
    breaking=[],
    operations=[HOLDS],
    counts={Effect.RESTRICTED: 1},
)


def test_a_restricted_plan_is_safe_and_says_which_statements_may_fail() -> None:
    judged = judge_plan(RESTRICTED)

    assert judged.verdict is Verdict.SAFE
    assert judged.restrictions == (
        "crops.0002: AddField(ForeignKey) harvest.plot: DELETE crops_plot may fail: once a new row "
        "refers to a row of an older table, the previous version cannot delete that row any more, "
        "because it does not know the new table.",
    )
    assert together([judged, judge_plan(EMPTY)]).restrictions == judged.restrictions


def test_restrictions_that_the_gate_had_no_room_for_are_not_safe() -> None:
    cut = replace(RESTRICTED, counts={Effect.RESTRICTED: 2})

    assert judge_plan(cut).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("label", "automatic", "verdict"),
    [
        ("restricted", (), Verdict.ONE_WAY),
        ("restricted", (Effect.COMPATIBLE,), Verdict.ONE_WAY),
        ("data", (Effect.COMPATIBLE, Effect.RESTRICTED), Verdict.UNKNOWN),
        ("data", (Effect.DATA,), Verdict.SAFE),
        ("breaking", (Effect.DATA, Effect.RESTRICTED), Verdict.ONE_WAY),
        ("breaking", (Effect.BREAKING,), Verdict.SAFE),
        ("unknown", (Effect.BREAKING,), Verdict.UNKNOWN),
        ("unknown", (Effect.UNKNOWN,), Verdict.SAFE),
        ("compatible", (), Verdict.SAFE),
    ],
)
def test_the_owner_chooses_after_which_classes_a_rollback_is_automatic(
    label: str, automatic: tuple[Effect, ...], verdict: Verdict
) -> None:
    one = Plan(hash="p", count=1, effect=Effect(label), breaking=[])

    assert judge_plan(one, automatic).verdict is verdict
    assert judge_applied(Judgement(verdict=verdict), one.effect, [], automatic).verdict is verdict
