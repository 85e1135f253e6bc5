"""What a database did to a gate or its command: locks, limits, lost and refused connections."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from lightgate.diagnosis.database_advice import ADVICE, finer, reason_in
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.gate_words import applied, left, subject
from lightgate.diagnosis.symptoms import Diagnosis, Symptoms
from lightgate.gate.gate_report import DatabaseSession, Detail, Failure, GateCause
from lightgate.gate.report_reader import MOST_HOLDERS

# The gate reports the code of the trouble. The gate of a version from before that does not, as a
# rollback starts one: of its failures there are only the words of the driver.
_WORDS = {
    Detail.LOCK_TIMEOUT: (
        "LockNotAvailable",
        "canceling statement due to lock timeout",
        "Lock wait timeout",
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


def diagnose_trouble(seen: Symptoms, failure: Failure) -> Diagnosis | None:
    """None if the failure is no trouble with the database."""
    trouble = _trouble(failure)
    if failure.cause is GateCause.RECORD and trouble is Detail.NO_PRIVILEGE:
        return None
    if trouble is not None and (rule := _RULES.get(trouble)) is not None:
        return rule(seen, failure)
    if trouble not in ADVICE and failure.cause is not GateCause.DATABASE:
        return None
    return unusable(seen, _who(failure), failure.error, trouble, left(failure))


def _who(failure: Failure) -> str:
    match failure.cause:
        case GateCause.DATABASE | GateCause.RECORD:
            return "A query of the gate"
        case GateCause.PREFLIGHT | GateCause.HEALTH_CHECK:
            return f"The health check of {failure.container}"
    return subject(failure)


def _trouble(failure: Failure) -> Detail | None:
    """What trouble with the database ended the command, or the gate's own queries."""
    if failure.detail is not None:
        return failure.detail
    match failure.cause:
        case GateCause.EXIT:
            said = (
                detail
                for detail, words in _WORDS.items()
                if any(one in failure.error for one in words)
            )
            return next(said, None) or reason_in(failure.error)
        case GateCause.PREFLIGHT | GateCause.HEALTH_CHECK:
            return reason_in(failure.error)
    return None


def unusable(
    seen: Symptoms, who: str, evidence: str | None, reason: Detail | None, after: str = ""
) -> Diagnosis:
    """`who` could not use the database."""
    known = finer(reason, evidence or "")
    advice = ADVICE.get(known) if known is not None else None
    if advice is None:
        return Diagnosis(
            kind=FailureClass.DATABASE_UNREACHABLE,
            what=f"{who} could not use the database.{after}",
            evidence=evidence,
            next_action=f"Repair the database, then start the release again: {seen.start_again}",
        )
    return Diagnosis(
        kind=advice.kind,
        what=f"{who} could not use the database: {advice.what}.{after}",
        evidence=evidence,
        next_action=f"{advice.action}. Then start the release again: {seen.start_again}",
    )


def lock_wait(
    seen: Symptoms, what: str, evidence: str | None, holders: Sequence[DatabaseSession] = ()
) -> Diagnosis:
    """Somebody held what the gate or its command waited for."""
    holders = holders or (seen.wait.holders if seen.wait else ())
    known = [one for one in holders if not one.is_suspect]
    who = _HELD_BY_NOBODY_KNOWN
    more = ", and perhaps others" if len(holders) >= MOST_HOLDERS else ""
    if known:
        who = f"It was held by {', '.join(map(str, known))}{more}."
    elif holders:
        names = ", ".join(map(str, holders))
        who = f"The server does not show who held it. It may be {names}{more}."
    return Diagnosis(
        kind=FailureClass.LOCK_WAIT,
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


def _lock_of_the_gate(seen: Symptoms, failure: Failure) -> Diagnosis:
    what = f"The lock of the database was not free in time; {applied(seen)}."
    return lock_wait(seen, what, failure.error, failure.holders)


def _lock_timeout(seen: Symptoms, failure: Failure) -> Diagnosis:
    what = f"{subject(failure)} waited too long for a table.{left(failure)}"
    return lock_wait(seen, what, failure.error, failure.holders)


def _deadlock(seen: Symptoms, failure: Failure) -> Diagnosis:
    return Diagnosis(
        kind=FailureClass.DEADLOCK,
        what=(
            f"{subject(failure)} met a deadlock or another conflict with a session.{left(failure)}"
        ),
        evidence=failure.error,
        next_action=f"The same image can succeed. Start the release again: {seen.start_again}",
    )


def _statement_timeout(seen: Symptoms, failure: Failure) -> Diagnosis:
    return Diagnosis(
        kind=FailureClass.STATEMENT_TIMEOUT,
        what=(
            f"{subject(failure)} was ended at a time limit of the database or its role."
            f"{left(failure)}"
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
        kind=FailureClass.CONNECTION_LOST,
        what=f"{subject(failure)} lost its connection to the database.{left(failure)}",
        evidence=failure.error,
        next_action=(
            "Check whether the database was restarted, failed over or was short of memory then, "
            "and whether it ends idle sessions (wait_timeout on MySQL, idle_session_timeout on "
            f"PostgreSQL). Then start the release again: {seen.start_again}"
        ),
    )


def _lock_lost(seen: Symptoms, failure: Failure) -> Diagnosis:
    what = f"The connection that holds the lock of the database was lost.{left(failure)}"
    return replace(_connection_lost(seen, failure), what=what)


_RULES: Mapping[Detail, Callable[[Symptoms, Failure], Diagnosis]] = MappingProxyType(
    {
        Detail.NOT_FREE: _lock_of_the_gate,
        Detail.LOCK_TIMEOUT: _lock_timeout,
        Detail.DEADLOCK: _deadlock,
        Detail.STATEMENT_TIMEOUT: _statement_timeout,
        Detail.CONNECTION_LOST: _connection_lost,
        Detail.LOST: _lock_lost,
    }
)
