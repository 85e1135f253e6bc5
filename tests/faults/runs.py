"""The releases that are struck: each prepares a world, and then does the one that counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from botocore.awsrequest import AWSResponse

from tests.faults.gate import BREAKING, Plan
from tests.faults.wire import Answer, Call, refusal
from tests.faults.world import APP, CROPS, World


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


def _both_bad(world: World) -> str:
    world.fails_from_next()
    return world.push("v2", _ONE)


def _opted_in(world: World) -> None:
    """Migrations of a release that fails are reversed."""
    world.put_spec({**CROPS.spec, "rollback": {"reverse": True}})
    _first(world)


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
    """The release before was stopped while its deployment was in progress, and no event came."""
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


def _somebodys(world: World) -> None:
    """What serves was not deployed by Lightgate, and its image can become another one."""
    world.account.lightsail.deploy_by_somebody(APP, image="nginx:latest")


def _busy(world: World) -> None:
    """The database is being backed up, and then the service is being changed."""
    _first(world)
    now = world.clock.now()
    world.account.database.busy_until = now + timedelta(minutes=2)
    world.account.lightsail.update(APP, takes=timedelta(minutes=5))


def _again(world: World) -> str:
    """What serves is pushed under another tag."""
    digest = world.digests["v1"]
    world.tag_image("v1", "v1-again")
    world.tell_of_push("v1-again", digest)
    return digest


def _no_outcome(world: World) -> str:
    """Nothing can be recorded of its end until it is over."""
    _refuse_to_settle(world, "dynamodb", timedelta(days=1))
    return world.push("v2", _ONE)


def _permit_stays(world: World) -> str:
    """Its permit cannot be voided at first when it has failed."""
    _refuse_to_settle(world, "s3", timedelta(minutes=8))
    return world.push("v2", _FAILING)


def _refuse_to_settle(world: World, service: str, lasts: timedelta) -> None:
    end = world.clock.now() + lasts

    def refuse(call: Call, answer: Answer) -> AWSResponse:
        is_meant = (call.caller, call.service) == ("RecordOutcomeFunction", service)
        if is_meant and world.clock.now() < end:
            return refusal(call, 503, "ServiceUnavailable", "Please try again.")
        return answer()

    world.account.wire.trouble = refuse


def _many_snapshots(world: World) -> None:
    for number in (1, 2, 3):
        world.push(f"v{number}", Plan(migrations=(f"a.000{number}",)))


_ONE = Plan(migrations=("a.0002",))
_FAILING = Plan(migrations=("a.0002", "a.0003"), fails="a.0003")

_CRASHING = replace(
    _ONE,
    effect=BREAKING,
    crashes=True,
    take_back=("python", "manage.py", "migrate", "a", "0001"),
)

RUNS: Mapping[str, Run] = {
    "good": Run(prepare=_first, act=_pushed(_ONE)),
    "pruned": Run(
        prepare=_many_snapshots,
        act=lambda world: world.push("v4", Plan(migrations=("a.0004",))),
    ),
    "nothing pending": Run(prepare=_first, act=_pushed(Plan())),
    "failed migration": Run(prepare=_first, act=_pushed(_FAILING)),
    "failed breaking migration": Run(
        prepare=_first, act=_pushed(replace(_FAILING, effect=BREAKING))
    ),
    "failed watch": Run(prepare=_first, act=_failing_its_watch(_ONE)),
    "failed watch, no rollback": Run(
        prepare=_first, act=_failing_its_watch(replace(_ONE, effect=BREAKING))
    ),
    "reversed": Run(prepare=_opted_in, act=_pushed(_CRASHING)),
    "both versions bad": Run(prepare=_first, act=_both_bad),
    "rollback by hand": Run(prepare=_two, act=_back),
    "command": Run(prepare=_two, act=_command),
    "take-over": Run(prepare=_abandoned, act=_next),
    "missed push": Run(prepare=_missing, act=_missed),
    "first": Run(prepare=_somebodys, act=lambda world: world.push("v1", _ONE)),
    "busy": Run(prepare=_busy, act=_pushed(_ONE)),
    "pushed again": Run(prepare=_first, act=_again),
    "no outcome": Run(prepare=_first, act=_no_outcome),
    "permit stays": Run(prepare=_first, act=_permit_stays),
}
