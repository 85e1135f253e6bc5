"""When in a release something happens to what it works with."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tests.faults.checks import text_of
from tests.faults.executions import Execution
from tests.faults.gate import Plan
from tests.faults.scenarios import Scenario
from tests.faults.world import World

type Change = Callable[[World], None]
# Row by row: what happens, and how the release ends by the moment at which it does.
type States = Mapping[str, tuple[Change, Mapping[str, "End"]]]
# Arranges that the change happens then, once.
type Moment = Callable[[World, Change], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How the release has to end, and what its message has to name."""

    status: str
    names: Sequence[str] = ()


WELL = End(status="SUCCEEDED")


def refused(*names: str) -> End:
    return End(status="REFUSED", names=names)


def failed(*names: str) -> End:
    return End(status="FAILED", names=names)


def at_once(world: World, change: Change) -> None:
    change(world)


def entering(state: str) -> Moment:
    """As the next execution that gets there enters the state for the first time."""

    def arrange(world: World, change: Change) -> None:
        def see(execution: Execution) -> None:
            if execution.state == state:
                world.executions.before_state = lambda _: None
                change(world)

        world.executions.before_state = see

    return arrange


def while_a_gate_waits(world: World, change: Change) -> None:
    """When the gate of a new deployment has told its plan, and has no permit yet."""
    known = len(world.gates)

    def waits() -> bool:
        return any(
            gate.ready_at is not None and gate.began_at is None and not gate.is_over
            for gate in world.gates[known:]
        )

    _once(world, waits, change)


def later(world: World, after: timedelta, change: Change) -> None:
    """So long from now."""
    due = world.clock.now() + after
    _once(world, lambda: world.clock.now() >= due, change)


def _once(world: World, is_due: Callable[[], bool], change: Change) -> None:
    done: list[bool] = []

    def see() -> None:
        if not done and is_due():
            done.append(True)
            change(world)

    world.clock.watch(see)


# Where a release with something pending passes, in this order.
MOMENTS: dict[str, Moment] = {
    "before the push": at_once,
    "TakeSnapshot": entering("TakeSnapshot"),
    "CheckSnapshot": entering("CheckSnapshot"),
    "Deploy": entering("Deploy"),
    "CheckDeployment": entering("CheckDeployment"),
    "waiting for the permit": while_a_gate_waits,
    "VerifyRelease": entering("VerifyRelease"),
    "RollBack": entering("RollBack"),
    "PruneSnapshots": entering("PruneSnapshots"),
}


def released(prepare: Change = lambda _: None) -> Change:
    """Version 1 of the app serves: what `Scenario.prepare` does."""

    def act(world: World) -> None:
        prepare(world)
        world.push("v1", Plan(migrations=("a.0001",)))
        world.reconcile()
        assert world.live() is not None, world.receive()

    return act


def scenarios_of(
    states: States, prepare: Change, *, suffix: str = "", unhealthy: Collection[str] = ()
) -> Sequence[Scenario]:
    """One for each end. At the moments in `unhealthy` version 2 fails its watch period."""
    return [
        Scenario(
            row=row + suffix,
            column=moment,
            act=_pushed(moment, change, is_unhealthy=moment in unhealthy),
            prepare=prepare,
            ends=[end.status],
            check=_says(end.names),
        )
        for row, (change, ends) in states.items()
        for moment, end in ends.items()
    ]


def _pushed(moment: str, change: Change, *, is_unhealthy: bool) -> Callable[[World], str]:
    """Version 2 is pushed, and the change happens at the moment."""

    def act(world: World) -> str:
        happened: list[str] = []

        def happen(there: World) -> None:
            happened.append(moment)
            change(there)

        if is_unhealthy:
            world.fails_its_watch("v2")
        MOMENTS[moment](world, happen)
        subject = world.push("v2", Plan(migrations=("a.0002",)))
        assert happened, f"the release never came to this: {moment}"
        return subject

    return act


def _says(words: Sequence[str]) -> Callable[[World, str], Iterator[str]]:
    """The message has to name each of these, and to be one that people can read."""

    def check(world: World, subject: str) -> Iterator[str]:
        text = text_of(world, subject)
        yield from (
            f"the message does not name {word!r}: {text}" for word in words if word not in text
        )

        if ".. " in text:
            yield f"the message ends a sentence twice: {text}"

    return check
