"""Why a gate stayed shut, from the cause that it reported and from what it was waiting for."""

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from lightgate.diagnosis.gate_waits import Awaited
from lightgate.diagnosis.log_patterns import missing_variable
from lightgate.diagnosis.symptoms import Diagnosis, FailureKind, Symptoms
from lightgate.gate.gate_report import (
    CommandStep,
    DatabaseAfter,
    DatabaseSession,
    Detail,
    Failure,
    GateCause,
    Phase,
)
from lightgate.migrations.permit import VoidCause
from lightgate.names import COMMAND_CONTAINER

# The gate reports the code of the trouble. The gate of a version from before that does not, as a
# rollback starts one: of its failures there are only the words of the driver.
_WORDS = {
    Detail.LOCK_TIMEOUT: (
        *("LockNotAvailable", "canceling statement due to lock timeout", "Lock wait timeout"),
    ),
    Detail.DEADLOCK: ("DeadlockDetected", "deadlock detected", "Deadlock found"),
    Detail.STATEMENT_TIMEOUT: ("due to statement timeout", "max_statement_time exceeded"),
    Detail.CONNECTION_LOST: (
        "server closed the connection unexpectedly",
        "the connection is closed",
        "terminating connection due to administrator command",
        "Lost connection to",
        "server has gone away",
    ),
}
_NOT_ALLOWED = ("authentication failed", "no pg_hba.conf entry", "Access denied for user")
_UNREACHABLE = (
    "connection to server at",
    "the database system is shutting down",
    "Can't connect to",
)
_TOO_MANY_CONNECTIONS = ("too many clients", "oo many connections", "slots are reserved")
# By SIGINT, SIGQUIT or SIGTERM.
_STOPPED_BY_A_SIGNAL = (128 + 2, 128 + 3, 128 + 15)
_NO_DATABASE = re.compile(r'FATAL: +database ".*" does not exist|Unknown database')


def diagnose_gate(seen: Symptoms) -> Diagnosis | None:
    """None if the gates tell of nothing that went wrong with them."""
    failure, phase = seen.evidence.failure, seen.evidence.phase
    if failure is not None:
        rule = _TROUBLES.get(_trouble(failure)) or _RULES.get(failure.cause, _gate_error)
        return _missing_variable(failure) or _after_repair(seen, failure, rule(seen, failure))
    if phase is Phase.APPLYING:
        return _cut_off(seen, None)
    if phase is Phase.WAITING and seen.wait is not None:
        return _given_up_while_waiting(seen)
    return None


def _missing_variable(failure: Failure) -> Diagnosis | None:
    found = missing_variable([*failure.last_lines, failure.error])
    return found and without_variable(failure.container, *found)


def without_variable(container: str, name: str, line: str) -> Diagnosis:
    return Diagnosis(
        kind=FailureKind.MISSING_VARIABLE,
        what=f"The container {container} has no variable {name}, which the app needs.",
        evidence=line,
        next_action=f"Add {name} to environment, or to secrets, in the app's spec and push again.",
    )


def _trouble(failure: Failure) -> Detail | None:
    """What trouble with the database ended the command, or the gate's own queries."""
    if failure.detail is not None or failure.cause != "exit":
        return failure.detail
    said = (
        detail for detail, words in _WORDS.items() if any(one in failure.error for one in words)
    )
    return next(said, None)


def _after_repair(seen: Symptoms, failure: Failure, found: Diagnosis) -> Diagnosis:
    """With what to undo first: whatever is left of a migration makes the next attempt fail."""
    if failure.database != "part-way" or seen.evidence.atomic:
        return found
    undo = "; ".join(one.undo for one in failure.left if one.undo)
    rest = ", ".join(one.what for one in failure.left if not one.undo)
    steps = [
        f"First undo what the migration has left: {undo}." if undo else "",
        f"Repair by hand what no statement can safely undo: {rest}." if rest else "",
    ]
    if not failure.left:
        steps = ["First compare the schema with the one before, and undo what the migration left."]
    return replace(
        found, next_action=" ".join([*filter(None, steps), "Then: " + found.next_action])
    )


def _exit(seen: Symptoms, failure: Failure) -> Diagnosis:
    if (reason := _database_reason(failure.error)) is not None:
        what = f"{_subject(failure)} lost the database, or could not use it.{_left(failure)}"
        return _unreachable(seen, what, failure.error, reason)
    if failure.migration is None:
        return _gate_error(seen, failure)
    return Diagnosis(
        kind=FailureKind.MIGRATION_ERROR,
        what=f"Migration {failure.migration} failed.{_left(failure)}",
        evidence=failure.error,
        next_action=f"Correct {failure.migration} and push again. The same image would fail again.",
    )


def _preflight(seen: Symptoms, failure: Failure) -> Diagnosis:
    reason = _database_reason(failure.error)
    if reason is None:
        return _gate_error(seen, failure)
    what = f"The health check of {failure.container} could not use the database."
    return _unreachable(seen, what, failure.error, reason)


def _database_reason(error: str) -> Detail | None:
    """Why the database could not be used, by the driver's words; None if they say no such thing."""
    if any(text in error for text in _TOO_MANY_CONNECTIONS):
        return Detail.TOO_MANY_CONNECTIONS
    if any(text in error for text in _NOT_ALLOWED):
        return Detail.NOT_ALLOWED
    if _NO_DATABASE.search(error):
        return Detail.NO_SUCH_DATABASE
    return Detail.UNREACHABLE if any(text in error for text in _UNREACHABLE) else None


def _pending(seen: Symptoms, failure: Failure) -> Diagnosis:  # noqa: ARG001 - a rule
    return Diagnosis(
        kind=FailureKind.MIGRATION_ERROR,
        what=f"The command of {failure.container} succeeded, but left migrations unapplied.",
        evidence=failure.error,
        next_action="Correct the container's command so that it applies all migrations.",
    )


def _unplanned(seen: Symptoms, failure: Failure) -> Diagnosis:  # noqa: ARG001 - a rule
    where = " by what runs before migrate" if failure.step is CommandStep.BEFORE else ""
    return Diagnosis(
        kind=FailureKind.UNPLANNED_CHANGE,
        what=f"The database was changed{where} beside the plan that was permitted.",
        evidence=failure.error,
        next_action=(
            "Find out what changed it: compare python manage.py showmigrations with the plan. Then "
            "move every change into a migration and push again."
        ),
    )


def _refused(seen: Symptoms, failure: Failure) -> Diagnosis:
    return Diagnosis(
        kind=FailureKind.MIGRATION_REFUSED,
        what=f"The migration policy forbids this plan; {_applied(seen)}.",
        evidence=failure.error,
        next_action=(
            "Make the migration compatible with the live version. To release it anyway: "
            f"{seen.start_anyway}"
        ),
    )


def _lock(seen: Symptoms, failure: Failure) -> Diagnosis:
    if failure.detail is Detail.NOT_FREE:
        what = f"The lock of the database was not free in time; {_applied(seen)}."
        return _lock_wait(seen, what, failure.error, failure.holders)
    return _gate_error(seen, failure)


def _database_lock(seen: Symptoms, failure: Failure) -> Diagnosis:
    what = f"{_subject(failure)} waited too long for a table.{_left(failure)}"
    return _lock_wait(seen, what, failure.error, failure.holders)


def _deadlock(seen: Symptoms, failure: Failure) -> Diagnosis:
    return Diagnosis(
        kind=FailureKind.DEADLOCK,
        what=(
            f"{_subject(failure)} met a deadlock or another conflict with a session."
            f"{_left(failure)}"
        ),
        evidence=failure.error,
        next_action=f"The same image can succeed. Start the release again: {seen.start_again}",
    )


def _statement_timeout(seen: Symptoms, failure: Failure) -> Diagnosis:
    return Diagnosis(
        kind=FailureKind.STATEMENT_TIMEOUT,
        what=(
            f"{_subject(failure)} was ended at a time limit of the database or its role."
            f"{_left(failure)}"
        ),
        evidence=failure.error,
        next_action=(
            "Raise the limit for the role that migrates: statement_timeout on PostgreSQL, "
            "max_statement_time on MariaDB, max_execution_time on MySQL; or split the migration. "
            f"Then start the release again: {seen.start_again}"
        ),
    )


def _connection_lost(seen: Symptoms, failure: Failure) -> Diagnosis:
    return Diagnosis(
        kind=FailureKind.CONNECTION_LOST,
        what=f"{_subject(failure)} lost its connection to the database.{_left(failure)}",
        evidence=failure.error,
        next_action=(
            "Check whether the database was restarted, failed over or was short of memory then, "
            "and whether it ends idle sessions (wait_timeout on MySQL, idle_session_timeout on "
            f"PostgreSQL). Then start the release again: {seen.start_again}"
        ),
    )


def _too_many_connections(seen: Symptoms, failure: Failure) -> Diagnosis:
    if failure.cause is GateCause.DATABASE:
        return _database(seen, failure)
    what = f"{_subject(failure)} got no connection to the database.{_left(failure)}"
    return _unreachable(seen, what, failure.error, failure.detail)


def _database_refused(seen: Symptoms, failure: Failure) -> Diagnosis:
    if failure.cause is GateCause.RECORD and failure.detail is Detail.NO_PRIVILEGE:
        return _gate_error(seen, failure)
    why, action = _REFUSALS[failure.detail]
    is_own = failure.cause in (GateCause.DATABASE, GateCause.RECORD)
    subject = "A query of the gate" if is_own else _subject(failure)
    return Diagnosis(
        kind=FailureKind.DATABASE_REFUSED,
        what=f"{subject} was refused by the database: {why}.{_left(failure)}",
        evidence=failure.error,
        next_action=f"{action} Then start the release again: {seen.start_again}",
    )


_REFUSALS: dict[Detail | None, tuple[str, str]] = {
    Detail.READ_ONLY: (
        "it is read-only",
        "Connect to the primary instance, not to a replica, and check whether the database failed "
        "over, ran out of storage, or has default_transaction_read_only set for this role.",
    ),
    Detail.INSUFFICIENT_RESOURCES: (
        "it has no storage or no memory left",
        "Enlarge the storage or the memory of the database: its metrics show which one ran out.",
    ),
    Detail.NO_PRIVILEGE: (
        "its user has no right to do it",
        "Migrate with the user that owns the tables, lightgate_attempt among them, or grant the "
        "right that the error names.",
    ),
}


def _lock_lost(seen: Symptoms, failure: Failure) -> Diagnosis:
    what = f"The connection that holds the lock of the database was lost.{_left(failure)}"
    return replace(_connection_lost(seen, failure), what=what)


def _lock_wait(
    seen: Symptoms, what: str, evidence: str | None, holders: Sequence[DatabaseSession] = ()
) -> Diagnosis:
    holders = holders or (seen.wait.holders if seen.wait else ())
    known = [one for one in holders if not one.is_suspect]
    who = _HELD_BY_NOBODY_KNOWN
    if known:
        who = f"It was held by {', '.join(map(str, known))}."
    elif holders:
        who = f"The server does not show who held it. It may be {', '.join(map(str, holders))}."
    return Diagnosis(
        kind=FailureKind.LOCK_WAIT,
        what=f"{what} {who}",
        evidence=evidence,
        next_action=f"{_about_holders(holders)} Then start the release again: {seen.start_again}",
    )


_HELD_BY_NOBODY_KNOWN = "Who held it is unknown."


def _about_holders(holders: Sequence[DatabaseSession]) -> str:
    if not any(not one.is_suspect for one in holders):
        return (
            "Find the session that holds it, in pg_stat_activity (PostgreSQL) or with SHOW "
            "PROCESSLIST (MySQL), and let it finish."
        )
    # Those of a gate, or of its migration, are not to be ended.
    known = (one for one in holders if not one.is_suspect)
    strangers = [one.pid for one in known if not one.application.startswith("lightgate")]
    if not strangers:
        return "Let it finish: it is a session of a gate, or of its migration."
    on_postgresql = ", ".join(f"pg_terminate_backend({pid})" for pid in strangers)
    on_mysql = "; ".join(f"KILL {pid}" for pid in strangers)
    return (
        f"Let it finish, or end it with SELECT {on_postgresql} on PostgreSQL, or {on_mysql} on "
        "MySQL."
    )


def _database(seen: Symptoms, failure: Failure) -> Diagnosis:
    what = "The gate could not use the database."
    return _unreachable(seen, what, failure.error, failure.detail)


def _unreachable(
    seen: Symptoms, what: str, evidence: str | None, reason: Detail | None
) -> Diagnosis:
    actions: dict[Detail | None, str] = {
        Detail.NOT_ALLOWED: (
            "Correct user and password in the secret that DATABASE_URL comes from. If the error "
            "says no encryption, the server requires TLS: add ?sslmode=require to the URL."
        ),
        Detail.NO_SUCH_DATABASE: (
            "Create the database, or correct its name in the connection's URL."
        ),
        Detail.TOO_MANY_CONNECTIONS: (
            "Close connections that nobody needs, lower the number that each process of the app "
            "keeps, or take a larger database. Then start "
            f"the release again: {seen.start_again}"
        ),
        Detail.UNREACHABLE: (
            "Check whether the database is available, and whether its security group allows "
            "172.26.0.0/16, the network of the containers. Then start the "
            f"release again: {seen.start_again}"
        ),
    }
    return Diagnosis(
        kind=FailureKind.DATABASE_UNREACHABLE,
        what=what,
        evidence=evidence,
        next_action=actions.get(
            reason, f"Repair the database, then start the release again: {seen.start_again}"
        ),
    )


def _timeout(seen: Symptoms, failure: Failure) -> Diagnosis:
    wait = seen.wait
    if wait is not None and wait.what == Awaited.DATABASE_LOCK:
        # That the wait has ended nobody tells; a session that stood in the way is worth a look.
        what = (
            f"{_subject(failure)} was stopped at its time limit, while it waited for a table."
            f"{_left(failure)}"
        )
        return _lock_wait(seen, what, failure.error, failure.holders)
    return Diagnosis(
        kind=FailureKind.TIME_LIMIT,
        what=f"{_subject(failure)} was stopped at its time limit.{_left(failure)}",
        evidence=failure.error,
        next_action=(
            f"Raise containers.{failure.container}.timeoutSeconds, and platformPatienceSeconds "
            "with it, or split the migration; then push again."
        ),
    )


def _signal(seen: Symptoms, failure: Failure) -> Diagnosis:
    # A gate that an earlier version has deployed, as a rollback starts one, tells no detail.
    if failure.detail is Detail.STOPPED or failure.exit_code in _STOPPED_BY_A_SIGNAL:
        return _cut_off(seen, failure)
    return Diagnosis(
        kind=FailureKind.MIGRATION_ERROR if failure.migration else FailureKind.GATE_ERROR,
        what=f"{_subject(failure)} was killed.{_left(failure)}",
        evidence=failure.error,
        next_action=(
            "Check the memory metric of the service: signal 9 often means that the node was out of "
            "memory. A larger power has more."
        ),
    )


def _cut_off(seen: Symptoms, failure: Failure | None) -> Diagnosis:
    at = seen.evidence.began_at
    began = f" It began at {datetime.fromisoformat(at):%H:%M:%S} UTC." if at else ""
    return Diagnosis(
        kind=FailureKind.CUT_OFF,
        what=(
            "Lightsail ended the deployment, or its node, while a migration was being applied."
            f"{began}{_left(failure) if failure else ''}"
        ),
        evidence=failure.error if failure else None,
        next_action=(
            "Compare the output of python manage.py showmigrations with the database before you "
            "push again."
        ),
    )


def _attempt(seen: Symptoms, failure: Failure) -> Diagnosis:
    if failure.detail is Detail.FAILED_BEFORE:
        return Diagnosis(
            kind=FailureKind.MIGRATION_ERROR,
            what=(
                f"{_subject(failure)} failed on another node, or on a node that was replaced."
                f"{_left(failure)}"
            ),
            evidence=failure.error,
            next_action="Correct the migration and push again. The same image would fail again.",
        )
    if failure.detail is Detail.NEVER_ENDED:
        return _cut_off(seen, failure)
    return _gate_error(seen, failure)


def _permit(seen: Symptoms, failure: Failure) -> Diagnosis:
    told = seen.no_permit.cause if seen.no_permit is not None else None
    if VoidCause.POLICY in (told, seen.refusal_cause):
        return _refused(seen, failure)
    is_mailbox = failure.cause is GateCause.MAILBOX
    return Diagnosis(
        kind=FailureKind.NO_PERMIT,
        what=f"The gate got no permit for its plan; {_applied(seen)}.",
        evidence=failure.error,
        next_action=(
            "Add CA certificates to the image and let the container reach S3; then push again."
            if is_mailbox
            else f"Start the release again: {seen.start_again}"
        ),
    )


def _schema(seen: Symptoms, failure: Failure) -> Diagnosis:
    return Diagnosis(
        kind=FailureKind.MIGRATION_REFUSED,
        what=(
            "The code of this version may not work with the current database, so it was not "
            "started. Nothing was applied."
        ),
        evidence=failure.error,
        next_action=(
            "Keep the live version, correct the cause and push again. To roll back anyway: "
            f"{seen.start_anyway}"
        ),
    )


def _loading(seen: Symptoms, failure: Failure) -> Diagnosis:  # noqa: ARG001 - a rule
    return Diagnosis(
        kind=FailureKind.MIGRATES_ON_LOADING,
        what=f"The app changes its database when it is loaded, past the gate.{_left(failure)}",
        evidence=failure.error,
        next_action=(
            "Remove what migrates from settings, AppConfig.ready() and module level, so that only "
            f"the command of {failure.container} migrates. Then push again."
        ),
    )


def _gate_error(seen: Symptoms, failure: Failure) -> Diagnosis:
    return Diagnosis(
        kind=FailureKind.GATE_ERROR,
        what=f"{_gate(seen, failure)}.{_left(failure)}",
        evidence=failure.error,
        next_action=_GATE_ACTIONS.get(
            failure.cause,
            f"Run {_command(seen, failure)} with this image on your machine.",
        ),
    )


def _command(seen: Symptoms, failure: Failure) -> str:
    if failure.command:
        return failure.command
    is_known = failure.container == COMMAND_CONTAINER and seen.command
    return shlex.join(seen.command or ()) if is_known else f"the command of {failure.container}"


def _gate(seen: Symptoms, failure: Failure) -> str:
    if failure.container == COMMAND_CONTAINER:
        return f"{_command(seen, failure)} failed ({failure.cause})"
    if failure.around is not None:
        return f"{failure.around} failed ({failure.cause})"
    return (
        f"The gate of {failure.container} failed before or during its migrations ({failure.cause})"
    )


def _given_up_while_waiting(seen: Symptoms) -> Diagnosis:
    wait = seen.wait
    if wait is None:
        raise ValueError("there is nothing that the gate waits for")
    over = "Lightsail ended the deployment while the gate was waiting"
    match wait.what:
        case Awaited.DATABASE:
            what = f"{over} for the database; {_applied(seen)}."
            reason = _database_reason(wait.why or "") or Detail.UNREACHABLE
            return _unreachable(seen, what, wait.why, reason)
        case Awaited.PERMIT:
            return Diagnosis(
                kind=FailureKind.NO_PERMIT,
                what=f"{over} for the permit of its plan; {_applied(seen)}.",
                evidence=wait.why,
                next_action=f"Start the release again: {seen.start_again}",
            )
        case _:
            what = f"{over} for the lock of the database; {_applied(seen)}."
            return _lock_wait(seen, what, wait.why)


def _subject(failure: Failure) -> str:
    if failure.migration:
        return f"Migration {failure.migration}"
    return failure.around or f"The command of {failure.container}"


def _applied(seen: Symptoms) -> str:
    """What is known of a gate that was not seen to begin anything itself."""
    if seen.may_have_changed:
        return "whether anything was applied is unknown"
    return "nothing was applied"


def _left(failure: Failure) -> str:
    """What the gate found in the database afterwards."""
    if failure.database is DatabaseAfter.UNCHANGED and failure.around:
        return " The schema is unchanged. Whether this command has changed rows is unknown."
    return "" if failure.database is None else _LEFT[failure.database]


_LEFT = {
    DatabaseAfter.UNCHANGED: " The database is unchanged.",
    DatabaseAfter.PART_WAY: " A part of the plan is applied.",
    DatabaseAfter.UNKNOWN: " The state of the database is unknown.",
}


_RULES: dict[GateCause, Callable[[Symptoms, Failure], Diagnosis]] = {
    GateCause.EXIT: _exit,
    GateCause.PREFLIGHT: _preflight,
    GateCause.PENDING: _pending,
    GateCause.UNPLANNED: _unplanned,
    GateCause.REFUSED: _refused,
    GateCause.SCHEMA: _schema,
    GateCause.LOADING: _loading,
    GateCause.LOCK: _lock,
    GateCause.DATABASE: _database,
    GateCause.TIMEOUT: _timeout,
    GateCause.SIGNAL: _signal,
    GateCause.ATTEMPT: _attempt,
    GateCause.PERMIT: _permit,
    GateCause.MAILBOX: _permit,
}
# Before the rules of the cause.
_TROUBLES: dict[Detail | None, Callable[[Symptoms, Failure], Diagnosis]] = {
    Detail.LOCK_TIMEOUT: _database_lock,
    Detail.DEADLOCK: _deadlock,
    Detail.STATEMENT_TIMEOUT: _statement_timeout,
    Detail.CONNECTION_LOST: _connection_lost,
    Detail.LOST: _lock_lost,
    Detail.TOO_MANY_CONNECTIONS: _too_many_connections,
    **dict.fromkeys(_REFUSALS, _database_refused),
}
_GATE_ACTIONS = {
    GateCause.ARGUMENTS: "Correct the arguments of migrate in the container's command.",
    GateCause.MANAGE: (
        'Give manage the words that call Python and its script, such as ["python", "manage.py"].'
    ),
    GateCause.EXEC: (
        "Correct the container's command in the spec, or install what it calls in the image."
    ),
    GateCause.PREFLIGHT: "Run the container's health check with this image on your machine.",
    GateCause.HEALTH_CHECK: "Run the container's health check on your machine.",
    GateCause.SETTINGS: "Run python manage.py check with this image and the app's variables.",
    GateCause.DJANGO: "Run python manage.py check with this image and the app's variables.",
    GateCause.PLAN: "Run python manage.py migrate --plan with this image and the app's variables.",
    GateCause.RECORD: (
        "Give the database role the right to create and write the table lightgate_attempt."
    ),
    GateCause.PORT: "Use another port in the app: the gate needs this one.",
    GateCause.CONFIG: (
        "Push again. If it fails again, someone changed the commands of the deployment."
    ),
    GateCause.DEPENDENCY: "Read the log of the container that failed first.",
}
