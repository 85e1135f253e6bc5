"""Lightsail in this process: the emulator's rules, state and wire format, without processes.

What becomes of a deployment, and what its gate writes, is not the work of containers here
but a course that the test gives.
"""

import json
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ReadTimeoutError

from local.lightsail.api.operations import Operations
from local.lightsail.api.protocol import CONTENT_TYPE, Wire, error_answer
from local.lightsail.errors import ApiError, invalid_input, service_failure, throttled
from local.lightsail.model import (
    Container,
    Deployment,
    PublicEndpoint,
    Service,
    ServiceState,
    StateDetail,
)
from local.lightsail.service.logs import LogStore
from local.lightsail.service.metrics import Metrics
from local.lightsail.switches import Switches

if TYPE_CHECKING:
    from local.lightsail.service.region import Region

CREATE = "CreateContainerServiceDeployment"
GET_SERVICES = "GetContainerServices"
GET_LOG = "GetContainerLog"

# Names the release that a container belongs to.
RELEASE_VARIABLE = "LIGHTGATE_RELEASE"

_WIRE = Wire()

_CREATION_TAKES, _DELETION_TAKES = timedelta(seconds=90), timedelta(seconds=40)
_STARTED = "Started 1 new node"
_PULL_FAILS_AFTER = timedelta(seconds=30)

# An image that is the same for ever.
PINNED = f"nginx@sha256:{'7' * 64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a deployment goes: `ends` after some time, or never if that is None.

    `log` has the events of its gates with the second in which each is written.
    """

    ends: str | None = "ACTIVE"
    after: timedelta = timedelta(seconds=150)
    log: Sequence[tuple[float, str, Mapping[str, Any] | str]] = ()


_LOAD = {"CPUUtilization": 12.5, "MemoryUtilization": 40.0}


class _Runner:
    """Stands where the emulator has the runner of one service and its containers."""

    def __init__(self, region: "LightsailService", service: Service) -> None:
        self._region = region
        self._service = service
        self._changes: list[tuple[datetime, Callable[[Service], Service]]] = []
        self._before: tuple[Service, datetime] | None = None
        self._crashes: Counter[int] = Counter()
        self.gone_at: datetime | None = None
        self.load_balancer = SimpleNamespace(url=f"https://{service.name}.example.com/")

    @property
    def service(self) -> Service:
        due = [change for at, change in self._changes if at <= self._region.clock()]
        self._changes = [entry for entry in self._changes if entry[1] not in due]
        for change in due:
            self._service = change(self._service)
        return self._service

    @property
    def shown(self) -> Service:
        if self._before is not None and self._region.clock() < self._before[1]:
            return self._before[0]
        return self.service

    @property
    def metrics(self) -> Metrics:
        """The nodes have used the same share of their power for an hour."""
        found, now = Metrics(), self._region.clock()
        for minutes in range(60, 0, -1):
            found.add(now - timedelta(minutes=minutes), 60, _LOAD)
        return found

    def switches(self) -> Switches:
        return self._region.switches

    def deploy(
        self, containers: Mapping[str, Container], endpoint: PublicEndpoint | None
    ) -> Service:
        now, switches = self._region.clock(), self._region.switches
        before = self.service
        before.refuse_if_busy(switches.busy_error_text)
        self._service = before.deploying(containers, endpoint, now)
        self._before = (before, now + timedelta(seconds=switches.read_lag))
        course = self._region.next_course()
        if switches.puller_policy != "allows":
            course = Course(ends="FAILED", after=_PULL_FAILS_AFTER)
        self.follow(course, self._service.deployments[-1])
        at_once = StateDetail.CREATING_DEPLOYMENT if switches.state_detail_at_create else None
        return self._service.showing(at_once)

    def follow(self, course: Course, deployment: Deployment) -> None:
        self._say(deployment, "Creating your deployment", *[_STARTED] * self._pulls)
        for seconds, container, event in course.log:
            written_at = deployment.created_at + timedelta(seconds=seconds)
            if isinstance(event, str):  # a line of the app itself
                self._region.logs.restore(self._service.name, container, event, written_at)
                continue
            line = {
                "lightgate": 1,
                "release": deployment.containers[container].environment[RELEASE_VARIABLE],
                "container": container,
                "at": written_at.isoformat(),
                **event,
            }
            self._region.logs.restore(self._service.name, container, json.dumps(line), written_at)
        if course.ends is not None:
            self.end(deployment, course.ends, course.after)

    def end(self, deployment: Deployment, state: str, after: timedelta) -> None:
        """Let the deployment be ACTIVE or FAILED after some time."""

        def change(service: Service) -> Service:
            if state == "ACTIVE":
                self._say(deployment, "Reached a steady state", "Finalizing your deployment")
                return service.activated(deployment.version)
            self._say(deployment, "Canceled")
            return service.failed(deployment.version)

        self.later(after, change)

    def exits(self, deployment: Deployment) -> bool:
        """Whether a container that crashes now is launched again, or its deployment fails."""
        switches = self._region.switches
        self._crashes[deployment.version] += 1
        again = switches.exit_nonzero == "restart"
        if again and self._crashes[deployment.version] < switches.launches(self._service.scale):
            self._say(deployment, _STARTED)
            return True
        return False

    @property
    def _pulls(self) -> int:
        """How often an image is pulled until that works, or is given up."""
        switches = self._region.switches
        allowed = switches.puller_policy == "allows"
        return 1 if allowed else switches.launches(self._service.scale)

    def _say(self, deployment: Deployment, *lines: str) -> None:
        """Lightsail's own lines in the logs of the containers."""
        switches, region = self._region.switches, self._region
        if switches.puller_policy == "silent":
            return
        names = list(deployment.containers)[: 1 if switches.system_lines == "first" else None]
        for name in names:
            for line in lines:
                text = f"[deployment:{deployment.version}] {line}"
                region.logs.restore(self._service.name, name, text, region.clock())

    def later(self, after: timedelta, change: Callable[[Service], Service]) -> None:
        self._changes.append((self._region.clock() + after, change))

    def change(self, change: Callable[[Service], Service]) -> None:
        self._service = change(self.service)

    def begin(self) -> None:
        """Make the nodes of a new service, which takes a while."""
        self.later(_CREATION_TAKES, lambda service: service.ended().with_principal())

    def delete(self) -> None:
        switches = self._region.switches
        self.service.refuse_deletion_if_busy(switches.busy_delete_text, switches.busy_error_text)
        self.change(lambda service: service.begun(ServiceState.DELETING))
        self.gone_at = self._region.clock() + _DELETION_TAKES


class LightsailService:
    """The API of one Region; the state of its services is the emulator's own model."""

    # The one whose tags decide about rights.
    newest: "LightsailService | None" = None

    def __init__(self, clock: Callable[[], datetime]) -> None:
        LightsailService.newest = self
        self.clock = clock
        self.switches = Switches(log_lag=0)
        self.logs = LogStore(clock)
        self.services: dict[str, _Runner] = {}
        self.courses: deque[Course] = deque()
        self._chance = random.Random(0)  # noqa: S311 - the same in each run
        self._operations = Operations(cast("Region", _Region(self)))
        self._faults: dict[str, deque[str]] = defaultdict(deque)

    def add(self, name: str) -> None:
        """A service that is ready and runs nothing."""
        service = Service(
            name=name,
            arn=f"arn:aws:lightsail:us-east-1:123456789012:ContainerService/{name}",
            created_at=self.clock(),
            power="nano",
            scale=1,
            changing=None,
            puller_role=True,
        ).with_principal()
        self.services[name] = _Runner(self, service)

    def deploy_by_somebody(
        self,
        name: str,
        course: Course | None = None,
        image: str = PINNED,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """A deployment that is not ours; without a course it is active at once."""
        containers = {"web": Container(image, environment=environment or {}, ports={"80": "HTTP"})}
        runner = self.services[name]
        runner.change(lambda service: service.deploying(containers, None, self.clock()))
        deployment = runner.service.deployments[-1]
        runner.follow(course or Course(after=timedelta()), deployment)
        return deployment.version

    def update(self, name: str, *, takes: timedelta) -> None:
        """Let the service be UPDATING for some time."""
        runner = self.services[name]
        runner.change(lambda service: service.begun(ServiceState.UPDATING))
        runner.later(takes, lambda service: service.ended())

    def tag(self, name: str, key: str, value: str) -> None:
        """Tag the service, as `aws lightsail tag-resource` does."""
        self.services[name].change(
            lambda service: replace(service, tags={**service.tags, key: value})
        )

    def disable(self, name: str) -> None:
        self.services[name].change(lambda service: replace(service, is_disabled=True))

    def let_no_role_pull(self, name: str) -> None:
        """Take the role to pull images from the service."""
        self.services[name].change(
            lambda service: replace(service, puller_role=False, principal_arn="")
        )

    def let_pull(self, name: str, role_after: timedelta = timedelta()) -> None:
        """Let the service have a role to pull images with, which takes a while to come."""
        runner = self.services[name]
        runner.change(lambda service: replace(service, puller_role=True))
        runner.later(role_after, lambda service: service.with_principal())

    def remove(self, name: str) -> None:
        del self.services[name]

    def deployments(self, name: str) -> dict[int, str]:
        """The state of each version."""
        found = self.services[name].service.deployments
        return {deployment.version: deployment.state.value for deployment in found}

    def deployment(self, name: str, version: int) -> Deployment:
        found = self.services[name].service.deployments
        [deployment] = [d for d in found if d.version == version]
        return deployment

    def serving(self, name: str) -> int | None:
        current = self.services[name].service.current_deployment
        return current.version if current else None

    def next_course(self) -> Course:
        """How the deployment goes that is created now."""
        return self.courses.popleft() if self.courses else Course()

    def fail(self, operation: str, *faults: str) -> None:
        """What happens to the next requests, see `answer`; only `lost` has an effect."""
        self._faults[operation].extend(faults)

    def _forget_deleted(self) -> None:
        now = self.clock()
        gone = [n for n, one in self.services.items() if one.gone_at and one.gone_at <= now]
        for name in gone:
            del self.services[name]

    def switches_of(self, _service: str) -> Switches:
        return self.switches

    def answer(self, request: Mapping[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        """The status, headers and body of the answer to a request that botocore has written."""
        target = request["headers"]["X-Amz-Target"]
        try:
            operation, parameters = _WIRE.parse(target, request["body"], refuse_unknown=True)
            self._forget_deleted()
            fault = self._faults[operation].popleft() if self._faults[operation] else "ok"
            # By chance: spread evenly, it may strike the same call of a step for ever.
            if fault == "throttled" or self._chance.random() < self.switches.throttle_rate:
                raise throttled(self.switches.throttle_text)
            if fault == "broken":
                raise service_failure()
            if fault == "wrong":
                raise invalid_input("The image is not one that can be deployed.")
            if fault == "quoted":
                given = parameters["containers"]["web"]["environment"]
                raise invalid_input(f"Container web has invalid environment variables: {given}")
            found = _result(self._operations.perform(operation, parameters))
            if fault == "lost":
                raise ReadTimeoutError(endpoint_url=request["url"])
            status, body = HTTPStatus.OK, _WIRE.render(operation, found)
        except ApiError as error:
            status, body = error_answer(error)
        return status.value, {"Content-Type": CONTENT_TYPE}, body


class _Region:
    """What the operations of the emulator need of its region."""

    name, account = "us-east-1", "123456789012"

    def __init__(self, services: LightsailService) -> None:
        self._services = services

    def __getattr__(self, name: str) -> Any:
        return getattr(self._services, name)

    async def add(self, service: Service) -> _Runner:
        runner = self._services.services[service.name] = _Runner(self._services, service)
        return runner


def _result(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """Run what never waits for anything."""
    try:
        work.send(None)
    except StopIteration as end:
        return cast("dict[str, Any]", end.value)
    raise AssertionError("the operation waits for something")
