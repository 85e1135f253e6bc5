"""The app spec as values, read from a user's `containers-with-migrations.json`.

Each class is an object of the spec, and the first paragraph of its docstring describes the object
to the user. Each field that `key` makes is a key of the spec: its name, what may stand there, what
it means, and its default. `lightgate.spec.parser` reads them and guarantees what is said
here; docs/spec.md and docs/spec.schema.json are written from them (`make docs`).
"""

import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lightgate.spec import key_types
from lightgate.spec.database_kinds import BackupMode, DatabaseKind
from lightgate.spec.django_command import MigrateCall, migrate_call
from lightgate.spec.effect import DEFAULT_AUTOMATIC, Effect
from lightgate.spec.key_reader import BOOLEAN, choice, key, list_of, object_of, text, whole
from lightgate.spec.migration_policy import LockRisk, Policy
from lightgate.spec.secret_reference import SecretReference as SecretReference
from lightgate.spec.secret_reference import SecretStore as SecretStore

# The time limit of a command that must end. It is shorter than the time for which Lightsail waits,
# so that the gate can also wait for a snapshot.
DEFAULT_TIMEOUT_SECONDS = 600
# How long Lightsail lets a deployment hang before it gives it up is not published
# (docs/lightsail.md, "How long a deployment takes"). Deployments are seen to take 2 to 15 minutes.
PLATFORM_PATIENCE_SECONDS = 900
LONGEST_POLL_SECONDS = 300


class Stage(enum.StrEnum):
    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class AfterFailure(enum.StrEnum):
    """Whether a container ends after its command has failed, or stays with its gate shut."""

    EXIT = "exit"
    HOLD = "hold"


class DependencyCondition(enum.StrEnum):
    """The state of another container that one waits for; names and meanings are those of ECS."""

    START = "START"
    COMPLETE = "COMPLETE"
    SUCCESS = "SUCCESS"
    HEALTHY = "HEALTHY"

    @property
    def proves_success(self) -> bool:
        """Whether the condition holds only if the other container succeeded or is healthy."""
        return self in (DependencyCondition.SUCCESS, DependencyCondition.HEALTHY)

    @property
    def needs_an_end(self) -> bool:
        """Whether the other container must end for the condition to hold."""
        return self in (DependencyCondition.SUCCESS, DependencyCondition.COMPLETE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A container to wait for, and the state that it must have reached."""

    container: str = key("containerName", text(), "The container to wait for.", example="migrate")
    condition: DependencyCondition = key(
        "condition",
        choice(*DependencyCondition),
        "The state that it must have reached. The names and meanings are those of Amazon ECS.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """A command that checks the container: exit code 0 is healthy. In a container that must end, it
    runs as a preflight before the command. In any other container it runs beside the command until
    it succeeds once. The names, defaults and ranges are those of Amazon ECS.
    """

    command: tuple[str, ...] = key(
        "command",
        key_types.HEALTH_COMMAND,
        "The program and its arguments; no shell sees them. The forms of Amazon ECS are the same: "
        "`CMD` may stand before the program, and `CMD-SHELL` before one line for the image's "
        "`/bin/sh`. A program that the image does not have is a failed check.",
        example=["python", "manage.py", "check", "--database", "default"],
    )
    interval_seconds: int = key(
        "interval", whole(1, 300), "Seconds between two checks.", default=30
    )
    timeout_seconds: int = key(
        "timeout", whole(1, 120), "The time limit of one check in seconds.", default=5
    )
    retries: int = key(
        "retries",
        whole(1, 10),
        "How many checks may fail before the container counts as failed.",
        default=3,
    )
    start_period_seconds: int = key(
        "startPeriod",
        whole(0, 300),
        "Seconds after the start in which a failed check does not count.",
        default=0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of the deployment.

    `image` is None for the pushed image, and `command` is None for the CMD of the image or the
    commands of the stage. `environment` and `secrets` include those of the whole app, and no name
    is in both of them.
    """

    name: str = ""
    image: str | None = key(
        "image",
        key_types.IMAGE_REFERENCE,
        "Another image than the pushed one, public or in ECR, with its digest "
        "(`NAME:TAG@sha256:…`); a tag alone is refused. The container runs the pushed image if "
        "`image` is left out, or is a label of the service's own image store "
        "(`:SERVICE.LABEL.latest`, one label for all containers). The container of "
        "`publicEndpoint`, and a container that others wait for until it ends, always run the "
        "pushed image.",
        example=f"redis:7@sha256:{'7' * 64}",
        default=None,
    )
    command: tuple[str, ...] | None = key(
        "command",
        key_types.ARGV,
        "The program and its arguments; no shell reads them. If it is left out, a migration runs "
        "the commands of the stage, and any other container runs the CMD of its image. The gate "
        "can read the plan only if the command is the call of `migrate` and nothing else.",
        example=["python", "manage.py", "migrate", "--noinput"],
        default=None,
    )
    before: tuple[tuple[str, ...], ...] = key(
        "before",
        key_types.ARGVS,
        "Commands that run one after the other before the gate reads the plan of `command`, or of "
        "the commands of the stage. If one fails, nothing is migrated. They must not change the "
        "schema.",
        example=[["python", "manage.py", "makemigrations", "--check", "--dry-run"]],
        default=(),
    )
    then: tuple[tuple[str, ...], ...] = key(
        "then",
        key_types.ARGVS,
        "Commands that run one after the other once everything is migrated, also if nothing was "
        "pending. The gate opens after the last one. They must not change the schema.",
        example=[["python", "manage.py", "collectstatic", "--noinput"]],
        default=(),
    )
    environment: Mapping[str, str] = key(
        "environment",
        key_types.ENVIRONMENT,
        "Variables of this container. They override those of the app.",
        default_factory=dict,
    )
    secrets: Mapping[str, SecretReference] = key(
        "secrets",
        key_types.SECRETS,
        "Secret variables of this container. They override those of the app.",
        default_factory=dict,
    )
    ports: Mapping[int, str] = key(
        "ports",
        key_types.PORTS,
        "The ports that the container listens on, each with its protocol. The port of the public "
        "endpoint is always open.",
        example={"8000": "HTTP"},
        default_factory=dict,
    )
    depends_on: tuple[Dependency, ...] = key(
        "dependsOn",
        list_of(object_of(Dependency)),
        "The containers that this one waits for before it starts, and the condition for each.",
        default=(),
    )
    health_check: HealthCheck | None = key("healthCheck", object_of(HealthCheck), default=None)
    timeout_seconds: int | None = key(
        "timeoutSeconds",
        whole(1, 43200),
        "The time limit of the command in a container that others wait for with SUCCESS or "
        f"COMPLETE. If it is left out, it is {DEFAULT_TIMEOUT_SECONDS}. A Django app may take as "
        "long to load before its plan is read.",
        example=300,
        default=None,
    )
    pending_command: tuple[str, ...] | None = key(
        "pendingCommand",
        key_types.ARGV,
        "For a command that is not Django. Exit code 0 means that there is nothing to do. Then "
        "Lightgate does not run the command.",
        example=["flyway", "validate"],
        default=None,
    )
    after_failure: AfterFailure | None = key(
        "afterFailure",
        choice(*AfterFailure),
        "`exit` ends the container, so that Lightsail gives up soon; `hold` keeps it, with its "
        "gate shut, so that a relaunch cannot run the command again. If it is left out, it is "
        "`exit` for Django, where the database has a record of the failed attempt, and `hold` for "
        "every other command.",
        default=None,
    )
    manage: tuple[str, ...] | None = key(
        "manage",
        key_types.ARGV,
        "How the commands of the stage, and the gate when it reads the plan, call manage.py. With "
        "a `command`, that has to be these words followed by `migrate`. If it is left out, it is "
        "the part before `migrate` in `command`, and for the commands of "
        "the stage it is `python manage.py`.",
        example=["python", "app/manage.py"],
        default=None,
    )
    fixtures: tuple[str, ...] = key(
        "fixtures",
        key_types.FIXTURES,
        "The fixtures that `loaddata` loads after the migration in the stage `development`.",
        example=["fixtures/dev_data.json"],
        default=(),
    )
    python: str | None = key(
        "python",
        key_types.PROGRAM,
        "The Python interpreter, 3.8 or later, that runs the gate in this container. It is "
        "required for another image than the pushed one if the container waits for another one, "
        "or another one waits for it. If it is left out, it is `python3`.",
        example="python3",
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointHealthCheck:
    """Lightsail's own check of the public endpoint, which decides whether the new version takes
    over.

    The ranges are Lightsail's (docs/lightsail.md, "Quotas"). Its default of the success codes is
    not: `200-499` takes 401, 404 and 429 for healthy.
    """

    path: str = key(
        "path", key_types.PATH, "The path that the check requests.", example="/healthz", default="/"
    )
    success_codes: str = key(
        "successCodes",
        key_types.SUCCESS_CODES,
        "The status codes of a healthy answer, from 200 to 499. Lightsail's own default, 200-499, "
        "counts errors as healthy.",
        example="200-299,301",
        default="200-399",
    )
    interval_seconds: int = key(
        "intervalSeconds", whole(5, 300), "Seconds between two checks.", default=5
    )
    timeout_seconds: int = key(
        "timeoutSeconds", whole(2, 60), "The time limit of an answer in seconds.", default=2
    )
    healthy_threshold: int = key(
        "healthyThreshold",
        whole(2, 10),
        "How many good answers in a row make the container healthy.",
        default=2,
    )
    unhealthy_threshold: int = key(
        "unhealthyThreshold",
        whole(2, 10),
        "How many bad answers in a row make the container unhealthy.",
        default=2,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicEndpoint:
    """The container that serves the public URL. It must wait, directly or through others, for every
    container that another one waits for with SUCCESS or HEALTHY.
    """

    container: str = key("containerName", text(), "The container that serves.", example="web")
    port: int = key(
        "containerPort", whole(1, 65535), "The port on which the container listens.", example=8000
    )
    health_check: EndpointHealthCheck = key(
        "healthCheck",
        object_of(EndpointHealthCheck),
        default_factory=EndpointHealthCheck,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedHeader:
    """A header that the answer must have, with exactly this value. A value with `{release}` proves
    that the answer comes from the new version.
    """

    name: str = key(
        "name",
        key_types.HEADER_NAME,
        "The name of the header; case makes no difference.",
        example="X-Release",
    )
    value: str = key(
        "value",
        key_types.HEADER_VALUE,
        "The whole value. Lightgate fills in `{release}` and `{digest}`.",
        example="{release}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A request that changes something in the app. Lightgate sends it with each health check until
    one answer was good. The app keeps what the request has changed.
    """

    method: str = key(
        "method", choice("POST", "PUT", "PATCH"), "The method of the request.", default="POST"
    )
    path: str = key("path", key_types.PATH, "The path of the request.", example="/probes")
    headers: Mapping[str, str] = key(
        "headers",
        key_types.HEADERS,
        "Headers of the request. Everybody who may read the parameter can read them, so no secret "
        "belongs here. Host, User-Agent, Connection, Accept-Encoding, Content-Length and "
        "Transfer-Encoding are set by Lightgate.",
        example={"Content-Type": "application/json"},
        default_factory=dict,
    )
    body: str | None = key(
        "body",
        text(longest=2000),
        "The body of the request, in UTF-8. If it is left out, it is empty.",
        example='{"from": "Lightgate"}',
        default=None,
    )
    success_codes: str = key(
        "successCodes",
        key_types.SUCCESS_CODES,
        "The status codes of a good answer, from 200 to 499.",
        example="201",
        default="200-299",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How Lightgate verifies a version after it became active. It sends health checks to the public
    URL during the watch period.

    Without a public endpoint no request is sent, so `write` and what is expected are None.
    """

    watch_seconds: int = key(
        "watchSeconds",
        whole(0, 3600),
        "How long Lightgate checks a version after it became active. With 0 the version needs its "
        "`answersNeeded` and no more.",
        example=600,
        default=120,
    )
    path: str | None = key(
        "path",
        key_types.PATH,
        "The path that Lightgate requests with GET. If it is left out, it is the path of the "
        "endpoint's health check. A path that reads from the database proves more.",
        example="/status",
        default=None,
    )
    success_codes: str | None = key(
        "successCodes",
        key_types.SUCCESS_CODES,
        "The status codes of a good answer, from 200 to 499. If they are left out, they are those "
        "of the endpoint's health check. Lightgate does not follow a redirect.",
        example="200",
        default=None,
    )
    expected_header: ExpectedHeader | None = key(
        "expectHeader", object_of(ExpectedHeader), default=None
    )
    expected_text: str | None = key(
        "expectText",
        text(longest=200),
        "The text that the first 64 KB of the answer must contain, word for word. Lightgate fills "
        "in `{release}` and `{digest}`.",
        example="release {release}",
        default=None,
    )
    latency_seconds: int = key(
        "latencySeconds",
        whole(1, 30),
        "The time limit of a whole answer. A slower answer is bad.",
        default=5,
    )
    answers_needed: int = key(
        "answersNeeded",
        whole(1, 10),
        "How many health checks in a row must pass at the end of the period.",
        default=3,
    )
    failures_in_a_row: int = key(
        "failuresInARow",
        whole(1, 10),
        "How many failed health checks in a row fail the version, at any time. With 3, it also "
        "fails if more than 3 of the last 15 health checks fail.",
        default=3,
    )
    write: Write | None = key("write", object_of(Write), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The database that Lightgate backs up for each release: one of `instance`, `cluster` and
    `lightsail`. Without it there is no backup.

    `keep_snapshots` is how many of Lightgate's own snapshots stay.
    """

    instance: str | None = key(
        "instance",
        key_types.INSTANCE,
        "The identifier of the RDS instance.",
        example="crops-backend-db",
        default=None,
    )
    cluster: str | None = key(
        "cluster",
        key_types.CLUSTER,
        "The identifier of the Aurora cluster or Multi-AZ DB cluster. A snapshot is of the whole "
        "cluster, so do not name a member as `instance`.",
        example="crops-cluster",
        default=None,
    )
    lightsail: str | None = key(
        "lightsail",
        key_types.LIGHTSAIL_DATABASE,
        "The name of the managed database of Lightsail.",
        example="crops-database",
        default=None,
    )
    backup_mode: BackupMode | None = key(
        "backup",
        choice(*BackupMode),
        "`always` takes a snapshot for each release. `when-pending` takes one only if there are "
        "pending migrations, and `by-risk` only if one of their operations is not known to be "
        "compatible with the previous version. `point-in-time` takes none, and records how far the "
        "database's own continuous backup reaches. `none` does nothing. If it is left out, it is "
        "`always`, and for `lightsail` it is `when-pending`, because a snapshot makes a standard "
        "database of Lightsail unavailable for a while. If Lightgate cannot read the plan, "
        "`when-pending` and `by-risk` are `always`.",
        example="when-pending",
        default=None,
    )
    keep_snapshots: int = key(
        "keepSnapshots",
        whole(1, 100),
        "How many of the snapshots that this stack took of this database for this app Lightgate "
        "keeps. It deletes older ones after a successful release. It never counts or deletes "
        "copies, snapshots that a person took, or snapshots of a database that had the same name "
        "before. AWS allows 100 manual snapshots in an account and region.",
        default=30,
    )
    timeout_seconds: int = key(
        "timeoutSeconds",
        whole(60, 86400),
        "How long a release waits for its snapshot.",
        default=3600,
    )

    @property
    def kind(self) -> DatabaseKind:
        given = (kind for kind in DatabaseKind if getattr(self, kind) is not None)
        return next(given, DatabaseKind.INSTANCE)

    @property
    def name(self) -> str:
        return self.instance or self.cluster or self.lightsail or ""

    @property
    def backup(self) -> BackupMode:
        return self.backup_mode or self.kind.usual_mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """How the gate applies Django's migrations. It reads the plan first, in a container whose
    command is Django's `migrate`. Without pending migrations it applies nothing.

    `allow_destructive` overrides the policy; a person says so for one release, a spec never.
    """

    policy: Policy = key(
        "policy",
        choice(*Policy),
        "What Lightgate does with a plan that may break the live version: `allow` and `warn` "
        "apply it, `block` applies nothing and refuses the release. A release by hand with "
        "`allowDestructive` overrides the policy.",
        default=Policy.WARN,
    )
    allow_destructive: bool = False
    automatic_rollback: tuple[Effect, ...] = key(
        "automaticRollback",
        list_of(choice(*Effect)),
        "The classes of migrations after which an unhealthy version is rolled back automatically; "
        "`compatible` always is one. Add `data` if your data migrations leave rows that the "
        "previous version can work with. With `breaking` or `unknown`, Lightgate rolls back to "
        "code that may fail.",
        example=["compatible", "restricted", "data"],
        default=DEFAULT_AUTOMATIC,
    )
    declared: Mapping[str, str] = key(
        "declared",
        key_types.DECLARED,
        "Classes of migrations whose Python or SQL Lightgate cannot read, each with a reason, for "
        "packages that you cannot edit. In your own migrations, write the same text to the "
        "attribute `lightgate` of the class. Lightgate shows that it has not checked it, and never "
        "lets it hide what it sees itself.",
        example={"wagtailcore.0071_populate_revision": "compatible: fills a new column only"},
        default_factory=dict,
    )
    lock_risk: LockRisk = key(
        "lockRisk",
        choice(*LockRisk),
        "What Lightgate does with a plan that blocks reads or writes of a large table for as long "
        "as an index is built, rows are checked or the table is rewritten: `warn` reports it and "
        "applies the plan, `block` applies nothing and refuses the release. A release by hand with "
        "`allowDestructive` overrides it.",
        default=LockRisk.WARN,
    )
    large_table_rows: int = key(
        "largeTableRows",
        whole(1, 10_000_000),
        "How many rows a table has at least to count as large for `lockRisk`, as the database "
        "last counted them.",
        default=500_000,
    )
    allow_outside_gate: bool = key(
        "allowOutsideGate",
        BOOLEAN,
        "Must be `true` if a container that serves, or the ENTRYPOINT of the image, runs `migrate` "
        "by itself. Such a migration has no plan, no lock and no policy. Lightgate reports it, and "
        "does not roll back automatically after it.",
        default=False,
    )
    lock_timeout_seconds: int = key(
        "lockTimeoutSeconds",
        whole(0, 300),
        "How long a schema change may wait for the lock of a table before it is tried again; 0 "
        "for no limit. It applies on PostgreSQL only, and only if every pending migration is "
        "atomic and changes nothing but the schema.",
        default=2,
    )
    require_lock: bool = key(
        "requireLock",
        BOOLEAN,
        "Whether the gate stays shut if it cannot lock the database against a second migration, "
        "or cannot record the attempt. The latter needs the right to create a table.",
        default=True,
    )
    database_timeout_seconds: int = key(
        "databaseTimeoutSeconds",
        whole(1, 3600),
        "How long the gate tries to reach the database.",
        default=60,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """Whether Lightgate may change the database after a release has failed. A rollback alone
    changes only the code.
    """

    reverse: bool = key(
        "reverse",
        BOOLEAN,
        "Whether Lightgate reverses the migrations of a failed release by itself. They must have "
        "succeeded, the new version must never have become healthy, and the previous version "
        "must be unable to work on the new schema. Lightgate does so once, and only "
        "if nothing can be lost: docs/runbook.md has every condition in the section Automatic "
        "reversal. Otherwise such a release ends as FAILED, as "
        "without this key. The app must write nothing before it serves.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """How a rehearsal runs the pending migrations on a temporary copy of the database. The
    gate gets these variables and no others, so that no migration sends mail or charges a card.
    docs/rehearsal.md has the whole procedure.
    """

    database_variable: str = key(
        "databaseVariable",
        key_types.VARIABLE,
        "The variable of `environment` or `secrets` that says where the database is: a URL, a "
        "host, or a host with a port. Lightgate puts the address of the copy into it.",
        example="DATABASE_URL",
    )
    environment: Mapping[str, str] = key(
        "environment",
        key_types.ENVIRONMENT,
        "Variables of the rehearsal. None of the app or of its containers is added.",
        example={"DJANGO_SETTINGS_MODULE": "crops.settings"},
        default_factory=dict,
    )
    secrets: Mapping[str, SecretReference] = key(
        "secrets",
        key_types.SECRETS,
        "Secret variables of the rehearsal, as references. None of the app or of its containers "
        "is added.",
        default_factory=dict,
    )
    max_lock_seconds: int | None = key(
        "maxLockSeconds",
        whole(1, 3600),
        "How long a migration may hold a lock for which reads or writes of the app wait. A "
        "rehearsal with a longer lock FAILED, and so did one whose locks could not be measured. If "
        "it is left out, no lock is too long.",
        example=5,
        default=None,
    )
    before_release: bool = key(
        "beforeRelease",
        BOOLEAN,
        "Rehearse each push on a new snapshot first, and release it only if the rehearsal "
        "SUCCEEDED. Releases and rollbacks that a person starts are not rehearsed. Each rehearsal "
        "costs an instance, a service and a snapshot, and usually 20 to 60 minutes.",
        default=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSpec:
    """One app: the containers, the service, and the pushes that Lightgate releases. The spec is
    stored as JSON of at most 8192 bytes.

    The dependencies form no cycle, name existing containers only, and every gate guards the public
    endpoint unless `unprotected` says that there is none. After `platform_patience_seconds`
    Lightsail may give up a deployment that is not active yet. `environment` and `secrets` are those
    of all containers, which have them merged into their own.
    """

    service: str = key(
        "serviceName",
        key_types.SERVICE,
        "The Lightsail container service that the app is deployed to.",
        example="crops-backend",
    )
    repository: str = key(
        "repository",
        key_types.REPOSITORY_NAME,
        "The ECR repository whose pushes Lightgate releases: its name, or its address in the "
        "registry of the account and region in which Lightgate runs, without a tag.",
        example="team/crops",
    )
    tags: tuple[str, ...] = key(
        "tags",
        key_types.TAGS,
        "The tags whose pushes Lightgate releases; `*` stands for any part of a tag. A release by "
        "hand without a tag takes the first tag without `*`. Tags that begin with `lightgate-` "
        "are Lightgate's own.",
        example=["latest", "v*"],
        default=("latest",),
    )
    stage: Stage = key(
        "stage",
        choice(*Stage),
        "The stage of the app. It decides the commands of a migration without a `command`, and "
        "stands in the messages.",
        default=Stage.PRODUCTION,
    )
    database: Database | None = key("database", object_of(Database), default=None)
    require_private_database: bool = key(
        "requirePrivateDatabase",
        BOOLEAN,
        "Whether a release is refused if `database` is publicly accessible, or if AWS does not say "
        "whether it is. Without this key, each release warns of a public database. A rollback by "
        "hand is not refused: the live version uses the same database.",
        default=False,
    )
    migrations: Migrations = key(
        "migrations",
        object_of(Migrations),
        "How Django's migrations are applied.",
        default_factory=Migrations,
    )
    rollback: Rollback = key(
        "rollback",
        object_of(Rollback),
        "Whether Lightgate may change the database after a release has failed.",
        default_factory=Rollback,
    )
    rehearsal: Rehearsal | None = key("rehearsal", object_of(Rehearsal), default=None)
    environment: Mapping[str, str] = key(
        "environment",
        key_types.ENVIRONMENT,
        "Variables of every container. A value or a secret of that name in the container "
        "overrides them.",
        default_factory=dict,
    )
    secrets: Mapping[str, SecretReference] = key(
        "secrets",
        key_types.SECRETS,
        "Secret variables of every container, as references. A value or a secret of that name in "
        "the container overrides them. No name can be in `environment` as well.",
        default_factory=dict,
    )
    containers: Mapping[str, Container] = key(
        "containers",
        key_types.containers_of(Container),
        "The containers of the deployment, by name. They share one network, so no two of them may "
        "have the same port.",
    )
    public_endpoint: PublicEndpoint | None = key(
        "publicEndpoint", object_of(PublicEndpoint), default=None
    )
    verification: Verification = key(
        "verification", object_of(Verification), default_factory=Verification
    )
    unprotected: bool = key(
        "unprotected",
        BOOLEAN,
        "Must be `true` for a service without a public endpoint. Lightsail does not check the "
        "health of such a service, and replaces the old version while the gate is still shut.",
        default=False,
    )
    poll_seconds: int = key(
        "pollSeconds",
        whole(1, LONGEST_POLL_SECONDS),
        "The usual seconds between two checks of the snapshot or the deployment, until earlier "
        "releases of the app show how long they take. Longer time limits "
        "need a longer interval.",
        default=10,
    )
    # A limit under 30 minutes would give up on deployments that still end well (docs/lightsail.md,
    # "How long a deployment takes"). The waits for the snapshot, for the service and for the
    # deployment fit into the state machine's own limit.
    deployment_timeout_seconds: int = key(
        "deploymentTimeoutSeconds",
        whole(1800, 43200),
        "How long a release waits for its deployment. Lightsail itself may take half an hour.",
        default=3600,
    )
    platform_patience_seconds: int = key(
        "platformPatienceSeconds",
        whole(120, 43200),
        "How long Lightgate assumes that Lightsail waits for a deployment before it gives up. AWS "
        "does not publish this time. Lightgate begins a migration only if its whole time limit "
        "still fits into this time. A gate never waits for its permit longer than 58 minutes, "
        "because its URLs for S3 expire. If a snapshot takes longer than a gate can wait, "
        "Lightgate takes it before the deployment.",
        default=PLATFORM_PATIENCE_SECONDS,
    )

    def conditions_on(self, name: str) -> frozenset[DependencyCondition]:
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

        It does for a migration without a command of its own: the image's command would be the app
        itself, which never ends.
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
        return self.uses_preset(name) or call_of(container) is not None

    def asking_gates(self) -> tuple[str, ...]:
        """The gates that apply nothing without a permit; none if the release is sequential.

        A command that cannot tell whether there is anything to do would need one at every start,
        also long after its release. And without a public endpoint nothing would hold the old
        version meanwhile.
        """
        tasks = [name for name in self.containers if self.runs_to_an_end(name)]
        if self.unprotected or not all(self._can_tell_pending(name) for name in tasks):
            return ()
        return tuple(tasks)

    def _can_tell_pending(self, name: str) -> bool:
        return self.reads_plan(name) or self.containers[name].pending_command is not None

    def gates(self) -> tuple[str, ...]:
        """The containers that must succeed or be healthy before another one starts."""
        return tuple(
            name
            for name in self.containers
            if any(condition.proves_success for condition in self.conditions_on(name))
        )

    def gates_before(self, name: str) -> frozenset[str]:
        """The gates that hold the container back, directly or through others.

        A weak condition passes on what holds the other container: it cannot start, so it cannot end
        either, before its own gates have opened.
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


def call_of(container: Container) -> MigrateCall | None:
    """The call of `migrate` that the container's own command certainly is."""
    return migrate_call(container.command or (), container.manage)


def runs_migrate(words: Iterable[str]) -> bool:
    """Whether a command names `migrate`, itself or in a line for a shell.

    A script with another name may migrate as well; nobody can see that here.
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
