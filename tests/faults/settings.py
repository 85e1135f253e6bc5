"""Releases under other settings of Lightsail, where its behaviour is unknown.

A row is a setting, a column a run, or a run with one fault. Each ends as it does under the usual
setting, unless the setting lets nothing be deployed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

from tests.component.images import let_everybody_pull
from tests.faults.executions import Execution
from tests.faults.faults import fault
from tests.faults.runs import RUNS
from tests.faults.scenarios import Scenario
from tests.faults.stack import Json
from tests.faults.wire import Call
from tests.faults.world import APP, World

CREATE = "lightsail.CreateContainerServiceDeployment"
GET_LOG = "lightsail.GetContainerLog"
LIST = "lightsail.GetContainerServiceDeployments"

# The members of one row hold at once. The first one is what is known best, the last one the worst.
_ROWS = (
    "log_lag=120 exit_nonzero=restart unhealthy_active=relaunch",
    "log_lag=600",
    "read_lag=60",
    "read_lag=300",
    "log_page_size=2 log_overlap=2",
    "log_end=same-token",
    "unknown_container_log=refuse",
    "next_failed_visible=true",
    "state_detail_at_create=true",
    "digest_images=refuse",
    "busy_error_text=wait",
    "throttle_rate=0.3",
    "system_lines=first",
    "unhealthy_active=relaunch",
    "log_lag=300 read_lag=60 log_page_size=2 log_overlap=2 log_end=same-token throttle_rate=0.2 "
    "next_failed_visible=true exit_nonzero=restart unhealthy_active=relaunch",
)
# Nothing can be pulled, so nothing can be deployed, and the old version goes on.
_NOTHING_PULLED = ("puller_policy=missing", "puller_policy=silent")
_ALL_AT_ONCE = _ROWS[-1]
# Where it matters what reads and logs show after a fault.
_STRUCK = (_ROWS[0], "log_lag=600", "read_lag=60", "busy_error_text=wait", _ALL_AT_ONCE)
_USUAL = ("only the log", "only the log, failed")
_SLICE = (
    ("read_lag=60", "Deploy twice"),
    ("read_lag=60", "created, killed"),
    (_ALL_AT_ONCE, "only the log"),
    (_ALL_AT_ONCE, "failed watch"),
    (_ALL_AT_ONCE, "RollBack twice"),
    ("puller_policy=silent", "good"),
)

_ENDS: Mapping[str, str] = {
    "good": "SUCCEEDED",
    "nothing pending": "SUCCEEDED",
    "failed migration": "ROLLED_BACK",
    "failed watch": "ROLLED_BACK",
    "rollback by hand": "SUCCEEDED",
}

# The gate's plan is read when it may not hold any longer: nothing is applied.
_OTHER_ENDS = {("log_lag=600", "only the log"): "ROLLED_BACK"}


def change(world: World, setting: str) -> None:
    """Let the emulator's switches be these, given like `read_lag=60 log_lag=120`."""
    lightsail = world.account.lightsail
    changes = dict(one.split("=") for one in setting.split())
    lightsail.switches = lightsail.switches.changed(changes)


# Makes something go wrong, and tells afterwards whether it has.
type _Strike = Callable[[World], Callable[[], bool]]


def _at_call(caller: str, name: str, what: str) -> _Strike:
    """The first such call meets the fault."""

    def strike(world: World) -> Callable[[], bool]:
        left = [(caller, name)]

        def before(call: Call) -> None:
            if (call.caller, call.name) in left:
                left.clear()
                world.account.wire.fault = fault(what, world)

        world.account.wire.before = before
        return lambda: not left

    return strike


def _twice(state: str) -> _Strike:
    """The task of the state is delivered twice, at its first time."""

    def strike(world: World) -> Callable[[], bool]:
        left = [state]

        def around(name: str, once: Callable[[], Json]) -> Json:
            answer = once()
            if name not in left:
                return answer
            left.clear()
            return once()

        world.executions.around = around
        return lambda: not left

    return strike


def _is_busy(world: World) -> Callable[[], bool]:
    """Somebody updates the service just before the release wants to deploy."""
    left = ["Deploy"]

    def update(execution: Execution) -> None:
        if execution.state in left:
            left.clear()
            world.account.lightsail.update(APP, takes=timedelta(minutes=3))

    world.executions.before_state = update
    return lambda: not left and "WaitForService" in world.executions.all[-1].passed


def _nothing(_: World) -> Callable[[], bool]:
    return lambda: True


def _loses_its_policy(world: World) -> Callable[[], bool]:
    """Somebody deletes the policy of the repository after Admit has read it."""
    left = ["Deploy"]

    def delete(execution: Execution) -> None:
        if execution.state in left:
            left.clear()
            world.account.client("ecr").delete_repository_policy(repositoryName=APP)

    world.executions.before_state = delete
    return lambda: not left


def _only_the_log(world: World) -> Callable[[], bool]:
    """The gates' reports are in their logs only."""
    world.account.letters_arrive = False
    return lambda: True


# What goes wrong in which run.
_STRIKES: Mapping[str, tuple[str, _Strike]] = {
    "only the log": ("good", _only_the_log),
    "only the log, failed": ("failed migration", _only_the_log),
    "busy service": ("good", _is_busy),
    "created, no answer": ("good", _at_call("DeployFunction", CREATE, "answer lost")),
    "created, killed": ("good", _at_call("DeployFunction", CREATE, "killed after")),
    "Deploy twice": ("good", _twice("Deploy")),
    "list is empty": ("good", _at_call("CheckDeploymentFunction", LIST, "empty answer")),
    "log throttled": (
        "good",
        _at_call("CheckDeploymentFunction", GET_LOG, "throttled for two minutes"),
    ),
    "log unread at the end": (
        "failed migration",
        _at_call("RecordOutcomeFunction", GET_LOG, "server error"),
    ),
    "rolled back, no answer": ("failed watch", _at_call("RollBackFunction", CREATE, "answer lost")),
    "rolled back, killed": ("failed watch", _at_call("RollBackFunction", CREATE, "killed after")),
    "RollBack twice": ("failed watch", _twice("RollBack")),
}


def settings(is_slice: bool) -> Sequence[Scenario]:
    rows = [
        *((row, [*_ENDS, *(_STRIKES if row in _STRUCK else _USUAL)]) for row in _ROWS),
        *((row, [*_ENDS]) for row in _NOTHING_PULLED),
    ]
    found = [each for row, columns in rows for each in _row(row, columns)]
    return [each for each in found if not is_slice or (each.row, each.column) in _SLICE]


def _row(row: str, columns: Sequence[str]) -> Sequence[Scenario]:
    """The columns that begin alike stand together, so that the beginning is made once."""
    begun: dict[Callable[[World], None], Callable[[World], None]] = {}
    for column in columns:
        prepare = RUNS[_run_of(column)].prepare
        begun.setdefault(prepare, _under(row, prepare))
    found = [_scenario(row, column, begun[RUNS[_run_of(column)].prepare]) for column in columns]
    order = list(begun.values())
    return sorted(found, key=lambda each: order.index(each.prepare or order[0]))


def _under(row: str, prepare: Callable[[World], None]) -> Callable[[World], None]:
    """The beginning, when nothing is deployed if nothing can be pulled any more."""

    def begin(world: World) -> None:
        if row not in _NOTHING_PULLED:
            change(world, row)
        prepare(world)
        change(world, row)

    return begin


def _run_of(column: str) -> str:
    return _STRIKES[column][0] if column in _STRIKES else column


def _scenario(row: str, column: str, prepare: Callable[[World], None]) -> Scenario:
    run = _run_of(column)
    strike = _STRIKES[column][1] if column in _STRIKES else _nothing
    if row in _NOTHING_PULLED:
        strike = _loses_its_policy

    def act(world: World) -> str:
        has_struck = strike(world)
        subject = RUNS[run].act(world)
        assert has_struck(), "nothing has gone wrong"
        # What the next release needs.
        change(world, "puller_policy=allows")
        let_everybody_pull(world.account.client("ecr"), APP)
        world.account.letters_arrive = True
        return subject

    ends = "ROLLED_BACK" if row in _NOTHING_PULLED else _ENDS[run]
    ends = _OTHER_ENDS.get((row, column), ends)
    check = _says_why if row in _NOTHING_PULLED else lambda *_: ()
    return Scenario(row=row, column=column, act=act, ends=[ends], prepare=prepare, check=check)


def _says_why(world: World, _: str) -> Iterator[str]:
    """A message names the cause, although Lightsail names none."""
    if not any("No container started" in each["raw"] for each in world.receive()):
        yield "no message says that no container has begun to run"
