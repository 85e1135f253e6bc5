"""Several apps on one stack: pushes in any order, while AWS fails now and then.

Executions of all apps go on in turns, state by state. The seed of a case decides what is pushed,
what goes wrong, and who of those that are due goes on first.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random

from tests.faults.checks import Findings, allowed, final_messages, stands
from tests.faults.executions import Execution, StoppedError, TaskError
from tests.faults.faults import Weather
from tests.faults.gate import BREAKING, COMPATIBLE, Plan
from tests.faults.scenarios import Scenario
from tests.faults.stack import Json
from tests.faults.wire import Call
from tests.faults.world import FINAL, App, Release, World

_PUSHED_WITHIN = timedelta(minutes=40)
_RECONCILE_EVERY = timedelta(minutes=15)
_MOST_RECONCILED = 3
_QUIET = ("SUPERSEDED", "DUPLICATE", "QUEUED")
# What they hold belongs to one app.
_OF_APPS = ("lightsail", "rds", "ecr", "s3", "secrets-manager", "ssm")
_READS = ("Get", "Describe", "List", "BatchGet")
_STRUCK = 0.05
_STOPPED = 0.005
_TWICE = 0.02
_TIMED_OUT = 0.005
# What becomes of an event, with its chance. The deliveries come after so many seconds at most.
_EVENTS: dict[tuple[int, ...], int] = {(10,): 80, (): 5, (10, 300): 5, (2400,): 10}
# What is pushed, with its chance.
_GOOD, _PLAIN, _FAILING, _BAD = "good", "nothing pending", "failing", "bad"
_IMAGES = {_GOOD: 50, _PLAIN: 15, _FAILING: 20, _BAD: 15}
_BREAKING = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Push:
    app: App
    tag: str
    digest: str
    kind: str


class Crowd:
    """So many apps and pushes to them, as the seed has it."""

    def __init__(self, apps: int, pushes: int, seed: int) -> None:
        self._count, self._pushes_planned, self._seed = apps, pushes, seed
        self._random = Random(seed)  # noqa: S311 - it must be the same again
        self._agenda: list[tuple[datetime, Callable[[], None]]] = []
        self._pushes: list[_Push] = []
        self._ended: set[str] = set()
        self._acting: App | None = None
        self._strangers: set[str] = set()
        self._is_troubled = True

    def act(self, world: World) -> str:
        """Everything that is pushed, up to the end of the faults and of all executions."""
        self._world = world
        # By this botocore decides how long it waits before it tries again.
        random.seed(self._seed)
        for number in range(2, self._count + 1):
            name = f"shop-{number:02}"
            world.add_app(
                App(
                    name=name,
                    database=f"{name}-db",
                    secrets=f"of-{name}",
                    canaries=(f"hunter2-of-{name}", f"of-django-and-{name}"),
                )
            )
        world.account.wire.before = self._watch
        # The first check of the tags.
        self._reconcile()
        world.account.wire.fault = Weather(world, self._random, _STRUCK)
        world.executions.before_state = self._stop
        world.executions.around = self._around
        self._plan()
        self._run()
        self._is_troubled = False
        world.is_over = True
        world.heal()
        self._run()
        return ""

    def find(
        self, world: World, _subject: str, _began: datetime, log: Callable[[], str]
    ) -> Findings:
        """Everything that is wrong at the end, on each app."""
        return Findings(None, list(self._problems(world, log)))

    def _problems(self, world: World, log: Callable[[], str]) -> Iterator[str]:
        for _ in range(_MOST_RECONCILED):
            self._reconcile_later()
            if not any(self._wrong()):
                break
        yield from self._wrong()
        yield from self._of_next()
        yield from sorted(self._strangers)
        yield from (f"the secret {secret} is written" for secret in world.leaked(log()))

    # What happens.

    def _plan(self) -> None:
        for _ in range(self._pushes_planned):
            moment = self._random.uniform(0, _PUSHED_WITHIN.total_seconds())
            self._later(moment, partial(self._push, self._random.choice(self._world.apps)))
        end = _PUSHED_WITHIN + timedelta(minutes=30)
        for number in range(1, int(end / _RECONCILE_EVERY) + 1):
            self._later(number * _RECONCILE_EVERY.total_seconds(), self._reconcile)

    def _push(self, app: App, kind: str | None = None) -> None:
        # No two pushes are of one second.
        self._world.clock.sleep(1)
        number = len(self._pushes) + 1
        tag = f"v{number}"
        kind = kind or self._chosen(_IMAGES)
        migrations: tuple[str, ...] = (f"a.{number:04}", f"b.{number:04}")
        effect = BREAKING if self._random.random() < _BREAKING else COMPATIBLE
        plan = Plan(
            migrations=() if kind == _PLAIN else migrations,
            fails=self._random.choice(migrations) if kind == _FAILING else None,
            effect=effect,
        )
        if kind == _BAD:
            self._world.fails_its_watch(tag)
        digest = self._world.push_image(tag, plan, app)
        self._pushes.append(_Push(app=app, tag=tag, digest=digest, kind=kind))
        self._send("ReceivePushFunction", self._world.push_event(tag, digest, app))

    def _send(self, function: str, event: Json) -> None:
        """Let EventBridge deliver it: once, twice, late or never."""
        for longest in self._chosen(_EVENTS) if self._is_troubled else (10,):
            self._later(self._random.uniform(0, longest), partial(self._deliver, function, event))

    def _deliver(self, function: str, event: Json, pauses: Sequence[float] = (60, 120)) -> None:
        try:
            self._world.tasks.invoke(function, event)
        except TaskError:
            if pauses:
                self._later(pauses[0], partial(self._deliver, function, event, pauses[1:]))

    def _reconcile(self) -> None:
        try:
            self._world.tasks.invoke("ReconcileFunction", {})
        except TaskError:
            return

    def _reconcile_later(self) -> None:
        self._world.clock.sleep(_RECONCILE_EVERY.total_seconds())
        self._reconcile()
        self._run()

    def _stop(self, _: Execution) -> None:
        if self._is_troubled and self._random.random() < _STOPPED:
            raise StoppedError

    def _around(self, state: str, once: Callable[[], Json]) -> Json:
        answer = once()
        chance = self._random.random() if self._is_troubled else 1
        if chance < _TIMED_OUT:
            self._world.clock.sleep(self._world.stack.definition["States"][state]["TimeoutSeconds"])
            raise TaskError("States.Timeout", "the time limit of the state is reached")
        return once() if chance < _TIMED_OUT + _TWICE else answer

    # How it goes on.

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._agenda.append((self._world.clock.now() + timedelta(seconds=seconds), action))

    def _run(self) -> None:
        """Whatever is due goes on, until nothing is left to do."""
        clock = self._world.clock
        while True:
            ahead: list[tuple[datetime, Callable[[], None]]] = [
                (each.due, partial(self._step, each)) for each in self._discovered()
            ]
            ahead += self._agenda
            if not ahead:
                return
            first = min(due for due, _ in ahead)
            clock.sleep((first - clock.now()).total_seconds())
            chosen = self._random.choice([one for one in ahead if one[0] <= clock.now()])
            if chosen in self._agenda:
                self._agenda.remove(chosen)
            chosen[1]()

    def _discovered(self) -> list[Execution]:
        return self._world.executions.discover()

    def _step(self, execution: Execution) -> None:
        self._acting = self._app_of(execution)
        try:
            execution.step()
        finally:
            self._acting = None
        if execution.state is None and execution.status in ("FAILED", "ABORTED"):
            detail = {"executionArn": execution.arn, "status": execution.status}
            self._send("CleanUpFunction", {"detail": detail})

    def _app_of(self, execution: Execution) -> App:
        [app] = [a for a in self._world.apps if execution.name.startswith(f"{a.name}-")]
        return app

    def _watch(self, call: Call) -> None:
        """No release of one app changes what belongs to another one, or reads its secrets.

        Admit may clean up after an execution of another app. That voids its permits.
        """
        is_cleaning = (call.caller, call.service) == ("AdmitFunction", "s3")
        if self._acting is None or call.service not in _OF_APPS or is_cleaning:
            return
        is_read = call.operation.startswith(_READS)
        said = f"{call.request.url} {call.request.body!r}"
        self._strangers |= {
            f"{call.caller} of {self._acting.name} calls {call.name} with {name} of {other.name}"
            for other in self._world.apps
            for name in ([f"{other.secrets}/"] if is_read else other.names)
            if other is not self._acting and name in said
        }

    def _chosen[T](self, chances: dict[T, int]) -> T:
        return self._random.choices(list(chances), list(chances.values()))[0]

    # What must hold.

    def _wrong(self) -> Iterator[str]:
        yield from (f"{e.name} stands in {e.state}" for e in self._discovered())
        releases = self._world.releases()
        known = {release.id for release in releases}
        for message in self._world.receive():
            if message.get("release") not in {*known, None}:
                yield f"a message about {message['release']}, which is not on record"
        for app in self._world.apps:
            for wrong in self._of_app(app, [each for each in releases if each.app == app.name]):
                yield f"{app.name}: {wrong}"

    def _of_app(self, app: App, releases: Sequence[Release]) -> Iterator[str]:
        for release in releases:
            yield from self._of_release(release)
        markers = self._world.markers(app).values()
        own = {marker: marker.removesuffix("-back") for marker in markers}
        yield from (
            f"a deployment of {marker}, which is no release of it"
            for marker, release in own.items()
            if release not in {each.id for each in releases}
        )
        yield from (f"{n} deployments of {m}" for m, n in Counter(markers).items() if n > 1)
        digests = {each.id: each.digest for each in releases}
        deployed = Counter(digests.get(marker) for marker in markers)
        yield from (f"{n} deployments of {d}" for d, n in deployed.items() if d and n > 1)
        yield from self._of_newest(app, releases)

    def _of_release(self, release: Release) -> Iterator[str]:
        finals = final_messages(self._world, release)
        if release.status in _QUIET:
            if finals:
                yield f"{release.id} is {release.status}, and has messages: {finals}"
        elif release.status not in FINAL:
            yield f"{release.id} is {release.status}"
        elif [status for _, status in finals] != [release.status]:
            yield f"{release.id} is {release.status}, and its final messages are {finals}"
        snapshots = [name for name in self._world.account.snapshots() if release.id in name]
        if len(snapshots) > 1 + sum(name.endswith("-again") for name in snapshots):
            yield f"{len(snapshots)} snapshots: {snapshots}"

    def _of_newest(self, app: App, releases: Sequence[Release]) -> Iterator[str]:
        """The newest push is live, or a message says why not."""
        pushes = [push for push in self._pushes if push.app == app]
        if not pushes:
            return
        newest = pushes[-1]
        found = [
            each for each in releases if each.digest == newest.digest and each.status not in _QUIET
        ]
        if not found:
            yield f"the newest push {newest.tag} ({newest.kind}) was never released"
            return
        last = found[-1]
        if (how := stands(self._world, last, app)) not in allowed():
            yield f"{last.id} of {newest.tag} ({newest.kind}): not allowed: {' | '.join(how)}"
        why = [
            message["reasons"]
            for message in self._world.receive()
            if message.get("release") == last.id and message["status"] in FINAL
        ]
        if last.status != "SUCCEEDED" and not all(why):
            yield f"{last.id} of {newest.tag} is {last.status}, and no message says why"

    def _of_next(self) -> Iterator[str]:
        """The next push of each app is released."""
        self._world.work_again()
        for app in self._world.apps:
            self._push(app, _GOOD)
        self._run()
        for _ in range(_MOST_RECONCILED):
            if not any(self._stuck()):
                return
            self._reconcile_later()
        yield from self._stuck()

    def _stuck(self) -> Iterator[str]:
        releases = {each.id: each for each in self._world.releases()}
        for push in self._pushes[-len(self._world.apps) :]:
            live = releases.get(self._world.live(push.app) or "")
            if live is None or (live.digest, live.status) != (push.digest, "SUCCEEDED"):
                yield f"{push.app.name}: the next push {push.tag} is not live, but {live}"


def scenarios(is_slice: bool) -> Sequence[Scenario]:
    """Seeds with two apps and with twenty."""
    small, large = ([1], []) if is_slice else (range(1, 11), range(1, 3))
    return [
        *(_scenario("two apps", Crowd(2, 8, seed), seed) for seed in small),
        *(_scenario("twenty apps", Crowd(20, 30, seed), seed) for seed in large),
    ]


def _scenario(row: str, crowd: Crowd, seed: int) -> Scenario:
    return Scenario(row=row, column=f"seed {seed}", act=crowd.act, find=crowd.find, seconds=300)
