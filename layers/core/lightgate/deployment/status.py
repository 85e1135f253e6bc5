"""The container service as Lightsail shows it, and how a deployment on it has ended."""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import NoReturn

from lightgate.errors import RefusalCode, RefusedError
from lightgate.gate.gate_report import GateReport, Phase
from lightgate.names import COMMAND_CONTAINER, marked_release
from lightgate.outage import LONGEST_OUTAGE

# Logs lag by minutes (docs/lightsail.md, "Container logs"). After an ACTIVE deployment the
# gate's report only enriches the message; after a FAILED one it decides what is said of
# the database, and is worth a longer wait, until the logs show the end of the deployment.
_LOG_PATIENCE_AFTER_ACTIVE = timedelta(seconds=60)
_LOG_PATIENCE_AFTER_FAILED = timedelta(seconds=300)
# CloudWatch or S3 may answer again after an outage, and then the reports are read first.
_UNREAD_PATIENCE = _LOG_PATIENCE_AFTER_FAILED + LONGEST_OUTAGE
# The container's clock and Lightsail's need not agree with each other.
_CLOCK_MARGIN = timedelta(minutes=5)
_NOT_READ = "the versions of the service were not read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The public endpoint as a deployment has it."""

    container: str
    port: int
    path: str
    success_codes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One version of a container service, without its environment, which holds secrets.

    `release` is our marker in it, if it has one, `stack` the stack that made it, if it names one,
    and `images` are those of its containers by name. `endpoint` is None where nothing is public.
    """

    version: int
    state: str
    created_at: datetime
    release: str | None
    stack: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    endpoint: Endpoint | None = None

    @property
    def has_served(self) -> bool:
        return self.state in ("ACTIVE", "INACTIVE")

    @property
    def reverses(self) -> bool:
        """Whether its app waits for a command that reverses the migrations of another release.

        Without that command the same containers would wait for ever.
        """
        marker = self.release or ""
        return marker != marked_release(marker) and COMMAND_CONTAINER in self.images


class NotListed(Sequence[Deployment]):
    """Stands for the versions of a service that were not read. Nothing can be concluded from it."""

    def __getitem__(self, index: object) -> NoReturn:
        raise LookupError(_NOT_READ)

    def __len__(self) -> NoReturn:
        raise LookupError(_NOT_READ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A container service with all versions it still knows, in no particular order.

    While a deployment that is followed is `current` or `next`, the versions are `NotListed`.
    `url` is where it answers, `scale` its number of nodes, and `puller_role` the role with which
    it pulls from private repositories, if it has one; `puller_is_active` is also true while
    Lightsail makes that role. `principal_arn` is another role, that of the containers.
    `tagged_stack` is the stack that its tag
    names, None without the tag. A service that is deleted and created again has another
    `created_at`, and counts its versions from 1: a number alone does not identify a version.
    """

    name: str
    state: str
    disabled: bool
    current: Deployment | None
    next: Deployment | None
    deployments: Sequence[Deployment]
    url: str | None = None
    scale: int = 1
    power: str = ""
    puller_role: str | None = None
    puller_is_active: bool = False
    principal_arn: str | None = None
    tagged_stack: str | None = None
    created_at: datetime | None = None

    def deployment_of(self, release: str) -> Deployment | None:
        """The deployment that this release has made, wherever the service shows it."""
        if self._is_listed:
            return self._newest(lambda deployment: deployment.release == release)
        return next((one for one in self.current_and_next if one.release == release), None)

    @property
    def current_and_next(self) -> Sequence[Deployment]:
        return [one for one in (self.next, self.current) if one is not None]

    @property
    def _is_listed(self) -> bool:
        return not isinstance(self.deployments, NotListed)

    def version_of(self, version: int) -> Deployment | None:
        """The version as the service lists it."""
        shown = () if self._is_listed else self.current_and_next
        return next((one for one in chain(shown, self.deployments) if one.version == version), None)

    @property
    def newest_release(self) -> Deployment | None:
        """The newest deployment that Lightgate has made, whatever became of it."""
        return self._newest(lambda deployment: deployment.release is not None)

    def _newest(self, wanted: Callable[[Deployment], bool]) -> Deployment | None:
        found = [one for one in (*self.current_and_next, *self.deployments) if wanted(one)]
        return max(found, key=lambda deployment: deployment.version, default=None)

    def refuse_if_disabled(self) -> None:
        """Raise RefusedError if the service takes no deployment until a person enables it."""
        if self.disabled:
            raise RefusedError(
                f"serviceName: the container service {self.name} is disabled; enable it in the "
                "Lightsail console and push again",
                code=RefusalCode.SERVICE_DISABLED,
            )

    def serves(self, version: int) -> bool:
        """Whether this number serves. `serves_own` says it of a release's own deployment."""
        current = self.current
        return current is not None and current.version == version and current.state == "ACTIVE"

    def serves_own(self, version: int, marker: str | None) -> bool:
        """Whether the version serves, and is the deployment with this marker."""
        current = self.current
        return self.serves(version) and current is not None and current.release == marker

    def has_replaced(self, version: int, marker: str | None) -> bool:
        """Whether the deployment was active, and then another one took its place."""
        return self._has_come_to("INACTIVE", version, marker)

    def has_failed(self, version: int, marker: str | None) -> bool:
        return self._has_come_to("FAILED", version, marker)

    def _has_come_to(self, state: str, version: int, marker: str | None) -> bool:
        shown = self.deployments if self._is_listed else self.current_and_next
        return any(
            one.version == version and one.release == marker and one.state == state for one in shown
        )


def reports_since(created_at: datetime) -> datetime:
    """From when on the log may have what the gates of a deployment report, by its creation."""
    return created_at - _CLOCK_MARGIN


class Status(enum.StrEnum):
    """How a deployment stands. Only the first two of these are worth asking again."""

    CREATED = "CREATED"
    ACTIVATING = "ACTIVATING"
    ACTIVE = "ACTIVE"
    FAILED = "FAILED"
    OVERDUE = "OVERDUE"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedDeployment:
    """A deployment being followed. `ended_at` is when its end was first seen.

    Version and marker identify it together.
    """

    version: int
    marker: str | None
    created_at: datetime
    time_limit: timedelta
    ended_at: datetime | None


def judge_deployment(
    watch: FollowedDeployment,
    service: Service,
    gate_report: GateReport,
    *,
    unprotected: bool,
    has_told_all: bool,
    now: datetime,
) -> tuple[Status, datetime | None]:
    """How the deployment stands, and when its end was first seen.

    Success is the version being current and active; failure is the list saying so;
    anything else is read again, because reads may lag (docs/lightsail.md, "Deployments and their
    states").
    Once ended, the verdict waits a while for the gate's own report, but not beyond the
    time limit. With `has_told_all` the logs show the end of a failed deployment. A service
    without a public endpoint becomes active whatever the gate does, so there only the report
    counts.
    """
    ended_at = watch.ended_at
    is_overdue = now - watch.created_at >= watch.time_limit
    if service.serves_own(watch.version, watch.marker):
        ended_at = ended_at or now
        if gate_report.phase in (Phase.SUCCEEDED, Phase.UNGATED):
            return Status.ACTIVE, ended_at
        if unprotected:
            if gate_report.phase is Phase.FAILED:
                return Status.FAILED, ended_at
        elif is_overdue or now - ended_at >= _LOG_PATIENCE_AFTER_ACTIVE:
            return Status.ACTIVE, ended_at
    elif service.has_replaced(watch.version, watch.marker):
        return Status.ACTIVE, ended_at or now
    elif service.has_failed(watch.version, watch.marker):
        ended_at = ended_at or now
        is_short = has_told_all and gate_report.phase is not Phase.APPLYING
        patience = _LOG_PATIENCE_AFTER_ACTIVE if is_short else _LOG_PATIENCE_AFTER_FAILED
        patience_ends = is_overdue or now - ended_at >= patience
        if gate_report.phase.is_final or patience_ends:
            return Status.FAILED, ended_at
    if is_overdue:
        return Status.OVERDUE, ended_at
    return Status.ACTIVATING, ended_at


def confirmed_status(
    status: Status,
    ended_at: datetime | None,
    gate_report: GateReport,
    *,
    unread: Sequence[str],
    unknown: Sequence[str],
    now: datetime,
) -> Status:
    """The status, or ACTIVATING while more has to be read before an end can be judged.

    `unread` says which log or gate channel could not be read now, `unknown` which permit. An end
    that the gate has reported stands, except a failure with an unknown permit: a permit may have
    let a migration begin.
    """
    if ended_at is None or not (unread or unknown):
        return status
    is_certain = gate_report.phase.is_final and (status is Status.ACTIVE or not unknown)
    is_over = now - ended_at >= _UNREAD_PATIENCE
    return status if is_certain or is_over else Status.ACTIVATING
