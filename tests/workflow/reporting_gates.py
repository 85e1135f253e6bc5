"""A gate that asks for its permit, and does what it reads: in the mailbox, while others wait."""

import json
from datetime import UTC, datetime, timedelta

from moto.s3.models import FakeKey, s3_backends

from lightgate.aws.dynamodb_timings import ReleaseTimings
from lightgate.names import RELEASE_VARIABLE
from lightgate.outcome.durations import Durations
from lightgate.release.poll_interval import Observed
from local.lightsail.model import Deployment
from tests.component.cloud import ACCOUNT
from tests.component.lightsail_service import Course
from tests.workflow.world import APP, MAILBOXES, SUCCEEDED, Json, World, spec

PLAN = "ab12cd34"
MESSAGES = {"plan": "plan", "succeeded": "result", "failed": "result"}  # all others: status
ENDS_AFTER = timedelta(seconds=10)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def database(**changes: object) -> Json:
    """The usual spec with other members of its database."""
    return spec(database={"instance": "crops-db", "keepSnapshots": 2, **changes})


def remember(world: World, *, snapshot: float, node: float) -> None:
    """Let there have been a release that took so many seconds."""
    took = [
        Observed(after=timedelta(seconds=each), by=timedelta(seconds=each))
        for each in (snapshot, node)
    ]
    taken = Durations(snapshot=took[0], ended=True, node_start=took[1])
    ReleaseTimings(world.table).add(APP, "of-before", taken)


def reasons(world: World) -> str:
    return " ".join(world.message().content["reasons"])


def told_plan(*migrations: str, hash_: str = PLAN, effect: str = "compatible") -> Json:
    """The event by which a gate tells its plan."""
    operations = [[effect, "AddField", "harvest.season"]]
    return {
        "event": "plan",
        "hash": hash_,
        "count": len(migrations),
        "class": effect,
        "atomic": True,
        "migrations": [{"name": name, "operations": operations} for name in migrations],
    }


def released(plan: Json | None = None) -> Course:
    """A release whose gate tells its plan; an empty one without any."""
    return Course(ends="ACTIVE", log=[(20, "migrate", plan or told_plan()), (39, *SUCCEEDED)])


def line_of(release: str, at: datetime, event: Json, container: str = "migrate") -> Json:
    head = {"lightgate": 1, "release": release, "container": container, "at": at.isoformat()}
    return {**head, **event}


def put_letter(
    world: World, release: str, name: str, text: str, container: str = "migrate"
) -> None:
    world.cloud.client("s3").put_object(
        Bucket=MAILBOXES, Key=f"{APP}/{release}/{container}/{name}.json", Body=text.encode()
    )


def permit_of(release: str, container: str = "migrate") -> Json | None:
    """What stands in the mailbox of the release.

    Read where the bucket keeps it: a gate looks a hundred times as often as Lightgate.
    """
    bucket = s3_backends[ACCOUNT]["aws"].buckets.get(MAILBOXES)
    found = bucket and bucket.keys.get(f"{APP}/{release}/{container}/permit.json")
    permit: Json | None = json.loads(found.value) if isinstance(found, FakeKey) else None
    return permit


class Gate:
    """The gate of the next deployment: its node is there after `starts`.

    It begins its plan once that is permitted, ends if it never will be, and gives up after
    `patience`. `permits` are all that it has read, one after another, and `snapshots` what there
    was of the database when it was permitted to begin. `via` is where it tells how it goes.
    Its deployment `ends` so once it has opened, and `result` is more of its last event.
    """

    def __init__(
        self,
        world: World,
        *migrations: str,
        plan: Json | None = None,
        starts: float = 30,
        takes: float = 20,
        patience: float = 1200,
        via: str = "mailbox",
        container: str = "migrate",
        ends: str = "ACTIVE",
        result: Json | None = None,
    ) -> None:
        self.permits: list[Json] = []
        self.snapshots: dict[str, str] = {}
        self.ready_at: datetime | None = None
        self.began_at: datetime | None = None
        self._world, self._via = world, via
        self._container, self._ends, self._result = container, ends, result or {}
        self._plan = plan or told_plan(*migrations)
        self._starts, self._takes = timedelta(seconds=starts), timedelta(seconds=takes)
        self._patience = timedelta(seconds=patience)
        self._after = max(world.lightsail.deployments(APP), default=0)
        self._is_over = False
        world.lightsail.courses.append(Course(ends=None))
        world.clock.watch(self._look)

    @property
    def states(self) -> list[str]:
        return [permit["state"] for permit in self.permits]

    @property
    def deployment(self) -> Deployment | None:
        """Its deployment, once that is created."""
        for deployment in self._world.lightsail.services[APP].service.deployments:
            gate = deployment.containers.get(self._container)
            if deployment.version > self._after and gate and RELEASE_VARIABLE in gate.environment:
                return deployment
        return None

    @property
    def release(self) -> str:
        assert self.deployment is not None
        return self.deployment.containers[self._container].environment[RELEASE_VARIABLE]

    def tell(self, event: Json) -> None:
        now = self._world.clock.now()
        text = json.dumps(line_of(self.release, now, event, self._container))
        if self._via == "mailbox":
            name = MESSAGES.get(event["event"], "status")
            put_letter(self._world, self.release, name, text, self._container)
        else:
            self._world.lightsail.logs.restore(APP, self._container, text, now)

    def _look(self) -> None:
        deployment, now = self.deployment, self._world.clock.now()
        if self._is_over or deployment is None or now - deployment.created_at < self._starts:
            return
        if self.ready_at is None:
            self.ready_at = now
            self.tell(self._plan)
        if self.began_at is not None:
            if now - self.began_at >= self._takes:
                self._succeed()
            return
        permit = self._read()
        if self._plan["count"] == 0:
            self._succeed()
        elif permit["state"] == "void":
            self._fail(f"the permit is void: {permit['reason']}")
        elif permit["state"] == "granted" and permit["plan"] == self._plan["hash"]:
            if now < datetime.fromtimestamp(permit["until"], UTC):
                self._begin()
            else:
                self._fail("the permit has expired")
        elif now - self.ready_at >= self._patience:
            self._fail("no permit")

    def _read(self) -> Json:
        permit = permit_of(self.release, self._container) or {"state": "missing"}
        if permit not in self.permits[-1:]:
            self.permits.append(permit)
        return permit

    def _begin(self) -> None:
        self.began_at = self._world.clock.now()
        self.snapshots = self._world.instance.snapshots()
        for migration in self._plan["migrations"]:
            self.tell({"event": "applying", "migration": migration["name"]})

    def _succeed(self) -> None:
        self.tell({"event": "succeeded", "seconds": 9.0, **self._result})
        self._end(self._ends)

    def _fail(self, error: str) -> None:
        self.tell({"event": "failed", "cause": "permit", "error": error})
        self._end("FAILED")

    def _end(self, state: str) -> None:
        assert self.deployment is not None
        version, self._is_over = self.deployment.version, True
        self._world.lightsail.services[APP].later(
            ENDS_AFTER,
            lambda service: (
                service.activated(version) if state == "ACTIVE" else service.failed(version)
            ),
        )


def check_nothing_was_applied(world: World, gate: Gate) -> None:
    assert gate.began_at is None
    assert "granted" not in gate.states
    permit = permit_of(gate.release)
    assert permit is not None
    assert permit["state"] == "void"
    assert world.lightsail.serving(APP) == 1
