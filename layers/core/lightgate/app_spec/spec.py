"""The app spec as values: what a user's `containers-with-migrations.json` says.

`lightgate.spec_parser.parser` makes an `AppSpec` from text and guarantees what is said here;
everything else reads it.
"""

import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lightgate.app_spec.django_command import manage_call
from lightgate.backup import BackupMode, DatabaseKind

# Of a command that must end. Shorter than what Lightsail is trusted to wait, so that there
# is time left in which its gate may wait for a restore point.
DEFAULT_TIMEOUT_SECONDS = 600


class Stage(enum.StrEnum):
    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class Policy(enum.StrEnum):
    """What happens to a release whose migrations may break the old version of the app."""

    ALLOW = "allow"
    WARN = "warn"
    BLOCK = "block"


class AfterFailure(enum.StrEnum):
    """What a container whose command failed does: end, or stay with its gate shut."""

    EXIT = "exit"
    HOLD = "hold"


class Condition(enum.StrEnum):
    """What a container waits for in another one; the names and meanings are those of ECS."""

    START = "START"
    COMPLETE = "COMPLETE"
    SUCCESS = "SUCCESS"
    HEALTHY = "HEALTHY"

    @property
    def proves_success(self) -> bool:
        """Whether the condition can hold only if the other container did its work well."""
        return self in (Condition.SUCCESS, Condition.HEALTHY)

    @property
    def needs_an_end(self) -> bool:
        """Whether the other container must end for the condition to hold."""
        return self in (Condition.SUCCESS, Condition.COMPLETE)


class SecretStore(enum.StrEnum):
    SECRETS_MANAGER = "secretsmanager"
    PARAMETER_STORE = "ssm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """Where a secret is kept. The value itself is read in the Deploy step only."""

    store: SecretStore
    name: str
    json_key: str | None = None
    version_stage: str | None = None

    def __str__(self) -> str:
        parts = [self.name, self.json_key, self.version_stage]
        return ":".join([self.store.value, *(part for part in parts if part is not None)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    container: str
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """A command that proves a container well: exit code 0 is healthy."""

    command: tuple[str, ...]
    interval_seconds: int
    timeout_seconds: int
    retries: int
    start_period_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of the deployment.

    `image` is None for the pushed image, `command` is None for the image's own. The
    environment and secrets of the whole app are merged in already, the container's own
    value winning, so that a name stands in at most one of the two. `manage` is how
    manage.py is called where Lightgate itself has to, `python` the interpreter for the
    gate, `after_failure` what a failed command leads to; each is None for the usual one.
    `pending_command` says, by ending with 0, that there is nothing to do.
    """

    name: str
    image: str | None
    command: tuple[str, ...] | None
    environment: Mapping[str, str]
    secrets: Mapping[str, SecretReference]
    ports: Mapping[int, str]
    depends_on: tuple[Dependency, ...]
    health_check: HealthCheck | None
    timeout_seconds: int | None
    pending_command: tuple[str, ...] | None
    after_failure: AfterFailure | None
    manage: tuple[str, ...] | None
    fixtures: tuple[str, ...]
    python: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointHealthCheck:
    """Lightsail's own check of the public endpoint (lightsail-facts.md, section 9)."""

    path: str
    success_codes: str
    interval_seconds: int
    timeout_seconds: int
    healthy_threshold: int
    unhealthy_threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicEndpoint:
    container: str
    port: int
    health_check: EndpointHealthCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A request that changes something in the app, and the codes of a good answer."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str | None
    success_codes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a version that became active has to show before it counts as good.

    `path` and `success_codes` are None for those of the public endpoint's health check. Without a
    public endpoint nothing is asked: then there is no `write`, and nothing is expected.
    """

    watch_seconds: int
    path: str | None
    success_codes: str | None
    expected_header: tuple[str, str] | None
    expected_text: str | None
    latency_seconds: int
    answers_needed: int
    failures_in_a_row: int
    write: Write | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The database of which a restore point is taken for each release.

    `keep_snapshots` is how many of Lightgate's own snapshots stay; None keeps them all.
    `timeout_seconds` is how long one may take until the release is given up.
    """

    kind: DatabaseKind
    name: str
    backup: BackupMode
    keep_snapshots: int | None
    timeout_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """How Django's migrations are applied.

    `lock_timeout_seconds` bounds how long a schema change may wait for a table, 0 for no
    bound; `require_lock` refuses to migrate where nothing keeps two of them apart;
    `database_timeout_seconds` is how long a database may be out of reach.
    `allow_destructive` overrides the policy; a person says so for one release, a spec never.
    """

    policy: Policy
    allow_destructive: bool
    lock_timeout_seconds: int
    require_lock: bool
    database_timeout_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSpec:
    """One app: what is deployed, where, and from which pushes.

    The dependencies form no cycle, name existing containers only, and every gate guards
    the public endpoint unless `unprotected` says that there is none. After
    `platform_patience_seconds` Lightsail may give up a deployment that is not active yet.
    `environment` and `secrets` are those of all containers, which have them merged into their own.
    """

    service: str
    repository: str
    tags: tuple[str, ...]
    stage: Stage
    database: Database | None
    migrations: Migrations
    environment: Mapping[str, str]
    secrets: Mapping[str, SecretReference]
    containers: Mapping[str, Container]
    public_endpoint: PublicEndpoint | None
    verification: Verification
    unprotected: bool
    poll_seconds: int
    deployment_timeout_seconds: int
    platform_patience_seconds: int

    def conditions_on(self, name: str) -> frozenset[Condition]:
        """What the other containers wait for in this one; empty if nobody waits."""
        return frozenset(
            dependency.condition
            for container in self.containers.values()
            for dependency in container.depends_on
            if dependency.container == name
        )

    def open_variables(self) -> dict[str, tuple[str, ...]]:
        """For each container the variables whose values stand in the spec: they are no secrets."""
        return {name: tuple(each.environment) for name, each in self.containers.items()}

    def open_ports(self, name: str) -> dict[int, str]:
        """The container's ports, with the one that the public endpoint needs of it."""
        ports = dict(self.containers[name].ports)
        if self.public_endpoint is not None and self.public_endpoint.container == name:
            ports.setdefault(self.public_endpoint.port, "HTTP")
        return ports

    def runs_to_an_end(self, name: str) -> bool:
        """Whether another container waits for this one to end; otherwise it serves."""
        return any(condition.needs_an_end for condition in self.conditions_on(name))

    def uses_preset(self, name: str) -> bool:
        """Whether the stage decides what the container runs.

        It does for a migration without a command of its own: the image's command would
        be the app itself, which never ends.
        """
        return self._gives_no_command(name) and self.runs_to_an_end(name)

    def uses_image_command(self, name: str) -> bool:
        """Whether the container runs the CMD of the pushed image."""
        return self._gives_no_command(name) and not self.runs_to_an_end(name)

    def _gives_no_command(self, name: str) -> bool:
        container = self.containers[name]
        return container.command is None and container.image is None

    def time_limit(self, name: str) -> int | None:
        """The seconds that the container's command may take; None for one that runs on."""
        if not self.runs_to_an_end(name):
            return self.containers[name].timeout_seconds
        return self.containers[name].timeout_seconds or DEFAULT_TIMEOUT_SECONDS

    def reads_plan(self, name: str) -> bool:
        """Whether the gate of this container can read the plan of what it runs: Django's."""
        container = self.containers[name]
        if container.image is not None or not self.runs_to_an_end(name):
            return False
        return self.uses_preset(name) or manage_of(container) is not None

    def asking_gates(self) -> tuple[str, ...]:
        """The gates that apply nothing without a permit; none if the release is sequential.

        A command that cannot tell whether there is anything to do would need one at every
        start, also long after its release.
        And without a public endpoint nothing would hold the old version meanwhile.
        """
        tasks = [name for name in self.containers if self.runs_to_an_end(name)]
        if self.unprotected or not all(self._can_tell_pending(name) for name in tasks):
            return ()
        return tuple(tasks)

    def _can_tell_pending(self, name: str) -> bool:
        return self.reads_plan(name) or self.containers[name].pending_command is not None

    def gates(self) -> tuple[str, ...]:
        """The containers that must do well before another may start, in spec order."""
        return tuple(
            name
            for name in self.containers
            if any(condition.proves_success for condition in self.conditions_on(name))
        )

    def gates_before(self, name: str) -> frozenset[str]:
        """The gates that hold the container back, directly or through others.

        A weak condition passes on what holds the other container: it cannot start, so
        it cannot end either, before its own gates have opened.
        """

        def walk(current: str, path: frozenset[str]) -> Iterator[str]:
            for dependency in self.containers[current].depends_on:
                if dependency.condition.proves_success:
                    yield dependency.container
                if dependency.container not in path:
                    yield from walk(dependency.container, path | {dependency.container})

        return frozenset(walk(name, frozenset({name})))

    def watches(self, repository: str, tag: str) -> bool:
        """Whether a push of this tag to this repository is a release of the app."""
        return repository == self.repository and any(matches(tag, p) for p in self.tags)

    def default_tag(self) -> str | None:
        """The tag that a release by hand means when it names none: the first without `*`."""
        return next((tag for tag in self.tags if "*" not in tag), None)


def manage_of(container: Container) -> tuple[str, ...] | None:
    """How the container's own command calls manage.py; None if it is not Django's."""
    return container.manage or manage_call(container.command or ())


def runs_migrate(words: Iterable[str]) -> bool:
    """Whether a command names `migrate`, itself or in a line for a shell.

    What a script does that is called by another name cannot be seen.
    """
    return any(re.search(r"\bmigrate\b", word) for word in words)


def matches(tag: str, pattern: str) -> bool:
    """Whether the tag fits the pattern, in which `*` stands for any characters."""
    first, *others = pattern.split("*")
    if not others:
        return tag == pattern
    *middle, last = others
    if not tag.startswith(first):
        return False
    position = len(first)
    for part in middle:
        found = tag.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return len(tag) - len(last) >= position and tag.endswith(last)
