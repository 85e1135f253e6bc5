"""Five minutes in which AWS refuses calls change nothing about how a release ends.

The slow matrix adds the other services, checks and time limits.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache

import pytest

from lightgate.outage import LONGEST_OUTAGE
from tests.component.lightsail_service import CREATE
from tests.component.running import running_cloud
from tests.workflow.release_machine import Ended
from tests.workflow.reporting_gates import (
    Gate,
    check_nothing_was_applied,
    database,
    minutes,
    released,
)
from tests.workflow.world import APP, Json, World, migration_failed, spec, succeeded

type Scenario = Callable[[World], None]
LAMBDA = "lambda"
THREE_CHECKS = {"watchSeconds": 0, "answersNeeded": 3}
# What is compared of the message: all but moments, durations and names that follow from them.
TOLD = ("status", "reasons", "nextSteps", "judgement", "version", "previousVersion", "notApplied")


@contextmanager
def new_world() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, running_cloud(patch) as cloud:
        yield World(cloud, patch)


# Each prepares a world for its last release, which is the one that meets the outage.


def taking_a_snapshot(world: World) -> None:
    world.instance.snapshot_takes = minutes(4)
    world.lightsail.courses.append(succeeded("a.0002"))


def asking_for_a_permit(world: World) -> None:
    world.put_spec(database(backup="when-pending"))
    world.instance.snapshot_takes = minutes(1)
    Gate(world, "a.0002", via="log")


def asking_by_mailbox_alone(world: World) -> None:
    Gate(world, "a.0002")


def having_nothing_to_ask(world: World) -> None:
    Gate(world)


def being_watched(world: World) -> None:
    world.put_spec(spec(verification={"watchSeconds": 120}))
    world.lightsail.courses.append(succeeded("a.0002"))


def being_watched_without_a_url(world: World) -> None:
    world.put_spec(spec(publicEndpoint=None, unprotected=True, verification={"watchSeconds": 120}))
    world.lightsail.courses.append(succeeded("a.0002"))


def failing_its_migration(world: World) -> None:
    """Lightsail itself rolls back to a version that is on record."""
    world.put_spec(spec(verification=THREE_CHECKS))
    world.release(course=succeeded())
    world.lightsail.courses.append(migration_failed("a.0002", "boom"))


def failing_its_watch(world: World, **changes: object) -> None:
    """Lightgate rolls back to a version that is on record."""
    world.put_spec(spec(verification=THREE_CHECKS, **changes))
    world.release(course=released())
    world.site.bad = {3: "Internal Server Error"}
    world.lightsail.courses.append(released())


def run(world: World, scenario: Scenario, begin: Callable[[World], None]) -> Ended:
    """`begin` is called right before the last release."""
    scenario(world)
    world.messages()
    begin(world)
    return world.release()


def outcome(world: World, ended: Ended) -> Json:
    """The end of the release in its record, its message and its execution."""
    content = world.message().content
    return {
        "execution": (ended.status, ended.error),
        "deployments": world.lightsail.deployments(APP),
        "snapshots": list(world.instance.snapshots().values()),
        "releases": sorted(world.statuses()),
        "lock": world.lock.holder,
        "migrations": content["gate"]["migrations"] if content["gate"] else None,
        **{name: content[name] for name in TOLD},
    }


# When an outage begins: given the world, the step, and what begins it.
type Moment = Callable[[World, str, Callable[[], None]], None]


def at_call(number: int) -> Moment:
    """Just before the n-th call of the step."""

    def arrange(world: World, step: str, begin: Callable[[], None]) -> None:
        world.functions.before(step, begin, call=number)

    return arrange


def at_call_after(time: timedelta) -> Moment:
    """Just before the first call of the step that comes so long after the release has begun."""

    def arrange(world: World, step: str, begin: Callable[[], None]) -> None:
        due = world.clock.now() + time

        def check() -> None:
            if world.clock.now() >= due:
                begin()
            else:
                world.functions.before(step, check)

        world.functions.before(step, check)

    return arrange


def within_call(world: World, step: str, begin: Callable[[], None]) -> None:
    """Between the first two health checks of one call: a function waits for nothing else."""
    world.clock.watch(lambda: begin() if world.functions.running == step else None)


class Outage:
    """One service refuses all calls for five minutes, from a moment of one step on."""

    def __init__(
        self, step: str, service: str, moment: Moment, *, code: str = "ThrottlingException"
    ) -> None:
        self._step, self._service, self._moment, self._code = step, service, moment, code
        self._began: datetime | None = None
        self.refusals = 0

    def begin_with(self, world: World) -> None:
        self._world = world
        self._moment(world, self._step, self._begin)
        if self._service == LAMBDA:
            world.functions.is_down = self._refuses
        else:
            # The calls of the gates and of the tests succeed.
            faults, functions = world.cloud.faults, world.functions
            faults.break_down(
                self._service,
                self._code,
                lambda: functions.running is not None and self._refuses(),
            )

    def _begin(self) -> None:
        self._began = self._began or self._world.clock.now()

    def _refuses(self) -> bool:
        is_on = self._began is not None and self._world.clock.now() - self._began < LONGEST_OUTAGE
        self.refusals += is_on
        return is_on


@cache
def calm(scenario: Scenario) -> tuple[Json, Mapping[str | None, set[str]]]:
    """How the release ends without an outage, and which services each step calls."""
    called: dict[str | None, set[str]] = defaultdict(set)

    def watch(world: World) -> None:
        world.cloud.faults.watch(
            lambda call: called[world.functions.running].add(call.partition(".")[0])
        )

    with new_world() as world:
        return outcome(world, run(world, scenario, watch)), called


CALLS: list[tuple[Scenario, str, set[str]]] = [
    (taking_a_snapshot, "take_snapshot", {"dynamodb", "rds"}),
    (taking_a_snapshot, "check_snapshot", {"dynamodb", "rds"}),
    (asking_for_a_permit, "check_deployment", {"dynamodb", "lightsail", "rds", "s3"}),
    (being_watched, "verify_release", {"ecr", "lightsail", "ssm"}),
    (being_watched_without_a_url, "verify_release", {"ecr", "lightsail", "ssm"}),
    (failing_its_migration, "verify_release", {"dynamodb", "lightsail", "ssm"}),
    (failing_its_watch, "roll_back", {"dynamodb", "ecr", "lightsail", "secretsmanager", "ssm"}),
    (
        asking_for_a_permit,
        "deploy",
        {"dynamodb", "ecr", "lightsail", "s3", "secretsmanager", "ssm", "sts"},
    ),
    (
        asking_for_a_permit,
        "admit",
        {"dynamodb", "ecr", "lightsail", "rds", "secretsmanager", "ssm"},
    ),
]
FOLLOWS = ("check_snapshot", "check_deployment", "verify_release", "roll_back")
# These check the app several times in one call.
CHECKS_HEALTH = ("verify_release", "roll_back")
FIRST: tuple[str, Moment, str] = ("first-call", at_call(1), "ThrottlingException")
SECOND: tuple[str, Moment, str] = ("second-call", at_call(2), "ServiceUnavailable")
WITHIN: tuple[str, Moment, str] = ("within-call", within_call, "ServiceUnavailable")


def moments(scenario: Scenario, step: str, service: str) -> Iterator[tuple[str, Moment, str]]:
    """Moments after which the step, or a later one, still calls the service."""
    yield FIRST
    if step in CHECKS_HEALTH and service == "lightsail":
        yield WITHIN
    # One call of VerifyRelease makes all three checks of the version that is live again, and only
    # the first call of RollBack reads images and secrets.
    is_over = scenario is failing_its_migration and step == "verify_release"
    is_read = step == "roll_back" and service in ("ecr", "secretsmanager")
    if step in FOLLOWS and not is_over and not is_read:
        yield SECOND


# Slow are the second check, Lambda itself, the steps that start something, and the services
# whose clients are all alike.
QUICK = {"dynamodb", "lightsail", "s3"}
OUTAGES = [
    pytest.param(
        scenario,
        step,
        service,
        moment,
        code,
        id=f"{scenario.__name__}-{step}-{service}-{when}-{code}",
        marks=[]
        if step in FOLLOWS and service in QUICK and moment is FIRST[1]
        else pytest.mark.slow,
    )
    for scenario, step, services in CALLS
    for service in sorted({*services, LAMBDA})
    for when, moment, code in moments(scenario, step, service)
]


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "step", "services"), CALLS)
def test_no_service_that_a_step_calls_is_missing_here(
    scenario: Scenario, step: str, services: set[str]
) -> None:
    _, called = calm(scenario)

    assert called[step] == services


def check_survived(scenario: Scenario, outage: Outage) -> None:
    expected, _ = calm(scenario)
    with new_world() as world:
        ended = run(world, scenario, outage.begin_with)

        assert outage.refusals
        assert outcome(world, ended) == expected


@pytest.mark.representatives(3)
@pytest.mark.parametrize(("scenario", "step", "service", "moment", "code"), OUTAGES)
def test_a_service_that_refuses_calls_for_five_minutes_changes_no_outcome(
    scenario: Scenario, step: str, service: str, moment: Moment, code: str
) -> None:
    check_survived(scenario, Outage(step, service, moment, code=code))


# Time limits that an outage falls into.


def waiting_for_a_busy_database(world: World) -> None:
    """The snapshot is there 180 of 240 seconds after it was asked for."""
    world.put_spec(database(timeoutSeconds=240))
    world.instance.busy_until = world.clock.now() + timedelta(seconds=110)
    world.instance.snapshot_takes = minutes(1)
    world.lightsail.courses.append(succeeded("a.0002"))


def waiting_for_a_busy_database_on_the_plan(world: World) -> None:
    world.put_spec(database(backup="when-pending", timeoutSeconds=300))
    world.instance.busy_until = world.clock.now() + timedelta(seconds=200)
    world.instance.snapshot_takes = minutes(1)
    Gate(world, "a.0002")


def beginning_late(world: World) -> None:
    """The gate has its plan 1400 seconds into a deployment that may take 1800."""
    world.put_spec(spec(deploymentTimeoutSeconds=1800, platformPatienceSeconds=3600))
    Gate(world, "a.0002", starts=1400, takes=200, patience=3000)


AT_THE_PLAN = at_call_after(timedelta(seconds=1400))


def deploying_late(world: World) -> None:
    """The snapshot is 26 minutes old when the service takes the deployment, and may be 30."""
    world.lightsail.update(APP, takes=minutes(26))
    Gate(world, "a.0002")


def answering_badly_at_the_end(world: World) -> None:
    """The app answers its first eight checks, and no more: two of the second call."""
    being_watched(world)
    world.clock.watch(lambda: _break(world, after=8))


def _break(world: World, *, after: int) -> None:
    if world.site.asked[2, "GET", "/"] >= after:
        world.site.bad = {2: "Internal Server Error"}


def rolling_back_on_a_busy_service(world: World) -> None:
    """The rollback has 1800 seconds, and the service takes no deployment for 1500 of them."""
    failing_its_watch(world, deploymentTimeoutSeconds=1800)
    world.functions.before("verify_release", lambda: world.lightsail.update(APP, takes=minutes(25)))


LIMITS: list[tuple[Scenario, str, str, str, Moment]] = [
    (waiting_for_a_busy_database, "take_snapshot", "rds", "first-call", at_call(1)),
    (waiting_for_a_busy_database, "take_snapshot", "rds", "second-call", at_call(2)),
    (waiting_for_a_busy_database, "check_snapshot", "rds", "first-call", at_call(1)),
    (waiting_for_a_busy_database_on_the_plan, "check_deployment", "rds", "second-call", at_call(2)),
    (beginning_late, "check_deployment", "dynamodb", "with-the-plan", AT_THE_PLAN),
    (beginning_late, "check_deployment", "s3", "with-the-plan", AT_THE_PLAN),
    (deploying_late, "check_deployment", "dynamodb", "first-call", at_call(1)),
    (answering_badly_at_the_end, "verify_release", "lightsail", "second-call", at_call(2)),
    (answering_badly_at_the_end, "verify_release", "lightsail", "within-call", within_call),
    (rolling_back_on_a_busy_service, "roll_back", "lightsail", "late", at_call(25)),
]


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("scenario", "step", "service", "moment"),
    [
        pytest.param(
            scenario, step, service, moment, id=f"{scenario.__name__}-{step}-{service}-{when}"
        )
        for scenario, step, service, when, moment in LIMITS
    ],
)
def test_no_time_limit_counts_an_outage(
    scenario: Scenario, step: str, service: str, moment: Moment
) -> None:
    check_survived(scenario, Outage(step, service, moment))


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("scenario", "step"), [(taking_a_snapshot, "deploy"), (failing_its_watch, "roll_back")]
)
def test_a_deployment_whose_creation_is_throttled_is_created_afterwards(
    scenario: Scenario, step: str
) -> None:
    expected, _ = calm(scenario)
    with new_world() as world:
        scenario(world)
        world.messages()
        # One attempt a minute.
        world.functions.before(step, lambda: world.lightsail.fail(CREATE, *["throttled"] * 6))
        ended = world.release()

        assert outcome(world, ended) == expected


def test_a_gate_that_an_outage_leaves_no_time_applies_nothing(world: World) -> None:
    """A migration of ten minutes has to begin within five after the deployment was created."""
    document = spec()
    del document["containers"]["migrate"]["timeoutSeconds"]
    world.put_spec(document)
    gate = Gate(world, "a.0002")
    Outage("check_deployment", "dynamodb", at_call(1)).begin_with(world)

    ended = world.release()

    assert ended.error == "ROLLED_BACK"
    check_nothing_was_applied(world, gate)
    assert "AWS refused calls for" in world.message().content["reasons"][0]


# Log and mailbox say the same, and one of them does not answer.


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("scenario", "call"),
    [(asking_by_mailbox_alone, 1), (asking_by_mailbox_alone, 2), (having_nothing_to_ask, 1)],
)
def test_gate_messages_are_read_when_the_channel_answers_again(
    scenario: Scenario, call: int
) -> None:
    check_survived(scenario, Outage("check_deployment", "s3", at_call(call)))
