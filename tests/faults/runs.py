"""The releases that are struck: each prepares a world, and then does the one that counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tests.faults.gate import BREAKING, Plan
from tests.faults.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`prepare` meets no fault, `act` does.

    The answer of `act` says which release is looked at: the digest of its image, or the name of its
    execution.
    """

    prepare: Callable[[World], None]
    act: Callable[[World], str]


def _first(world: World) -> None:
    world.push("v1", Plan(migrations=("a.0001",)))
    world.reconcile()


def _pushed(plan: Plan) -> Callable[[World], str]:
    def act(world: World) -> str:
        return world.push("v2", plan)

    return act


def _failing_its_watch(plan: Plan) -> Callable[[World], str]:
    def act(world: World) -> str:
        world.fails_its_watch("v2")
        return world.push("v2", plan)

    return act


def _bad_before_too(world: World) -> str:
    world.fails_from_next()
    return world.push("v2", _ONE)


def _two(world: World) -> None:
    _first(world)
    world.push("v2", Plan(migrations=("a.0002",)))


def _back(world: World) -> str:
    return world.by_hand("back", rollbackTo=1)


def _command(world: World) -> str:
    world.command_plan = Plan(migrations=("undo",))
    digest = world.digests["v2"]
    return world.by_hand("command", digest=digest, command=["python", "manage.py", "migrate", "a"])


def _abandoned(world: World) -> None:
    """The release before was stopped while its deployment was being followed, and nobody heard."""
    _first(world)
    world.stop_unheard_at("CheckDeployment")
    world.push("v2", Plan(migrations=("a.0002",)))


def _next(world: World) -> str:
    return world.push("v3", Plan(migrations=("a.0003",)))


def _missing(world: World) -> None:
    _first(world)
    world.push_image("v2", _ONE)


def _missed(world: World) -> str:
    world.reconcile()
    return world.digests["v2"]


def _many_snapshots(world: World) -> None:
    for number in (1, 2, 3):
        world.push(f"v{number}", Plan(migrations=(f"a.000{number}",)))


_ONE = Plan(migrations=("a.0002",))
_FAILING = Plan(migrations=("a.0002", "a.0003"), fails="a.0003")

RUNS: Mapping[str, Run] = {
    "good": Run(prepare=_first, act=_pushed(_ONE)),
    "nothing pending": Run(prepare=_first, act=_pushed(Plan())),
    "failed migration": Run(prepare=_first, act=_pushed(_FAILING)),
    "failed breaking migration": Run(
        prepare=_first, act=_pushed(replace(_FAILING, effect=BREAKING))
    ),
    "failed watch": Run(prepare=_first, act=_failing_its_watch(_ONE)),
    "failed watch, no way back": Run(
        prepare=_first, act=_failing_its_watch(replace(_ONE, effect=BREAKING))
    ),
    "bad before, too": Run(prepare=_first, act=_bad_before_too),
    "rollback by hand": Run(prepare=_two, act=_back),
    "command": Run(prepare=_two, act=_command),
    "take-over": Run(prepare=_abandoned, act=_next),
    "missed push": Run(prepare=_missing, act=_missed),
    "pruned": Run(
        prepare=_many_snapshots,
        act=lambda world: world.push("v4", Plan(migrations=("a.0004",))),
    ),
}
