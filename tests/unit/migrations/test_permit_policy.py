"""The decision over the whole space of observations."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lightgate.backup.backup import Backup, starts_before_the_deployment
from lightgate.backup.deploy_timing import DeployTiming, when_to_deploy
from lightgate.backup.snapshot import SnapshotState, SnapshotStatus
from lightgate.backup.timings import Timings
from lightgate.deployment.status import Status
from lightgate.gate.gate_report import Phase
from lightgate.migrations.permit import PermitState, VoidCause, pending
from lightgate.migrations.permit_policy import Decision, PermitAction, PermitInput, decide
from lightgate.migrations.plan import Plan
from lightgate.spec.database_kinds import BackupMode
from lightgate.spec.effect import Effect
from lightgate.spec.migration_policy import Policy
from lightgate.spec.time_limits import GRACE_SECONDS, NOTICE, WaitLimit, longest_limit

CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOOK = timedelta(seconds=10)
LIMIT, PATIENCE = timedelta(seconds=300), timedelta(seconds=900)
WAIT_LIMIT = WaitLimit(platform_patience=PATIENCE, limit=LIMIT, poll=LOOK)
BEGIN_BY = CREATED + PATIENCE - LIMIT
OLD = CREATED - timedelta(minutes=40)


def plan(effect: Effect, count: int | None = 1) -> Plan:
    return Plan(hash="p", count=count, effect=effect, breaking=["crops.0002: RemoveField crop.a"])


def state(status: SnapshotStatus, **more: Any) -> SnapshotState:
    return SnapshotState(status=status, detail=status.value.lower(), **more)


def backup(mode: BackupMode, found: SnapshotState | None = None, **more: Any) -> Backup:
    begun_at = CREATED - timedelta(seconds=60)
    there = found is not None and found.status is SnapshotStatus.AVAILABLE
    usual: dict[str, Any] = {
        "asked_at": begun_at,
        "begun_at": begun_at,
        "available_at": CREATED if there else None,
    }
    usual["time_limit"] = timedelta(seconds=600)
    return Backup(mode=mode, state=found, **{**usual, **more})


AVAILABLE = state(SnapshotStatus.AVAILABLE, at=CREATED)
GOOD = PermitInput(
    now=CREATED + timedelta(seconds=90),
    objection=None,
    not_yet=None,
    created_at=CREATED,
    status=Status.ACTIVATING,
    phase=Phase.WAITING,
    plan=plan(Effect.COMPATIBLE),
    permit=pending("r1"),
    policy=Policy.WARN,
    allow_destructive=False,
    backup=backup(BackupMode.ALWAYS, AVAILABLE),
    history=Timings(),
    wait_limit=WAIT_LIMIT,
    is_untouched=True,
)
PLANS = [
    None,
    plan(Effect.COMPATIBLE, 0),
    plan(Effect.COMPATIBLE),
    plan(Effect.DATA),
    plan(Effect.BREAKING),
    plan(Effect.UNKNOWN, None),
]
PERMITS = [
    pending("r1"),
    pending("r1").granted("p", BEGIN_BY),
    pending("r1").granted("q", BEGIN_BY),
    pending("r1").voided(VoidCause.TOO_LATE, "because"),
]
STATES = [None, *map(state, SnapshotStatus), AVAILABLE]
BACKUPS = [backup(mode, found) for mode in BackupMode for found in STATES]
POLICIES = [(Policy.WARN, False), (Policy.BLOCK, False), (Policy.BLOCK, True)]
WHY_NOT = [(None, None), ("its turn is over", None), (None, "Something comes first.")]
TIMES = [CREATED, BEGIN_BY - timedelta(seconds=20), BEGIN_BY + timedelta(days=9)]


def everything() -> Iterator[PermitInput]:
    for why_not, status, phase, told, permit, (policy, allow), restore, now in itertools.product(
        WHY_NOT, Status, Phase, PLANS, PERMITS, POLICIES, BACKUPS, TIMES
    ):
        yield PermitInput(
            now=now,
            objection=why_not[0],
            not_yet=why_not[1],
            created_at=CREATED,
            status=status,
            phase=phase,
            plan=told,
            permit=permit,
            policy=policy,
            allow_destructive=allow,
            backup=restore,
            history=GOOD.history,
            wait_limit=WAIT_LIMIT,
            is_untouched=True,
        )


HISTORIES = [
    Timings(),
    Timings(snapshots=[timedelta(seconds=100)]),
    Timings(snapshots=[timedelta(seconds=2000)]),
    Timings(snapshots=[timedelta(seconds=100)], unfinished=timedelta(seconds=200)),
]
MOMENTS = [CREATED - timedelta(minutes=9), CREATED - timedelta(minutes=40)]


def all_timings() -> Iterator[PermitInput]:
    """What else there is about a restore point of which it is a matter of time."""
    moments = list(itertools.product(MOMENTS, MOMENTS, [None, *MOMENTS, CREATED]))
    timed = [
        backup(mode, found, asked_at=asked_at, begun_at=begun_at, available_at=available_at)
        for mode in BackupMode
        for found in STATES
        for asked_at, begun_at, available_at in moments
    ]
    for restore, history, now, permit, why_not, untouched in itertools.product(
        timed, HISTORIES, TIMES, PERMITS, WHY_NOT, (True, False)
    ):
        yield replace(
            GOOD,
            backup=restore,
            history=history,
            now=now,
            permit=permit,
            objection=why_not[0],
            not_yet=why_not[1],
            is_untouched=untouched,
        )


type Decided = Sequence[tuple[PermitInput, Decision]]


@pytest.fixture(
    scope="module",
    params=[pytest.param(1, id="all", marks=pytest.mark.slow), pytest.param(11, id="some")],
)
def cases(request: pytest.FixtureRequest) -> Decided:
    """Whatever can be seen, and what is decided then; or one case of eleven.

    No list above has a multiple of eleven values, so all pairs of values are among these, too.
    """
    everywhere = itertools.chain(everything(), all_timings())
    return [(seen, decide(seen)) for seen in itertools.islice(everywhere, 0, None, request.param)]


def has_restore_point(seen: PermitInput) -> bool:
    mode, found = seen.backup.mode, seen.backup.state
    told = seen.plan
    is_harmless = told is not None and told.effect is Effect.COMPATIBLE and told.count is not None
    if mode is BackupMode.NONE or (mode is BackupMode.BY_RISK and is_harmless):
        return True
    is_there = found is not None and found.status is SnapshotStatus.AVAILABLE
    if mode is BackupMode.POINT_IN_TIME:
        return is_there and found is not None and found.at is not None and is_fresh(seen, found.at)
    since = seen.backup.available_at
    return is_there and (since is None or is_fresh(seen, since) or not seen.is_untouched)


def is_fresh(seen: PermitInput, since: datetime) -> bool:
    return seen.now - since <= timedelta(minutes=30)


def may_permit(seen: PermitInput) -> bool:
    """What must hold for a permit, said once more and in another way."""
    told = seen.plan
    return (
        seen.objection is None
        and seen.not_yet is None
        and seen.status is Status.ACTIVATING
        and seen.phase not in (Phase.FAILED, Phase.SUCCEEDED)
        and told is not None
        and told.count != 0
        and seen.permit.state is not PermitState.VOID
        and seen.permit.plan != told.hash
        and (seen.policy is not Policy.BLOCK or seen.allow_destructive or not breaks(told))
        and seen.now + LIMIT < CREATED + PATIENCE
        and has_restore_point(seen)
    )


def breaks(told: Plan) -> bool:
    return told.effect in (Effect.BREAKING, Effect.UNKNOWN)


def test_a_permit_is_given_only_if_everything_speaks_for_it(cases: Decided) -> None:
    permitted = 0
    for seen, decision in cases:
        assert decision.reason.endswith("."), decision
        if decision.action is PermitAction.PERMIT:
            permitted += 1
            assert may_permit(seen), seen
            assert seen.plan is not None
            assert (decision.plan, decision.until) == (seen.plan.hash, BEGIN_BY)
        else:
            assert decision.plan is None
            assert decision.until is None
    assert permitted > 100


def test_whatever_may_be_permitted_is_as_long_as_nothing_is_being_applied(cases: Decided) -> None:
    for seen, decision in cases:
        if may_permit(seen) and seen.phase is not Phase.APPLYING:
            assert decision.action is PermitAction.PERMIT, seen


def test_nothing_is_refused_or_given_up_that_needs_no_permit(cases: Decided) -> None:
    for seen, decision in cases:
        is_over = seen.objection or seen.phase is Phase.FAILED or seen.permit.reason
        if seen.plan and seen.plan.is_empty and not is_over and seen.status is Status.ACTIVATING:
            assert decision.action is PermitAction.NOTHING, seen


def test_no_gate_waits_after_the_end_of_its_deployment(cases: Decided) -> None:
    for seen, decision in cases:
        is_over = seen.objection or seen.status is not Status.ACTIVATING
        if is_over or seen.phase in (Phase.FAILED, Phase.SUCCEEDED):
            assert decision.action in (PermitAction.NOTHING, PermitAction.GIVE_UP), seen


def test_a_snapshot_is_begun_only_for_a_plan_that_could_still_be_permitted(cases: Decided) -> None:
    for seen, decision in cases:
        if decision.action is PermitAction.BACK_UP:
            assert may_permit(replace(seen, backup=backup(BackupMode.NONE))), seen
            found = seen.backup.state
            # Or it could not be begun yet, or is to be replaced.
            assert (
                found is None or found.status is SnapshotStatus.BUSY or not has_restore_point(seen)
            )
            assert found is None or found.status is not SnapshotStatus.CREATING


def test_a_refusal_stays_whatever_happens_to_the_restore_point(cases: Decided) -> None:
    for seen, decision in cases:
        if seen.policy is Policy.BLOCK and decision.action is PermitAction.REFUSE:
            other = replace(seen, backup=backup(BackupMode.NONE))
            refused_for_policy = seen.plan is not None and breaks(seen.plan)
            if refused_for_policy and not seen.allow_destructive:
                assert decide(other).action is PermitAction.REFUSE


def decided(**changes: Any) -> Decision:
    return decide(replace(GOOD, **changes))


def test_the_usual_case_is_permitted() -> None:
    assert decided() == Decision(
        action=PermitAction.PERMIT, reason="The plan p may be applied.", plan="p", until=BEGIN_BY
    )


@pytest.mark.parametrize(
    ("changes", "action", "words"),
    [
        ({"plan": None}, PermitAction.WAIT, "has not reported its plan"),
        (
            {"plan": plan(Effect.COMPATIBLE, 0), "backup": BACKUPS[0]},
            PermitAction.NOTHING,
            "pending",
        ),
        ({"not_yet": "The app comes first."}, PermitAction.WAIT, "The app comes first"),
        (
            {"not_yet": "The app comes first.", "now": BEGIN_BY},
            PermitAction.GIVE_UP,
            "platformPatienceSeconds",
        ),
        ({"objection": "r2 has its turn"}, PermitAction.GIVE_UP, "r2 has its turn"),
        ({"status": Status.FAILED}, PermitAction.GIVE_UP, "ended as FAILED"),
        ({"status": Status.ACTIVE}, PermitAction.NOTHING, "active"),
        ({"phase": Phase.SUCCEEDED}, PermitAction.NOTHING, "opened"),
        ({"permit": PERMITS[3]}, PermitAction.GIVE_UP, "because"),
        ({"permit": PERMITS[1]}, PermitAction.WAIT, "permitted"),
        ({"permit": PERMITS[2]}, PermitAction.PERMIT, "may be applied"),
        ({"permit": PERMITS[2], "phase": Phase.APPLYING}, PermitAction.WAIT, "being applied"),
        (
            {"permit": PERMITS[2], "plan": replace(plan(Effect.UNKNOWN), once=True)},
            PermitAction.WAIT,
            "Another node",
        ),
        (
            {"plan": plan(Effect.BREAKING), "policy": Policy.BLOCK},
            PermitAction.REFUSE,
            "crops.0002: RemoveField crop.a",
        ),
        (
            {"plan": replace(plan(Effect.UNKNOWN), breaking=()), "policy": Policy.BLOCK},
            PermitAction.REFUSE,
            "unknown",
        ),
        ({"plan": plan(Effect.BREAKING)}, PermitAction.PERMIT, "may be applied"),
        (
            {"now": BEGIN_BY - timedelta(seconds=10)},
            PermitAction.GIVE_UP,
            "platformPatienceSeconds",
        ),
        ({"backup": backup(BackupMode.ALWAYS)}, PermitAction.BACK_UP, "no restore point"),
        ({"backup": backup(BackupMode.WHEN_PENDING)}, PermitAction.BACK_UP, "no restore point"),
        (
            {
                "backup": backup(BackupMode.WHEN_PENDING),
                "history": Timings(snapshots=[timedelta(seconds=486)]),
            },
            PermitAction.GIVE_UP,
            "takes about 486 s",
        ),
        (
            {"backup": backup(BackupMode.ALWAYS, state(SnapshotStatus.FAILED))},
            PermitAction.REFUSE,
            "ended as failed",
        ),
        (
            {"backup": backup(BackupMode.ALWAYS, state(SnapshotStatus.CREATING))},
            PermitAction.WAIT,
            "creating",
        ),
        (
            {
                "backup": backup(
                    BackupMode.ALWAYS,
                    state(SnapshotStatus.BUSY),
                    asked_at=CREATED - timedelta(seconds=600),
                )
            },
            PermitAction.REFUSE,
            r"database.timeoutSeconds \(600\)",
        ),
        (
            {"backup": backup(BackupMode.ALWAYS, state(SnapshotStatus.BUSY))},
            PermitAction.BACK_UP,
            "could be started yet: busy",
        ),
        (
            {"backup": backup(BackupMode.ALWAYS, AVAILABLE, available_at=OLD)},
            PermitAction.BACK_UP,
            "older than 30 minutes",
        ),
        (
            {
                "backup": backup(BackupMode.ALWAYS, AVAILABLE, available_at=OLD),
                "history": Timings(snapshots=[timedelta(seconds=2000)]),
            },
            PermitAction.GIVE_UP,
            "takes about 2000 s",
        ),
        (
            {
                "backup": backup(BackupMode.ALWAYS, AVAILABLE, available_at=OLD),
                "is_untouched": False,
            },
            PermitAction.PERMIT,
            "may be applied",
        ),
        (
            {
                "wait_limit": replace(WAIT_LIMIT, platform_patience=timedelta(hours=12)),
                "now": CREATED + timedelta(minutes=58),
            },
            PermitAction.GIVE_UP,
            "58 minutes ago",
        ),
        ({"backup": backup(BackupMode.POINT_IN_TIME)}, PermitAction.BACK_UP, "unknown so far"),
        (
            {"backup": backup(BackupMode.POINT_IN_TIME, state(SnapshotStatus.FAILED))},
            PermitAction.REFUSE,
            "no point-in-time restore",
        ),
        (
            {
                "backup": backup(
                    BackupMode.POINT_IN_TIME,
                    state(SnapshotStatus.AVAILABLE, at=CREATED - timedelta(minutes=40)),
                )
            },
            PermitAction.REFUSE,
            "11:20 UTC",
        ),
    ],
)
def test_each_case_says_what_and_why(
    changes: dict[str, Any], action: PermitAction, words: str
) -> None:
    decision = decided(**changes)

    assert decision.action is action
    assert words.replace("\\", "") in decision.reason


# When the deployment may be created

CREATING = state(SnapshotStatus.CREATING)
KNOWN = Timings(snapshots=[timedelta(seconds=180)], node_starts=[timedelta(seconds=90)])


def starts(mode: BackupMode, found: SnapshotState | None, history: Timings, after: float) -> bool:
    begun = CREATED
    return when_to_deploy(
        backup(mode, found, begun_at=begun), history, begun + timedelta(seconds=after), WAIT_LIMIT
    ).now


def test_the_first_release_is_sequential() -> None:
    for history in (Timings(), Timings(node_starts=KNOWN.node_starts)):
        assert not any(starts(BackupMode.ALWAYS, CREATING, history, s) for s in (0, 90, 900))
        assert starts(BackupMode.ALWAYS, AVAILABLE, history, 0)


def test_the_node_starts_at_once_if_a_late_snapshot_is_still_in_time() -> None:
    for after in (0, 80, 180):
        assert starts(BackupMode.ALWAYS, CREATING, KNOWN, after)
    assert starts(BackupMode.ALWAYS, CREATING, replace(KNOWN, node_starts=[]), 0)


@pytest.mark.parametrize("snapshot", [180, 300])
def test_the_node_starts_as_late_as_it_can_if_a_late_snapshot_would_be_too_late(
    snapshot: int,
) -> None:
    limit = (
        WAIT_LIMIT.platform_patience - WAIT_LIMIT.poll - NOTICE - timedelta(seconds=snapshot * 1.25)
    )
    tight = replace(WAIT_LIMIT, limit=limit)
    history = replace(KNOWN, snapshots=[timedelta(seconds=snapshot)])

    def timing(after: float) -> DeployTiming:
        seen = backup(BackupMode.ALWAYS, CREATING, begun_at=CREATED)
        return when_to_deploy(seen, history, CREATED + timedelta(seconds=after), tight)

    first = timing(0)
    assert not first.now
    # As soon as it would be in time, but not later than so that the node is ready with it.
    at = min(snapshot * 0.25, snapshot - 90)
    assert first.again == timedelta(seconds=at)
    assert timing(at).now
    assert not timing(at - 11).now


def test_a_snapshot_that_takes_longer_than_any_before_is_waited_for() -> None:
    assert not starts(BackupMode.ALWAYS, CREATING, KNOWN, 181)


@pytest.mark.parametrize(("percent", "now"), [(0, True), (1, False), (50, True), (99, True)])
def test_a_percentage_only_delays(percent: int, now: bool) -> None:
    assert starts(BackupMode.ALWAYS, replace(CREATING, percent=percent), KNOWN, 90) is now


def test_what_waits_for_nothing_starts_at_once() -> None:
    for mode in (
        BackupMode.NONE,
        BackupMode.POINT_IN_TIME,
        BackupMode.WHEN_PENDING,
        BackupMode.BY_RISK,
    ):
        assert starts(mode, None, Timings(), 0)


@pytest.mark.parametrize("effect", Effect)
def test_by_risk_takes_a_snapshot_unless_the_whole_plan_is_known_to_be_compatible(
    effect: Effect,
) -> None:
    seen = replace(GOOD, plan=plan(effect), backup=backup(BackupMode.BY_RISK))
    is_risky = effect is not Effect.COMPATIBLE

    assert decide(seen).action is (PermitAction.BACK_UP if is_risky else PermitAction.PERMIT)


@pytest.mark.parametrize(
    "changed",
    [
        {"count": None},
        {"counts": {Effect.COMPATIBLE: 3, Effect.DATA: 1}},
        {"counts": {Effect.COMPATIBLE: 3, Effect.UNKNOWN: 1}},
    ],
)
def test_by_risk_takes_a_snapshot_if_a_part_of_the_plan_is_not_told(changed: Any) -> None:
    told = replace(plan(Effect.COMPATIBLE), **changed)

    assert decide(replace(GOOD, plan=told, backup=backup(BackupMode.BY_RISK))).action is (
        PermitAction.BACK_UP
    )


def test_nothing_starts_on_a_snapshot_that_is_not_being_made() -> None:
    for found in (None, state(SnapshotStatus.BUSY), state(SnapshotStatus.FAILED)):
        assert not starts(BackupMode.ALWAYS, found, KNOWN, 90)


def test_a_snapshot_begun_before_is_waited_for_when_it_is_pending_too() -> None:
    assert not starts(BackupMode.WHEN_PENDING, CREATING, Timings(), 10)
    assert starts(BackupMode.WHEN_PENDING, CREATING, KNOWN, 10)


def test_a_snapshot_longer_than_the_wait_limit_comes_before_the_deployment() -> None:
    tight = WaitLimit(
        platform_patience=PATIENCE, limit=timedelta(seconds=790), poll=timedelta(seconds=60)
    )
    slow = Timings(snapshots=[timedelta(seconds=400)], node_starts=[timedelta(seconds=40)])

    for after in range(0, 370, 10):
        now = CREATED + timedelta(seconds=after)
        seen = backup(BackupMode.ALWAYS, CREATING, begun_at=CREATED)
        assert not when_to_deploy(seen, slow, now, tight).now


# From release to release


@dataclass(frozen=True, slots=True)
class Takes:
    snapshot: timedelta
    node: timedelta


class App:
    """Releases with something pending, one after the other, of which each takes as long."""

    def __init__(
        self, mode: BackupMode, wait_limit: WaitLimit, history: Timings, takes: Takes
    ) -> None:
        self.mode, self.wait_limit, self.history, self.takes = mode, wait_limit, history, takes

    def release(self) -> bool:
        """Whether its plan is permitted in the end."""
        now, created_at, begun_at, node_start = CREATED, None, None, None
        if starts_before_the_deployment(self.mode, self.history, self.wait_limit):
            begun_at = now
        while True:
            restore = self._restore_point(begun_at, now)
            if created_at is None:
                if when_to_deploy(restore, self.history, now, self.wait_limit).now:
                    created_at = now
            else:
                is_ready = now - created_at >= self.takes.node
                node_start = node_start or (now - created_at if is_ready else None)
                seen = replace(
                    GOOD,
                    now=now,
                    created_at=created_at,
                    plan=GOOD.plan if is_ready else None,
                    backup=restore,
                    history=self.history,
                    wait_limit=self.wait_limit,
                )
                action = decide(seen).action
                if action is PermitAction.BACK_UP:
                    begun_at = now
                elif action is not PermitAction.WAIT:
                    self._remember(begun_at, now, node_start)
                    return action is PermitAction.PERMIT
            now += self.wait_limit.poll

    def _restore_point(self, begun_at: datetime | None, now: datetime) -> Backup:
        if begun_at is None:
            return backup(self.mode, time_limit=timedelta(days=1))
        there = now - begun_at >= self.takes.snapshot
        found = AVAILABLE if there else CREATING
        return backup(
            self.mode,
            found,
            asked_at=begun_at,
            begun_at=begun_at,
            available_at=begun_at + self.takes.snapshot if there else None,
            time_limit=timedelta(days=1),
        )

    def _remember(
        self, begun_at: datetime | None, now: datetime, node_start: timedelta | None
    ) -> None:
        known, took = self.history, now - begun_at if begun_at else None
        ended = took is not None and took >= self.takes.snapshot
        self.history = Timings(
            snapshots=[*known.snapshots, self.takes.snapshot][-5:] if ended else known.snapshots,
            node_starts=[*known.node_starts, *([node_start] if node_start else [])][-5:],
            unfinished=known.unfinished if ended or took is None else took,
        )


def some_seconds(least: int, most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(least, most).map(lambda count: timedelta(seconds=count))


@given(
    mode=st.sampled_from([BackupMode.ALWAYS, BackupMode.WHEN_PENDING]),
    look=some_seconds(5, 60),
    platform_patience=some_seconds(900, 12 * 3600),
    limit=some_seconds(10, 12 * 3600),
    snapshots=st.lists(some_seconds(0, 7200), max_size=5),
    node_starts=st.lists(some_seconds(0, 600), max_size=5),
    unfinished=st.none() | some_seconds(0, 7200),
    snapshot=some_seconds(0, 7200),
    node=some_seconds(1, 120),
)
def test_a_wrong_forecast_costs_at_most_one_release(
    mode: BackupMode,
    look: timedelta,
    platform_patience: timedelta,
    limit: timedelta,
    snapshots: list[timedelta],
    node_starts: list[timedelta],
    unfinished: timedelta | None,
    snapshot: timedelta,
    node: timedelta,
) -> None:
    assume(limit <= longest_limit(platform_patience, look))
    history = Timings(snapshots=snapshots, node_starts=node_starts, unfinished=unfinished)
    wait_limit = WaitLimit(
        platform_patience=platform_patience,
        limit=limit + timedelta(seconds=GRACE_SECONDS),
        poll=look,
    )
    app = App(mode, wait_limit, history, Takes(snapshot, node))

    assert [app.release() for _ in range(7)].count(False) <= 1


def test_the_age_of_a_snapshot_counts_no_outage() -> None:
    aged = replace(GOOD.backup, available_at=GOOD.now - timedelta(minutes=33))

    old = decide(replace(GOOD, backup=aged))
    after_an_outage = decide(replace(GOOD, backup=replace(aged, outage=timedelta(minutes=5))))

    assert old.action is PermitAction.BACK_UP
    assert after_an_outage.action is PermitAction.PERMIT


def test_an_outage_does_not_extend_the_platforms_time_limit() -> None:
    late = replace(GOOD, now=BEGIN_BY, outage=timedelta(seconds=320))

    decision = decide(late)

    assert decision.action is PermitAction.GIVE_UP
    assert "AWS refused calls for 320 s: start the release again." in decision.reason
    assert "AWS" not in decide(replace(late, outage=timedelta())).reason


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        (
            {
                "backup": backup(
                    BackupMode.ALWAYS, state(SnapshotStatus.CREATING), time_limit=9 * PATIENCE
                )
            },
            "The snapshot is not available yet: creating.",
        ),
        (
            {
                "backup": backup(
                    BackupMode.ALWAYS, state(SnapshotStatus.BUSY), time_limit=9 * PATIENCE
                )
            },
            "No snapshot could be started yet: busy.",
        ),
        ({"not_yet": "The app is not active yet."}, "The app is not active yet."),
    ],
)
def test_a_permit_that_came_too_late_says_what_it_waited_for(
    missing: dict[str, Any], why: str
) -> None:
    decision = decide(replace(GOOD, now=BEGIN_BY, **missing))

    assert decision.action is PermitAction.GIVE_UP
    assert decision.reason.startswith(f"{why} A migration may take ")
    assert decide(replace(GOOD, now=BEGIN_BY)).reason.startswith("A migration may take ")


def test_the_advice_fits_into_a_late_permit() -> None:
    making = SnapshotState(status=SnapshotStatus.CREATING, detail="d" * 2000)
    late = replace(
        GOOD,
        now=BEGIN_BY,
        outage=timedelta(seconds=200),
        backup=backup(BackupMode.ALWAYS, making),
    )

    permit = pending("r1").voided(VoidCause.TOO_LATE, decide(late).reason)

    assert (permit.reason or "").endswith("start the release again.")


@pytest.mark.parametrize("late", [timedelta(), timedelta(hours=2)])
def test_the_rds_detail_of_a_busy_database_ends_with_one_period(late: timedelta) -> None:
    busy = SnapshotState(status=SnapshotStatus.BUSY, detail="Not now. Its status is modifying.")

    decision = decide(replace(GOOD, now=GOOD.now + late, backup=backup(BackupMode.ALWAYS, busy)))

    assert "Its status is modifying." in decision.reason
    assert ".." not in decision.reason
