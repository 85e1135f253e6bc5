"""What the gates of a release have reported, as values.

The app can write lines that look like a gate's. So a report explains a failure and adds facts to a
message, and never makes a protected release succeed.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from lightgate.spec.effect import Effect


class Phase(enum.StrEnum):
    """How far the gates of a release have come, as far as their reports arrived.

    UNGATED: the release has no gate, so no report will come.
    """

    UNGATED = "UNGATED"
    SILENT = "SILENT"
    WAITING = "WAITING"
    APPLYING = "APPLYING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def is_final(self) -> bool:
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.UNGATED)


class GateCause(enum.StrEnum):
    """Why a gate stays shut. Rules decide by it, never by the gate's sentences.

    UNKNOWN is every word that this version of Lightgate does not know.
    """

    ARGUMENTS = "arguments"
    ATTEMPT = "attempt"
    CONFIG = "config"
    DATABASE = "database"
    DEPENDENCY = "dependency"
    DJANGO = "django"
    EXEC = "exec"
    EXIT = "exit"
    HEALTH_CHECK = "healthCheck"
    LOADING = "loading"
    LOCK = "lock"
    MAILBOX = "mailbox"
    MANAGE = "manage"
    PENDING = "pending"
    PERMIT = "permit"
    PLAN = "plan"
    PORT = "port"
    PREFLIGHT = "preflight"
    RECORD = "record"
    REFUSED = "refused"
    SCHEMA = "schema"
    SETTINGS = "settings"
    SIGNAL = "signal"
    SLOW_LOADING = "slow-loading"
    TIMEOUT = "timeout"
    UNPLANNED = "unplanned"
    UNKNOWN = "unknown"

    @property
    def may_have_cut_off(self) -> bool:
        """Whether a running command was stopped or killed, or may have been."""
        return self in (GateCause.TIMEOUT, GateCause.SIGNAL, GateCause.UNKNOWN)

    @property
    def is_end_of_a_run(self) -> bool:
        """Whether the gate gives this cause only after it, or another node, has run a command."""
        return self in _ENDS_OF_A_RUN

    @property
    def is_refusal(self) -> bool:
        """Whether the gate has applied nothing, and will apply nothing."""
        return self in (GateCause.REFUSED, GateCause.SCHEMA)

    @property
    def is_missing_permit(self) -> bool:
        return self in (GateCause.PERMIT, GateCause.MAILBOX)


_ENDS_OF_A_RUN = (
    GateCause.ATTEMPT,
    GateCause.EXIT,
    GateCause.HEALTH_CHECK,
    GateCause.PENDING,
    GateCause.SIGNAL,
    GateCause.TIMEOUT,
    GateCause.UNPLANNED,
)


class DatabaseAfter(enum.StrEnum):
    """What a gate found in its database after a failure.

    UNKNOWN also stands for every word that this version of Lightgate does not know.
    """

    UNCHANGED = "unchanged"
    PART_WAY = "part-way"
    UNKNOWN = "not known"


class CommandStep(enum.StrEnum):
    """The commands around `migrate`, by their key in the spec."""

    BEFORE = "before"
    THEN = "then"


class Detail(enum.StrEnum):
    """A code that specifies the cause. Rules decide by it, never by the gate's sentences."""

    NOT_FREE = "not free"
    LOST = "lost"
    UNREACHABLE = "unreachable"
    NOT_ALLOWED = "not allowed"
    NO_SUCH_DATABASE = "no such database"
    FAILED_BEFORE = "failed before"
    NEVER_ENDED = "never ended"
    STOPPED = "stopped"
    LOCK_TIMEOUT = "lock timeout"
    DEADLOCK = "deadlock"
    CONNECTION_LOST = "connection lost"
    STATEMENT_TIMEOUT = "statement timeout"
    TOO_MANY_CONNECTIONS = "too many connections"
    READ_ONLY = "read-only"
    INSUFFICIENT_RESOURCES = "insufficient resources"
    NO_PRIVILEGE = "no privilege"
    LOCK_RISK = "lock risk"
    LACKING = "lacking"
    CERTIFICATE = "certificate"
    NO_HOST = "no host"
    SERVER_TOO_OLD = "server too old"
    DATABASE_FILE = "database file"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSession:
    """A session of the database. Of other roles' sessions the age is not told.

    MySQL may not show who holds a lock: then a session that may hold it is a suspect.
    """

    pid: int
    application: str
    seconds: int | None
    is_suspect: bool = False

    def __str__(self) -> str:
        age = "" if self.seconds is None else f", for {self.seconds} s"
        return f'session {self.pid} ("{self.application}"{age})'


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A change that a failed migration has left. `undo` is the SQL for it, None if none is safe."""

    what: str
    undo: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a gate stays shut, in its own words.

    Rules go by `cause` and `detail`. `holders` are the sessions that stood in its way.
    `database` is None if the gate does not read the database. `left` is what of a half applied
    migration is there. If it is not `migrate` itself that
    failed, `step` says which command did, and `command` has its words. `rows_unknown` says that
    a command or a handler before it may have changed rows, which nothing shows. `model` is the
    only model that the migration's operations name, and `added_fields` are those that they add.
    """

    container: str
    cause: GateCause
    error: str
    migration: str | None
    exit_code: int | None
    last_lines: Sequence[str]
    database: DatabaseAfter | None = None
    detail: Detail | None = None
    holders: Sequence[DatabaseSession] = ()
    left: Sequence[Leftover] = ()
    step: CommandStep | None = None
    command: str | None = None
    rows_unknown: bool = False
    model: str | None = None
    added_fields: Sequence[str] = ()

    @property
    def around(self) -> str | None:
        """The command around `migrate` that failed, in words; None if it was another one."""
        if self.step is None or not self.command:
            return None
        where = "before" if self.step is CommandStep.BEFORE else "after"
        return f"The command {where} migrate ({self.command})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    name: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """All that the gates of one release have reported.

    `began_at` is when the first migration began, as far as the command shows its
    migrations, and otherwise when the command was started. `atomic` says that a plan was
    read and that each of its migrations is applied as a whole or not at all. `ready_at` is when
    the first gate had its plan, or else first reported anything: from then on it could begin.
    `unlisted` are applied migrations that no report had room for.
    `last_lines` are what a command has printed that succeeded, where its gate tells them.
    `effect` is the worst of what was applied before a failure, if a gate could tell; None if that
    is not told, or anything may be applied.
    `changed` says whether the gates have changed their databases: True if one of them has begun
    and has not proved that it left nothing behind, False if each has ended without, None if one
    has not told. `unplanned` is what was changed beside the plan that was permitted.
    `faked` are migrations that were only recorded, without being run.
    `cpu_seconds` and `megabytes` are what the commands of the gates used: the most of one gate, and
    the largest command at its peak.
    """

    phase: Phase
    began_at: str | None
    migrations: Sequence[Migration]
    failure: Failure | None
    unlisted: int = 0
    atomic: bool = False
    ready_at: str | None = None
    last_lines: Sequence[str] = ()
    changed: bool | None = None
    effect: Effect | None = None
    unplanned: Sequence[str] = ()
    faked: Sequence[str] = ()
    cpu_seconds: float | None = None
    megabytes: float | None = None

    @property
    def has_begun(self) -> bool:
        """Whether a gate has reported that it began something."""
        return self.began_at is not None or bool(self.migrations)

    @property
    def has_undone_the_rest(self) -> bool:
        """Whether it is certain that nothing is left of the migrations that are not listed here."""
        failure = self.failure
        is_told = self.atomic and self.effect is not None and not self.unlisted
        return is_told and failure is not None and failure.database is DatabaseAfter.PART_WAY

    @property
    def was_stopped(self) -> bool:
        """Whether a command was begun and was stopped, or killed, before it ended by itself."""
        failure = self.failure
        if failure is None or not failure.cause.may_have_cut_off:
            return False
        return self.has_begun or failure.migration is not None


NO_GATE_REPORT = GateReport(phase=Phase.SILENT, began_at=None, migrations=(), failure=None)
