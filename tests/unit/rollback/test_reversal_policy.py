"""When Lightgate reverses migrations by itself: only if each condition holds."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lightgate.deployment.status import Status
from lightgate.gate.gate_report import GateReport, Migration, Phase
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.migrations.outside import Outside
from lightgate.migrations.plan import Plan, read_plan
from lightgate.migrations.reversal import Reversal, ReversalBar
from lightgate.rollback.reversal_policy import (
    ReversalInput,
    decide_reversal,
    doubts_of,
    needs_reversal,
    reversal_release,
    why_another_plan,
)
from lightgate.state import DeploymentProgress
from tests.support.builders import admitted

CALL = ("python", "manage.py", "migrate", "crops", "0001")
NAME = "crops.0002_size"
GATE = GateReport(
    phase=Phase.SUCCEEDED,
    began_at="2026-01-01T00:00:00Z",
    migrations=(Migration(name=NAME, seconds=0.5),),
    failure=None,
    atomic=True,
    changed=True,
)
DEPLOYMENT = DeploymentProgress(
    status=Status.FAILED,
    version=3,
    previous_version=2,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    poll_seconds=30,
    pending=True,
    permitted=True,
    unknown=(),
    gate=GATE,
    judgement=Judgement(verdict=Verdict.ONE_WAY, reasons=("It breaks.",)),
    reversals={"migrate": Reversal(migrations=(NAME,), calls=(CALL,))},
)
RELEASE = replace(
    admitted(), reverse=True, asking_gates={"migrate": timedelta(seconds=310)}, gates=("migrate",)
)
GOOD = ReversalInput(
    release=RELEASE,
    deployment=DEPLOYMENT,
    serves_previous=True,
    has_served=False,
    why_not_again=None,
    earlier=Judgement(verdict=Verdict.NONE),
    workers=(),
    other_commands=(),
)


def with_deployment(**changes: Any) -> ReversalInput:
    return replace(GOOD, deployment=replace(DEPLOYMENT, **changes))


def with_reversal(**changes: Any) -> ReversalInput:
    return with_deployment(
        reversals={"migrate": replace(DEPLOYMENT.reversals["migrate"], **changes)}
    )


def test_it_is_reversed_with_the_call_that_the_gate_has_reported() -> None:
    decision = decide_reversal(GOOD)

    assert decision.doubts == ()
    assert decision.call == CALL
    assert decision.migrations == (NAME,)


EARLIER = Judgement(verdict=Verdict.UNKNOWN, reasons=("Version 1 was deployed without Lightgate.",))
FORBIDDEN: dict[ReversalBar, ReversalInput] = {
    ReversalBar.GATE_NOT_OPEN: with_deployment(gate=replace(GATE, phase=Phase.APPLYING)),
    ReversalBar.SERVED: replace(GOOD, has_served=True),
    ReversalBar.PREVIOUS_NOT_LIVE: replace(GOOD, serves_previous=False),
    ReversalBar.PREVIOUS_UNKNOWN: replace(GOOD, why_not_again="Its image is gone."),
    ReversalBar.EARLIER_MIGRATIONS: replace(GOOD, earlier=EARLIER),
    ReversalBar.NO_PERMIT: with_deployment(unknown=("The permit could not be read.",)),
    ReversalBar.WORKER: replace(GOOD, workers=("celery",)),
    ReversalBar.OTHER_COMMAND: replace(GOOD, other_commands=("loaddata of migrate",)),
    ReversalBar.OUTSIDE: with_deployment(outside=Outside(applied=("crops.0003",))),
    ReversalBar.NO_REVERSE: with_reversal(why_not="RunSQL cannot be reversed", calls=()),
    ReversalBar.SEVERAL_CALLS: with_reversal(calls=(CALL, CALL)),
    ReversalBar.OTHER_MIGRATIONS: with_reversal(migrations=(NAME, "crops.0003")),
    ReversalBar.NOT_ATOMIC: with_deployment(gate=replace(GATE, atomic=False)),
}


@pytest.mark.parametrize("bar", FORBIDDEN)
def test_a_condition_that_does_not_hold_forbids_the_reversal(bar: ReversalBar) -> None:
    decision = decide_reversal(FORBIDDEN[bar])

    assert decision.call is None
    assert bar in [doubt.bar for doubt in decision.doubts]


def test_every_bar_is_in_the_table_or_a_doubt_about_the_plan() -> None:
    about_the_plan = {bar for bar, _ in PLANS}
    assert {*FORBIDDEN, *about_the_plan} == set(ReversalBar)


def plan(*operations: list[Any], **event: Any) -> Plan:
    told = {
        "lightgate": 1,
        "release": "r1",
        "container": "migrate",
        "event": "plan",
        "hash": "ab12",
        "count": 1,
        "class": "breaking",
        "migrations": [{"name": NAME, "operations": list(operations)}],
        **event,
    }
    found = read_plan("r1", "migrate", [json.dumps(told)])
    assert found is not None
    return found


PLANS: list[tuple[ReversalBar, Plan]] = [
    (ReversalBar.CHANGED_ROWS, plan(["data", "RunPython", ""])),
    (ReversalBar.CHANGED_ROWS, plan(["breaking", "AddField", "a.b"], ["data", "RunPython", ""])),
    (ReversalBar.LOSES_DATA, plan(["breaking", "RemoveField", "a.b"])),
    (ReversalBar.LOSES_DATA, plan(["breaking", "DeleteModel", "a"])),
    (ReversalBar.LOSES_DATA, plan(["breaking", "AlterField", "a.b", "type"])),
    # It does nothing forwards, and anything backwards.
    (
        ReversalBar.LOSES_DATA,
        plan(["breaking", "AddField", "a.b"], ["compatible", "RunPython", ""]),
    ),
    (ReversalBar.LOSES_DATA, plan(["compatible", "RunSQL", ""])),
    (ReversalBar.LOSES_DATA, plan(["breaking", "SeparateDatabaseAndState", ""])),
    (ReversalBar.UNKNOWN_EFFECT, plan(["unknown", "RunSQL", ""])),
    (ReversalBar.UNKNOWN_EFFECT, plan(["unknown", "AddField", "a.b", "type"])),
    (ReversalBar.DECLARED, plan(declared=[[NAME, "compatible", "it is"]])),
    (ReversalBar.PLAN_INCOMPLETE, plan(count=2)),
    (ReversalBar.PLAN_INCOMPLETE, plan(count=None)),
    (ReversalBar.PLAN_INCOMPLETE, plan(classes={"breaking": 3})),
    (ReversalBar.PLAN_INCOMPLETE, plan(omitted={"migrations": 1})),
    (
        ReversalBar.LOSES_DATA,
        plan(migrations=[{"name": NAME, "operations": [], "reversed": True}]),
    ),
]


@pytest.mark.parametrize(("bar", "given"), PLANS)
def test_a_plan_whose_reversal_may_lose_something_is_not_reversed(
    bar: ReversalBar, given: Plan
) -> None:
    doubts = doubts_of(given)

    assert bar in [doubt.bar for doubt in doubts]
    decision = decide_reversal(with_reversal(doubts=doubts))
    assert decision.call is None
    assert decision.doubts == doubts


@pytest.mark.parametrize(
    "operations",
    [
        [["breaking", "AddField", "a.b"]],
        [["breaking", "RenameField", "a.b"], ["compatible", "CreateModel", "c"]],
        [["restricted", "AlterField", "a.b", "NULL", "", ["SELECT a"]]],
        [["compatible", "AlterField", "a.b"], ["breaking", "RenameModel", "a"]],
    ],
)  # fmt: skip
def test_a_plan_that_only_adds_and_renames_can_be_reversed(operations: list[Any]) -> None:
    assert doubts_of(plan(*operations)) == ()


def undone(*names: str, kind: str = "AddField", **event: Any) -> Plan:
    migrations = [
        {"name": name, "operations": [["breaking", kind, "a.b"]], "reversed": True}
        for name in names
    ]
    return plan(**{"migrations": migrations, "count": len(names), **event})


def test_the_plan_of_the_reversal_has_to_undo_what_was_applied() -> None:
    assert why_another_plan(undone(NAME), [NAME]) is None


@pytest.mark.parametrize(
    "given",
    [
        undone(NAME, "crops.0001"),
        undone("crops.0001"),
        undone(NAME, count=2),
        undone(NAME, kind="RunPython"),
        undone(NAME, kind="RemoveField"),
        undone(NAME, omitted={"migrations": 1}),
        plan(["breaking", "AddField", "a.b"]),
        plan(migrations=[], count=0),
        plan(count=None),
    ],
)
def test_no_other_plan_is_permitted(given: Plan) -> None:
    assert why_another_plan(given, [NAME]) is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda _: (replace(RELEASE, reverse=False), DEPLOYMENT),
        lambda _: (replace(RELEASE, command=("true",)), DEPLOYMENT),
        lambda _: (RELEASE, replace(DEPLOYMENT, status=Status.ACTIVE)),
        lambda _: (RELEASE, replace(DEPLOYMENT, gate=replace(GATE, phase=Phase.FAILED))),
        lambda _: (RELEASE, replace(DEPLOYMENT, judgement=Judgement(verdict=Verdict.SAFE))),
        lambda _: (RELEASE, replace(DEPLOYMENT, judgement=Judgement(verdict=Verdict.UNKNOWN))),
    ],
)
def test_a_reversal_is_for_a_failed_release_that_broke_the_old_version(
    change: Callable[[None], Any],
) -> None:
    assert needs_reversal(RELEASE, DEPLOYMENT)
    assert not needs_reversal(*change(None))


def test_the_reversal_has_a_permit_and_a_marker_of_its_own() -> None:
    found = reversal_release(RELEASE)

    assert found.id == f"{RELEASE.id}-back"
    assert found.asking_gates == {"lightgate-command": timedelta(seconds=310)}
