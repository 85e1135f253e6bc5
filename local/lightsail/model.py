"""A container service and its deployments as values, and the rules by which they change.

Every change is a method that returns a new value. The state tables are those of docs/lightsail.md,
"What refuses a deployment" and "Deployments and their states".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal, Self

KEPT_VERSIONS = 50
"""How many deployment versions a service keeps."""
POWERS = {
    "nano": (7.0, 0.25, 0.5),
    "micro": (10.0, 0.25, 1.0),
    "small": (15.0, 0.5, 2.0),
    "medium": (40.0, 1.0, 4.0),
    "large": (80.0, 2.0, 8.0),
    "xlarge": (160.0, 4.0, 16.0),
}
"""Monthly price, CPUs and memory (GB) of each power."""
_ADVICE = {
    "minutes": "Please try again in a few minutes.",
    "wait": "Please wait for it to complete before trying again.",
}


class DeploymentState(StrEnum):
    ACTIVATING = "ACTIVATING"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    FAILED = "FAILED"


class ServiceState(StrEnum):
    PENDING = "PENDING"
    READY = "READY"
    DEPLOYING = "DEPLOYING"
    RUNNING = "RUNNING"
    UPDATING = "UPDATING"
    DELETING = "DELETING"
    DISABLED = "DISABLED"


class StateDetail(StrEnum):
    """The codes of `stateDetail` in PENDING, DEPLOYING and UPDATING."""

    CREATING_SYSTEM_RESOURCES = "CREATING_SYSTEM_RESOURCES"
    PROVISIONING_SERVICE = "PROVISIONING_SERVICE"
    CREATING_DEPLOYMENT = "CREATING_DEPLOYMENT"
    EVALUATING_HEALTH_CHECK = "EVALUATING_HEALTH_CHECK"
    ACTIVATING_DEPLOYMENT = "ACTIVATING_DEPLOYMENT"


class BusyError(Exception):
    """The service accepts no such change in its present state."""


class DisabledError(Exception):
    """The service is disabled, so it accepts no deployment."""


@dataclass(frozen=True, slots=True)
class Container:
    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """The health check of a public endpoint, with the defaults of Lightsail."""

    path: str = "/"
    success_codes: str = "200-499"
    healthy_threshold: int = 2
    unhealthy_threshold: int = 2
    interval_seconds: int = 5
    timeout_seconds: int = 2

    def accepts(self, status: int) -> bool:
        for part in self.success_codes.split(","):
            first, _, last = part.partition("-")
            if int(first) <= status <= int(last or first):
                return True
        return False


@dataclass(frozen=True, slots=True)
class PublicEndpoint:
    container_name: str
    container_port: int
    health_check: HealthCheck = HealthCheck()


@dataclass(frozen=True, slots=True)
class Deployment:
    version: int
    state: DeploymentState
    containers: Mapping[str, Container]
    public_endpoint: PublicEndpoint | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A container service. `deployments` has at most fifty, the oldest first."""

    name: str
    arn: str
    created_at: datetime
    power: str
    scale: int
    tags: Mapping[str, str] = field(default_factory=dict)
    public_domain_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    puller_role: bool = False
    principal_arn: str = ""
    """The role of the containers. Another role pulls the images."""
    is_disabled: bool = False
    changing: ServiceState | None = ServiceState.PENDING
    """PENDING, UPDATING or DELETING while such a change is in progress."""
    detail: StateDetail | None = None
    deployments: tuple[Deployment, ...] = ()
    next_version: int = 1

    @property
    def state(self) -> ServiceState:
        """The state after a failed deployment is the same as after a successful one."""
        if self.changing is not None:
            return self.changing
        if self.next_deployment is not None:
            return ServiceState.DEPLOYING
        if self.is_disabled:
            return ServiceState.DISABLED
        return ServiceState.RUNNING if self.current_deployment else ServiceState.READY

    @property
    def current_deployment(self) -> Deployment | None:
        return self._in_state(DeploymentState.ACTIVE)

    @property
    def next_deployment(self) -> Deployment | None:
        """The deployment in ACTIVATING, if there is one."""
        return self._in_state(DeploymentState.ACTIVATING)

    @property
    def newest_failed(self) -> Deployment | None:
        last = self.deployments[-1] if self.deployments else None
        return last if last and last.state is DeploymentState.FAILED else None

    def _in_state(self, state: DeploymentState) -> Deployment | None:
        return next((d for d in reversed(self.deployments) if d.state is state), None)

    def refuse_if_busy(self, advice: Literal["minutes", "wait"] = "minutes") -> None:
        """Raise BusyError while a change is in progress.

        The advice in Lightsail's text is known only for a deployment in progress.
        """
        upcoming = self.next_deployment
        if self.changing is not None:
            raise BusyError(
                f'The container service "{self.name}" is in the {self.changing} state. '
                f"{_ADVICE[advice]}"
            )
        if upcoming is not None:
            raise BusyError(
                f'Sorry, deployment {upcoming.version} is in progress for service "{self.name}". '
                f"{_ADVICE['wait']}"
            )

    def refuse_deletion_if_busy(
        self, text: Literal["transition", "busy"], advice: Literal["minutes", "wait"]
    ) -> None:
        """Raise BusyError with Lightsail's text for a deletion."""
        if text == "transition" and (self.changing is not None or self.next_deployment is not None):
            raise BusyError(
                f'The specified service is in a transition state ("{self.state}") and cannot be '
                "deleted."
            )
        self.refuse_if_busy(advice)

    def deploying(
        self,
        containers: Mapping[str, Container],
        endpoint: PublicEndpoint | None,
        now: datetime,
    ) -> Self:
        """Accept a deployment, which takes the next version number. A refused one takes none."""
        self.refuse_if_busy()
        if self.is_disabled:
            raise DisabledError(
                f'The container service "{self.name}" is disabled and cannot be deployed to.'
            )
        return self.with_first_deployment(containers, endpoint, now)

    def with_first_deployment(
        self,
        containers: Mapping[str, Container],
        endpoint: PublicEndpoint | None,
        now: datetime,
    ) -> Self:
        """Add a deployment, also to a service that is PENDING."""
        added = Deployment(self.next_version, DeploymentState.ACTIVATING, containers, endpoint, now)
        return replace(
            self,
            deployments=_kept((*self.deployments, added)),
            next_version=self.next_version + 1,
            detail=None,
        )

    def activated(self, version: int) -> Self:
        """Make this version ACTIVE and the previous one INACTIVE."""
        before = self.current_deployment
        states = {before.version: DeploymentState.INACTIVE} if before else {}
        return self._with_states({**states, version: DeploymentState.ACTIVE})

    def failed(self, version: int) -> Self:
        """Make this version FAILED. The previous version stays ACTIVE."""
        return self._with_states({version: DeploymentState.FAILED})

    def _with_states(self, states: Mapping[int, DeploymentState]) -> Self:
        deployments = tuple(
            replace(each, state=states.get(each.version, each.state)) for each in self.deployments
        )
        return replace(self, deployments=deployments, detail=None)

    def with_principal(self) -> Self:
        """Add the ARN that appears when provisioning ends."""
        region, unique = self.arn.split(":")[3], self.arn[-12:]
        role = f"role/amazon/lightsail/{region}/containers/{self.name}/{unique}"
        return replace(self, principal_arn=f"arn:aws:iam::170441448102:{role}")

    @property
    def puller_arn(self) -> str:
        """The role that pulls images from private repositories. It is not `principal_arn`."""
        if not self.puller_role or not self.principal_arn:
            return ""
        path, _, unique = self.principal_arn.rpartition("/")
        return f"{path}/private-repo-access/{unique[::-1]}"

    def begun(self, change: ServiceState, detail: StateDetail | None = None) -> Self:
        return replace(self, changing=change, detail=detail)

    def ended(self) -> Self:
        """Leave PENDING or UPDATING."""
        return replace(self, changing=None, detail=None)

    def showing(self, detail: StateDetail | None) -> Self:
        return replace(self, detail=detail)


def _kept(deployments: tuple[Deployment, ...]) -> tuple[Deployment, ...]:
    """Drop the oldest deployment above fifty, but never the ACTIVE one."""
    if len(deployments) <= KEPT_VERSIONS:
        return deployments
    oldest = next(d for d in deployments if d.state is not DeploymentState.ACTIVE)
    return tuple(d for d in deployments if d is not oldest)
