"""What a release with pending migrations may claim, for every way in which its gates can end."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from lightgate.deployment.status import Status
from lightgate.gate.report_reader import later, read_gate_report
from lightgate.migrations.compatibility import Judgement, Verdict, judge_gates, judge_plan, together
from lightgate.migrations.plan import read_plans
from lightgate.outcome.conclude import conclude
from lightgate.outcome.outcome import Conclusion, Outcome
from lightgate.release.release import Release, ReleaseKind
from lightgate.rollback.version_history import (
    applied_judgement,
    applied_nothing,
    may_have_begun,
    planned_judgement,
)
from lightgate.state import DeploymentProgress
from lightgate.verification.health import WatchProgress, WatchStatus
from lightgate.verification.verified import Verified
from tests.support.builders import (
    RELEASE,
    STARTED,
    admitted,
    deployment,
    ending,
    gate_line,
    progress,
    seconds,
    service,
)

type Event = tuple[str, dict[str, Any]]

EFFECTS = {
    "compatible": Verdict.SAFE,
    "data": Verdict.UNKNOWN,
    "breaking": Verdict.ONE_WAY,
    "unknown": Verdict.UNKNOWN,
}
NAME = "crops.0005_x"
WAITS_FOR_PERMIT: Event = ("waiting", {"for": ["permit"]})
WAITS_FOR_LOCK: Event = ("waiting", {"for": ["lock"]})
PERMITTED: Event = ("permitted", {})
LOCKED: Event = ("locked", {})
BEGUN: Event = ("applying", {})
APPLYING: Event = ("applying", {"migration": NAME})
APPLIED: Event = ("applied", {"migration": NAME, "seconds": 0.5})
STOPPED: Event = ("stopped", {})
NOTHING_LEFT: Event = ("plan", {"hash": "none", "count": 0, "class": "compatible", "atomic": True})


def failed(cause: str, database: str | None = "unchanged", **more: Any) -> Event:
    return ("failed", {"cause": cause, "error": "boom", "database": database, **more})


def undone(cause: str, database: str | None) -> Event:
    """The end of a command that was begun."""
    return failed(cause, database, migration=NAME, beganAt="2026-11-16T01:56:02Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What one gate has reported after its plan, and what is true of it.

    `begins` says that it shows a beginning. `left` is what it has left in the database: "nothing"
    if it shows that, "a part" or "all" of its plan, each migration of which is whole, and "open"
    if it does not show how it ended.
    """

    events: Sequence[Event]
    begins: bool
    left: str
    tells_plan: bool = True

    @property
    def claims_damage(self) -> bool:
        """Whether it says that something was begun, before or by another node."""
        return any(more.get("database") == "not known" for _, more in self.events)


def waits(*events: Event, left: str = "open", tells_plan: bool = True) -> Trace:
    return Trace(events=events, begins=False, left=left, tells_plan=tells_plan)


def begins(*events: Event, left: str) -> Trace:
    return Trace(events=(LOCKED, BEGUN, APPLYING, *events), begins=True, left=left)


TRACES: Mapping[str, Trace] = {
    "silent": waits(tells_plan=False),
    "waits for the database": waits(("database", {"state": "down"}), tells_plan=False),
    "plans": waits(),
    "waits for its permit": waits(WAITS_FOR_PERMIT),
    "is permitted": waits(WAITS_FOR_PERMIT, PERMITTED),
    "waits for the lock": waits(WAITS_FOR_LOCK),
    "is locked": waits(LOCKED),
    "stopped while it starts": waits(STOPPED, left="nothing", tells_plan=False),
    "stopped while it waits for its permit": waits(WAITS_FOR_PERMIT, STOPPED, left="nothing"),
    "stopped while it waits for the lock": waits(WAITS_FOR_LOCK, STOPPED, left="nothing"),
    "preflight failed": waits(failed("preflight", None), left="nothing", tells_plan=False),
    "pending command timed out": waits(failed("timeout", None), left="nothing", tells_plan=False),
    "helper crashed": waits(failed("django", None), left="nothing"),
    "helper lost before the command": waits(failed("lock"), left="nothing"),
    "not free after": waits(WAITS_FOR_LOCK, failed("lock"), left="nothing"),
    "database lost": waits(failed("database"), left="nothing"),
    "refused by policy": waits(("refused", {}), failed("refused"), left="nothing"),
    "permit void": waits(WAITS_FOR_PERMIT, failed("permit"), left="nothing"),
    "permit expired": waits(WAITS_FOR_PERMIT, PERMITTED, failed("permit"), left="nothing"),
    "mailbox out of reach": waits(WAITS_FOR_PERMIT, failed("mailbox"), left="nothing"),
    "attempt failed before": waits(failed("attempt"), left="nothing"),
    "attempt never ended": waits(failed("attempt", "not known"), left="open"),
    "begins": begins(left="open"),
    "begins and another node waits": begins(WAITS_FOR_LOCK, left="open"),
    "begins and another node fails": begins(WAITS_FOR_LOCK, failed("lock"), left="open"),
    "begins and another node is stopped": begins(STOPPED, left="open"),
    "time limit, unchanged": begins(undone("timeout", "unchanged"), left="nothing"),
    "time limit, not known": begins(undone("timeout", "not known"), left="open"),
    "time limit, nobody looks": begins(undone("timeout", None), left="open"),
    "time limit, part-way": begins(APPLIED, undone("timeout", "part-way"), left="a part"),
    "killed, unchanged": begins(undone("signal", "unchanged"), left="nothing"),
    "killed, not known": begins(undone("signal", "not known"), left="open"),
    "database lock, unchanged": begins(undone("exit", "unchanged"), left="nothing"),
    "exits, not known": begins(undone("exit", "not known"), left="open"),
    "exits, part-way": begins(APPLIED, undone("exit", "part-way"), left="a part"),
    "fails and is launched again": begins(
        undone("exit", "unchanged"), failed("attempt"), left="nothing"
    ),
    "succeeds": begins(APPLIED, ("succeeded", {"migrations": [NAME]}), left="all"),
    "succeeds and is launched again": begins(
        APPLIED, ("succeeded", {"migrations": [NAME]}), NOTHING_LEFT, ("succeeded", {}), left="all"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Permits:
    """What the controller knows of the permits. `may_begin` is what follows from that alone."""

    asks: bool
    flags: Mapping[str, Any]
    may_begin: bool


PERMITS: Mapping[str, Permits] = {
    "never granted": Permits(asks=True, flags={"permitted": False}, may_begin=False),
    "refused": Permits(
        asks=True, flags={"permitted": False, "refusal": "The policy forbids it."}, may_begin=False
    ),
    "granted": Permits(asks=True, flags={"permitted": True}, may_begin=True),
    "unreadable": Permits(
        asks=True, flags={"permitted": False, "unknown": ("S3 did not answer.",)}, may_begin=True
    ),
    "sequential": Permits(asks=False, flags={"permitted": False}, may_begin=True),
}


def lines_of(trace: Trace, effect: str, gate: str = "migrate") -> list[str]:
    plan = {"hash": "p", "count": 1, "class": effect, "atomic": True}
    plan["migrations"] = [{"name": NAME, "operations": [[effect, "AddField", "crop.x"]]}]
    told = [("plan", plan), *trace.events] if trace.tells_plan else trace.events
    return [
        gate_line(kind, gate, at=(STARTED + timedelta(seconds=number)).isoformat(), **more)
        for number, (kind, more) in enumerate(told)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A release whose deployment has ended, while version 7 goes on serving and answers well."""

    release: Release
    state: DeploymentProgress

    @property
    def verdict(self) -> Verdict:
        return planned_judgement(self.release, self.state).verdict

    @property
    def listed_records(self) -> Judgement:
        return applied_judgement(self.release, self.state)

    def conclusion(self, earlier: Judgement | None = None) -> Conclusion:
        return conclude(
            ending(
                status=self.state.status,
                service=service(current=deployment(7), deployments=[deployment(8, "FAILED")]),
                evidence=self.state.gate,
                refusal=self.state.refusal,
                may_have_begun=may_have_begun(self.release, self.state),
                judgement=planned_judgement(self.release, self.state),
                earlier=earlier or Judgement(verdict=Verdict.NONE),
                verified=Verified(
                    status=WatchStatus.GOOD,
                    version=7,
                    watch=WatchProgress(began_at=STARTED, total=3),
                ),
            )
        )


def ended(
    lines: Mapping[str, Sequence[str]],
    permits: Permits,
    status: Status = Status.FAILED,
    **changes: Any,
) -> Ended:
    """As CheckDeployment leaves it when the deployment has ended."""
    asking = {gate: seconds(300) for gate in lines} if permits.asks else {}
    release = admitted(gates=tuple(lines), asking_gates=asking, **changes)
    plans = {gate: read_plans(RELEASE, gate, found) for gate, found in lines.items()}
    told = {gate: together(map(judge_plan, found)) for gate, found in plans.items() if found}
    state = progress(
        status=status,
        gate=read_gate_report(RELEASE, lines),
        judgement=judge_gates(lines, told, has_database=True),
        pending=any(not plan.is_empty for found in plans.values() for plan in found),
        **permits.flags,
    )
    return Ended(release=release, state=state)


type Case = tuple[Ended, Verdict]


def every(holds: Callable[[Trace, Permits], bool]) -> pytest.MarkDecorator:
    """Every trace with every state of the permits that it can go with, and of which this holds."""
    found = [
        pytest.param(trace, permits, id=f"{name}, {how}")
        for (name, trace), (how, permits) in itertools.product(TRACES.items(), PERMITS.items())
        # Without a permit no gate begins anything.
        if (permits.may_begin or not trace.begins) and holds(trace, permits)
    ]
    return pytest.mark.parametrize(("trace", "permits"), found)


EVERY = every(lambda _trace, _permits: True)


def each(trace: Trace, permits: Permits, status: Status = Status.FAILED) -> Iterator[Case]:
    """The release for each kind of plan, with the plan's own verdict."""
    for effect, own in EFFECTS.items():
        yield ended({"migrate": lines_of(trace, effect)}, permits, status), own


@EVERY
def test_a_pending_plan_is_never_called_nothing(trace: Trace, permits: Permits) -> None:
    for status in (Status.FAILED, Status.OVERDUE, Status.ACTIVE):
        for found, _ in each(trace, permits, status):
            assert found.verdict is not Verdict.NONE
            assert trace.tells_plan or found.verdict is Verdict.UNKNOWN


@EVERY
def test_a_plan_keeps_its_own_verdict_unless_its_command_was_stopped(
    trace: Trace, permits: Permits
) -> None:
    causes = [more.get("cause") for kind, more in trace.events if kind == "failed"]
    was_stopped = trace.begins and (not causes or causes[0] in ("timeout", "signal"))
    for found, own in each(trace, permits):
        is_unsure = own is Verdict.SAFE and was_stopped and trace.left != "all"
        expected = Verdict.UNKNOWN if is_unsure or not trace.tells_plan else own
        assert found.verdict is expected


@every(lambda trace, _permits: trace.left == "nothing")
def test_a_release_that_applied_nothing_is_refused_or_rolled_back(
    trace: Trace, permits: Permits
) -> None:
    for found, _ in each(trace, permits):
        conclusion = found.conclusion()
        said = " ".join(conclusion.reasons)
        assert conclusion.outcome in (Outcome.ROLLED_BACK, Outcome.REFUSED)
        assert "may not be able to" not in said
        assert "Nobody knows whether version" not in said


@every(lambda trace, permits: trace.left == "open" and permits.may_begin)
def test_a_gate_that_may_be_in_the_middle_of_its_plan_is_never_a_rollback(
    trace: Trace, permits: Permits
) -> None:
    for found, _ in each(trace, permits):
        assert found.conclusion().outcome is Outcome.FAILED
        assert not applied_nothing(found.release, found.state)


@EVERY
def test_only_what_may_be_applied_stands_against_the_next_release(
    trace: Trace, permits: Permits
) -> None:
    void = lines_of(TRACES["permit void"], "breaking")
    following = ended({"migrate": void}, PERMITS["never granted"])
    for found, own in each(trace, permits):
        outcome = following.conclusion(found.listed_records).outcome
        if not permits.may_begin and not trace.claims_damage:
            assert found.listed_records == Judgement(verdict=Verdict.NONE)
            assert outcome is Outcome.ROLLED_BACK
        elif trace.left in ("open", "all") and own is Verdict.ONE_WAY and trace.tells_plan:
            assert found.listed_records.verdict is Verdict.ONE_WAY
            assert outcome is Outcome.FAILED


def test_a_part_that_is_found_additive_is_all_that_stands_against_the_version_before() -> None:
    part = undone("timeout", "part-way")
    trace = begins(APPLIED, (part[0], {**part[1], "effect": "compatible"}), left="a part")

    found = ended({"migrate": lines_of(trace, "breaking")}, PERMITS["granted"])

    assert found.verdict is Verdict.ONE_WAY
    assert found.listed_records.verdict is Verdict.SAFE
    assert found.conclusion().outcome is Outcome.ROLLED_BACK


# It has opened, waits for the first, or has given up because of the first.
SECOND: Sequence[Sequence[Event]] = (
    (NOTHING_LEFT, ("succeeded", {})),
    (NOTHING_LEFT, ("waiting", {"for": ["migrate"]})),
    (failed("dependency", None),),
)


@EVERY
def test_a_gate_with_nothing_pending_says_nothing_of_the_one_beside_it(
    trace: Trace, permits: Permits
) -> None:
    for events in SECOND:
        other = Trace(events=events, begins=False, left="nothing", tells_plan=False)
        lines = {
            "migrate": lines_of(trace, "breaking"),
            "archive": lines_of(other, "compatible", "archive"),
        }

        found = ended(lines, permits)

        assert found.verdict is (Verdict.ONE_WAY if trace.tells_plan else Verdict.UNKNOWN)
        if trace.left == "open" and permits.may_begin:
            assert found.conclusion().outcome is Outcome.FAILED
        if not permits.may_begin and not trace.claims_damage:
            assert found.conclusion().outcome in (Outcome.ROLLED_BACK, Outcome.REFUSED)


@pytest.mark.parametrize("permits", [one for one in PERMITS.values() if one.asks])
def test_a_persons_command_that_is_refused_or_stopped_is_never_nothing(permits: Permits) -> None:
    trace = waits(WAITS_FOR_PERMIT, failed("permit"), left="nothing")
    lines = {"lightgate-command": lines_of(trace, "unknown", "lightgate-command")}

    found = ended(lines, permits, command=("python", "manage.py", "check"))

    assert found.release.kind is ReleaseKind.COMMAND
    assert found.verdict is Verdict.UNKNOWN


def test_a_rollback_applies_nothing_whatever_is_pending_for_its_code() -> None:
    trace = waits(failed("schema"), left="nothing")

    found = ended({"migrate": lines_of(trace, "breaking")}, PERMITS["sequential"], rollback_to=5)

    assert found.verdict is found.listed_records.verdict is Verdict.NONE
    assert applied_nothing(found.release, found.state)


@pytest.mark.parametrize(
    "before", [name for name, one in TRACES.items() if one.begins and one.left != "nothing"]
)
def test_a_beginning_that_was_seen_once_is_not_forgotten_when_its_lines_are_gone(
    before: str,
) -> None:
    first = read_gate_report(RELEASE, {"migrate": lines_of(TRACES[before], "breaking")})
    for trace in (one for one in TRACES.values() if not one.begins):
        second = read_gate_report(RELEASE, {"migrate": lines_of(trace, "breaking")})

        found = later(second, first)

        assert found.has_begun
        assert found.changed is True
        assert found.failure is None or found.failure.database != "unchanged"
