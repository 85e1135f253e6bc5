"""A container service in a bad state, or in other hands, at each point of a release."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from local.lightsail.model import KEPT_VERSIONS, Service, ServiceState
from tests.component.lightsail_service import Course
from tests.faults.moments import (
    WELL,
    Change,
    End,
    States,
    failed,
    later,
    refused,
    released,
    scenarios_of,
)
from tests.faults.scenarios import Scenario
from tests.faults.world import APP, SPEC, World

_A_WHILE = timedelta(minutes=2)
# Less than a watch period.
_A_MOMENT = timedelta(seconds=5)
_AN_HOUR = timedelta(hours=1)
_FOR_EVER = timedelta(hours=12)

BEFORE, DEPLOY, FOLLOWED = "before the push", "Deploy", "CheckDeployment"
WATCH, BACK = "VerifyRelease", "RollBack"


# The states. People mend each of them once the release has ended.


def _disabled(world: World) -> None:
    world.account.lightsail.disable(APP)
    runner = world.account.lightsail.services[APP]
    world.repairs.append(lambda: runner.change(lambda s: replace(s, is_disabled=False)))


def _updating(lasts: timedelta) -> Change:
    def change(world: World) -> None:
        runner = world.account.lightsail.services[APP]
        runner.change(lambda service: service.begun(ServiceState.UPDATING))
        later(world, lasts, lambda _: runner.change(Service.ended))
        world.repairs.append(lambda: runner.change(Service.ended))

    return change


def _deleted(world: World) -> None:
    del world.account.lightsail.services[APP]
    world.repairs.append(lambda: world.account.add_service(APP, world.does_well))


def _deleting(world: World) -> None:
    world.account.lightsail.services[APP].change(lambda s: s.begun(ServiceState.DELETING))
    later(world, _A_MOMENT, _deleted)


def _made_anew(versions: int) -> Change:
    """Somebody else deploys so often to the new one."""

    def change(world: World) -> None:
        del world.account.lightsail.services[APP]
        world.account.add_service(APP, world.does_well)
        for _ in range(versions):
            world.account.lightsail.deploy_by_somebody(APP)

    return change


def _somebody_deploys(ends: str | None, after: timedelta, times: int = 1) -> Change:
    def change(world: World) -> None:
        lightsail = world.account.lightsail
        for _ in range(times):
            version = lightsail.deploy_by_somebody(APP, Course(ends=ends, after=after))
        if ends is None:
            runner = lightsail.services[APP]
            world.repairs.append(lambda: runner.change(lambda s: s.failed(version)))

    return change


_ONE_OF_SOMEBODY = _somebody_deploys("ACTIVE", timedelta())
_ANEW = f"the container service {APP} was deleted and created again"
_IS_DISABLED = f"the container service {APP} is disabled"
_MISSING = f"there is no container service {APP}"
_ENDS_AS_USUAL = {
    BEFORE: WELL,
    DEPLOY: WELL,
    FOLLOWED: WELL,
    WATCH: WELL,
    BACK: End(status="ROLLED_BACK"),
}
_IS_GONE = {
    BEFORE: refused(_MISSING),
    DEPLOY: refused(_MISSING),
    FOLLOWED: failed(_MISSING),
    WATCH: failed(_MISSING),
    BACK: failed(_MISSING),
}
# What it does to the database, nobody knows.
_NOT_OURS = failed("Version 3 was deployed without Lightgate")
_OTHER_HANDS = failed("it is no longer live", "deployed another version")

_STATES: States = {
    "disabled": (
        _disabled,
        {
            BEFORE: refused(_IS_DISABLED),
            DEPLOY: refused(_IS_DISABLED),
            FOLLOWED: failed(_IS_DISABLED),
            WATCH: failed(_IS_DISABLED),
            BACK: failed("is disabled and cannot be deployed to"),
        },
    ),
    "UPDATING, 2 min": (_updating(_A_WHILE), _ENDS_AS_USUAL),
    "UPDATING, an hour": (
        _updating(_AN_HOUR),
        {**_ENDS_AS_USUAL, BACK: failed("was busy for too long")},
    ),
    "UPDATING": (
        _updating(_FOR_EVER),
        {
            **_ENDS_AS_USUAL,
            BEFORE: refused("was busy for too long", "UPDATING"),
            DEPLOY: refused("was busy for too long", "UPDATING"),
            BACK: failed("UPDATING"),
        },
    ),
    "DELETING": (_deleting, _IS_GONE),
    "deleted": (_deleted, _IS_GONE),
    "made anew": (
        _made_anew(0),
        {BEFORE: WELL, DEPLOY: refused(_ANEW)}
        | dict.fromkeys((FOLLOWED, WATCH, BACK), failed(_ANEW)),
    ),
    "made anew, same version": (
        _made_anew(2),
        {BEFORE: WELL, DEPLOY: refused(_ANEW)}
        | dict.fromkeys((FOLLOWED, WATCH, BACK), failed(_ANEW)),
    ),
    # Of these the service remembers no older one, but for the one that serves.
    "50 versions": (
        _somebody_deploys("FAILED", timedelta(), times=KEPT_VERSIONS),
        {
            BEFORE: WELL,
            DEPLOY: WELL,
            WATCH: WELL,
            BACK: failed("no longer lists it"),
        },
    ),
    "somebody's deployment fails": (
        _somebody_deploys("FAILED", _A_WHILE),
        {BEFORE: WELL, DEPLOY: WELL, WATCH: WELL, BACK: _NOT_OURS},
    ),
    "somebody's deployment follows": (
        _somebody_deploys("ACTIVE", _A_WHILE),
        {BEFORE: WELL, DEPLOY: WELL, BACK: _NOT_OURS},
    ),
    "somebody's version serves": (
        _ONE_OF_SOMEBODY,
        {
            BEFORE: WELL,
            DEPLOY: WELL,
            WATCH: _OTHER_HANDS,
            BACK: failed("is no longer live"),
        },
    ),
    "somebody's deployment for ever": (
        _somebody_deploys(None, timedelta()),
        {DEPLOY: refused("was busy for too long", "is in progress")},
    ),
}
_SLICE = (("disabled", WATCH), ("UPDATING, 2 min", DEPLOY), ("deleted", FOLLOWED))


def _with_limits(world: World) -> None:
    """So that a release that only waits ends soon enough."""
    world.put_spec({**SPEC, "deploymentTimeoutSeconds": 1800})


_RELEASED = released(_with_limits)


def scenarios(is_slice: bool) -> Sequence[Scenario]:
    return [
        each
        for each in scenarios_of(_STATES, _RELEASED, unhealthy=[BACK])
        if not is_slice or (each.row, each.column) in _SLICE
    ]
