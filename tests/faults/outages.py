"""A whole service that does not answer for ten minutes, beginning at any state of a release."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from botocore.awsrequest import AWSResponse

from tests.faults.executions import Execution, StoppedError
from tests.faults.runs import RUNS
from tests.faults.scenarios import Scenario
from tests.faults.stack import ROOT
from tests.faults.wire import Answer, Call, refusal, unreached
from tests.faults.world import World

_LASTS = timedelta(minutes=10)
_CONNECTING_TAKES = 3
_RECONCILES_AFTER = timedelta(minutes=15)

type Act = Callable[[World, "Outage"], str]


class Outage:
    """For ten minutes the service refuses all calls, or is not reached, once it has begun."""

    def __init__(self, world: World, service: str, *, is_reached: bool) -> None:
        self._world, self._service, self._is_reached = world, service, is_reached
        self._began: datetime | None = None
        world.account.wire.fault = self
        world.account.is_out = self.is_out

    def begin(self, after: timedelta = timedelta()) -> None:
        self._began = self._began or self._world.clock.now() + after

    def is_out(self, service: str) -> bool:
        if service != self._service or self._began is None:
            return False
        return timedelta() <= self._world.clock.now() - self._began < _LASTS

    @property
    def has_begun(self) -> bool:
        return self._began is not None

    def __call__(self, call: Call, answer: Answer) -> AWSResponse:
        if not self.is_out(call.service):
            return answer()
        if self._is_reached:
            return refusal(call, 503, "ServiceUnavailable", "The service is unavailable.")
        self._world.clock.sleep(_CONNECTING_TAKES)
        raise unreached(call)


def _at_state(run: str, column: str, world: World, outage: Outage) -> str:
    """The run, with an outage that begins when the state is entered for the n-th time."""
    state, _, number = column.partition(" ")
    left = int(number or 1)

    def before(execution: Execution) -> None:
        nonlocal left
        left -= execution.state == state
        if left == 0:
            outage.begin()

    world.executions.before_state = before
    return RUNS[run].act(world)


def _before_the_event(world: World, outage: Outage) -> str:
    """The push comes two minutes after the outage has begun."""
    outage.begin()
    world.clock.sleep(120)
    return RUNS["good"].act(world)


def _stopped(world: World, outage: Outage) -> str:
    """The execution is stopped, and CleanUp is told of it."""

    def before(execution: Execution) -> None:
        if execution.state == "CheckDeployment" and not outage.has_begun:
            outage.begin()
            raise StoppedError

    world.executions.before_state = before
    return RUNS["good"].act(world)


def _missed(world: World, outage: Outage) -> str:
    """Reconcile would find a push of which no event came."""
    outage.begin(after=_RECONCILES_AFTER - timedelta(minutes=1))
    return RUNS["missed push"].act(world)


def _abandoned(world: World, outage: Outage) -> str:
    """Reconcile would find a release whose end had no event. Then comes the next push."""
    outage.begin(after=_RECONCILES_AFTER - timedelta(minutes=1))
    world.reconcile()
    return RUNS["take-over"].act(world)


# Each run, its end without an outage, and the states at which outages begin. A number says
# which entry of the state it is.
_STATES = {
    ("good", "SUCCEEDED"): (
        "Admit",
        "TakeSnapshot",
        "Deploy",
        "CheckDeployment",
        "CheckDeployment 2",
        "VerifyRelease",
        "RecordOutcome",
        "StartNext",
        "PublishOutcome",
        "MarkMessageSent",
        "PruneSnapshots",
    ),
    ("failed migration", "ROLLED_BACK"): (
        "CheckDeployment",
        "CheckDeployment 2",
        "PublishFailedMigration",
        "VerifyRelease",
        "RecordOutcome",
        "PublishOutcome",
    ),
    ("failed watch", "ROLLED_BACK"): ("VerifyRelease", "RollBack", "RollBack 3", "RecordOutcome"),
    ("rollback by hand", "SUCCEEDED"): (
        "Admit",
        "CheckSnapshot",
        "Deploy",
        "CheckDeployment",
        "RecordOutcome",
    ),
}
# The run that is prepared, what then happens, and how the release may end.
_OTHER_MOMENTS: dict[str, tuple[str, Act, Sequence[str]]] = {
    "before the event": ("good", _before_the_event, ("SUCCEEDED", "FAILED")),
    "stopped": ("good", _stopped, ("FAILED",)),
    "missed push": ("missed push", _missed, ("SUCCEEDED", "FAILED")),
    "abandoned": ("take-over", _abandoned, ("SUCCEEDED", "FAILED")),
}
# No run here has something to report at its start. PublishUndetermined comes only after an outage
# that RecordOutcome does not survive.
_NOT_STRUCK = {"PublishStart", "PublishUndetermined"}
# From these states on an outage of the service changes nothing about how a release ends.
_NEEDED_NO_MORE = {"sns": "Admit", "s3": "VerifyRelease", "rds": "VerifyRelease"}
_ORDER = (
    *("Admit", "TakeSnapshot", "CheckSnapshot", "Deploy", "CheckDeployment"),
    *(
        "PublishFailedMigration",
        "VerifyRelease",
        "RollBack",
        "RecordOutcome",
        "StartNext",
        "PublishOutcome",
        "MarkMessageSent",
        "PruneSnapshots",
    ),
)
_MAIN = ("s3", "dynamodb", "sns", "lightsail", "rds")
# These are called in a few steps only.
_OTHERS = {
    "ssm": ("Admit", "Deploy", "VerifyRelease"),
    "secrets-manager": ("Admit", "Deploy"),
    "ecr": ("Admit", "Deploy"),
    "sts": ("Deploy",),
    "sfn": ("Admit", "StartNext"),
}
_SLICE = {
    ("dynamodb", "good, CheckDeployment"),
    ("s3", "failed migration, CheckDeployment"),
    ("lightsail", "failed watch, RollBack"),
    ("sns", "good, PublishOutcome"),
    ("sfn", "stopped"),
    ("ssm", "missed push"),
}


def scenarios(is_slice: bool) -> Sequence[Scenario]:
    found = [
        each
        for each in (*_of_states(), *_of_other_moments())
        if not is_slice or (each.row, each.column) in _SLICE
    ]
    assert not is_slice or len(found) == len(_SLICE)
    return found


def _of_states() -> Iterator[Scenario]:
    struck = {column.partition(" ")[0] for columns in _STATES.values() for column in columns}
    machine = json.loads((ROOT / "statemachine" / "release.asl.json").read_text())["States"]
    tasks = {name for name, state in machine.items() if state["Type"] == "Task"}
    assert struck | _NOT_STRUCK == tasks, "a task has no outage, or an outage has no task"
    for (run, calm), columns in _STATES.items():
        for turn, column in enumerate(columns):
            for service in (*_MAIN, *(_OTHERS if run == "good" else ())):
                if service in _MAIN or column in _OTHERS[service]:
                    yield _scenario(
                        service,
                        f"{run}, {column}",
                        run,
                        partial(_at_state, run, column),
                        is_reached=turn % 2 == 0,
                        ends=_ends(service, column.partition(" ")[0], calm),
                    )


def _ends(service: str, state: str, calm: str) -> Sequence[str]:
    """How the release may end if the outage begins there."""
    needed_no_more = _NEEDED_NO_MORE.get(service, "StartNext")
    if _ORDER.index(state) >= _ORDER.index(needed_no_more):
        return (calm,)
    return (calm, "FAILED", "ROLLED_BACK")


def _of_other_moments() -> Iterator[Scenario]:
    for column, (run, act, ends) in _OTHER_MOMENTS.items():
        for turn, service in enumerate((*_MAIN, *_OTHERS)):
            yield _scenario(service, column, run, act, is_reached=turn % 2 == 0, ends=ends)


def _scenario(
    service: str,
    column: str,
    run: str,
    act: Act,
    *,
    is_reached: bool,
    ends: Sequence[str],
) -> Scenario:
    def carried_out(world: World) -> str:
        outage = Outage(world, service, is_reached=is_reached)
        subject = act(world, outage)
        assert outage.has_begun, "there was no outage"
        return subject

    return Scenario(
        row=service, column=column, act=carried_out, ends=ends, prepare=RUNS[run].prepare
    )
