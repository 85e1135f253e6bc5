"""Write what stays of an ended release: its evidence, and its record."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from lightgate.aws.clients import reaching
from lightgate.aws.dynamodb_releases import ReleaseRecord
from lightgate.errors import UnreachableError
from lightgate.gate.log_lines import events
from lightgate.migrations.plan import Plan, read_plans
from lightgate.names import marked_release
from lightgate.notifications.ended_record import ended_record, rollback_record
from lightgate.notifications.report import Report
from lightgate.operations.collect_evidence import Collected
from lightgate.outcome.decisions import decisions_of
from lightgate.records.recorded_outcome import RecordedOutcome
from lightgate.records.release_evidence import Evidence
from lightgate.release.release import Release, ReleaseKind
from lightgate.release.unchecked_request import requested_digest
from lightgate.runtime import Runtime
from lightgate.state import Facts

_MOST_EVENTS = 1000


def write_record(
    outcome: RecordedOutcome,
    report: Report,
    facts: Facts,
    collected: Collected | None,
    runtime: Runtime,
) -> ReleaseRecord:
    """Record the outcome with its evidence, and return what is on record. Idempotent.

    The first outcome stands. `collected` is what gates and containers have written. Without the
    evidence the record is written all the same.
    """
    now = runtime.now()
    expires_at = now + timedelta(days=runtime.settings.record_days)
    # The record of what is live says which image and which schema that is, so it stays. Unless it
    # is known what is live, that may be a version of this release.
    made = {one.version for one in outcome.versions}
    is_live = report.live is not None and report.live.version in made
    may_be_live = is_live or (bool(made) and report.live is None and not report.is_down)
    record = ended_record(
        report,
        facts,
        plans=_plans(facts.release, collected),
        evidence=_write_evidence(report, facts, collected, runtime, expires=not may_be_live),
        now=now,
    )
    # A command brings the app no image.
    is_command = report.kind is ReleaseKind.COMMAND
    digest = report.digest or requested_digest(facts.state.request)
    written = runtime.releases.record_outcome(
        outcome,
        record,
        rollback=rollback_record(record, facts),
        digest=None if is_command else digest,
        owes_message=not report.conclusion.outcome.is_quiet,
        expires_at=None if may_be_live else expires_at,
    )
    if is_live and report.previous_version is not None:
        _let_expire(report.app, report.previous_version, facts, expires_at, runtime)
    return written


def _let_expire(
    app: str, version: int, facts: Facts, expires_at: datetime, runtime: Runtime
) -> None:
    """Let what is kept of the version's release expire: the version is not live any more."""
    with contextlib.suppress(UnreachableError), reaching("DynamoDB"):
        before = runtime.releases.versions(app).get(version)
        if before is None:
            return
        # A version of a rollback has a record beside that of its release.
        for known in {before.release, marked_release(before.release)}:
            runtime.releases.let_expire(app, known, expires_at)
        if facts.began_at is not None:
            # Only RecordOutcome may write evidence.
            runtime.evidence.let_expire(app, before.release)


def _plans(release: Release | None, collected: Collected | None) -> Sequence[Plan]:
    reports = collected.gates if collected is not None else None
    if release is None or reports is None or release.kind is not ReleaseKind.IMAGE:
        return ()
    told = (read_plans(release.id, gate, lines) for gate, lines in reports.lines.items())
    return [plan for plans in told for plan in plans]


def _write_evidence(
    report: Report,
    facts: Facts,
    collected: Collected | None,
    runtime: Runtime,
    *,
    expires: bool,
) -> str | None:
    """The key of the evidence file; None without one."""
    if facts.began_at is None:
        # Only RecordOutcome may read what belongs into it.
        return None
    state = facts.state
    watched = state.verification.watch if state.verification is not None else None
    back = state.rollback.watch if state.rollback is not None else None
    evidence = Evidence(
        app=report.app,
        release=report.release,
        status=report.conclusion.outcome.value,
        gates=_events(report.release, collected),
        logs={
            container: [*log.system, *log.lines]
            for container, log in (collected.logs.items() if collected is not None else ())
            if log is not None
        },
        health=watched.samples if watched is not None else (),
        rollback_health=back.samples if back is not None else (),
        decisions=tuple(decisions_of(facts, report.conclusion)),
        unread=_unread(collected) if collected is not None else (),
    )
    try:
        return runtime.evidence.write(evidence, expires=expires)
    except UnreachableError as error:
        runtime.logger.warning("the evidence could not be written", why=str(error))
        return None


def _unread(collected: Collected) -> Sequence[str]:
    logs = [f"the log of {name}" for name, log in collected.logs.items() if log is None]
    gates = collected.gates.unread if collected.gates is not None else ()
    return (*collected.unread, *logs, *gates)


def _events(release: str, collected: Collected | None) -> Mapping[str, Sequence[Any]]:
    reports = collected.gates if collected is not None else None
    if reports is None:
        return {}
    return {
        gate: list(events(release, gate, lines))[:_MOST_EVENTS]
        for gate, lines in reports.lines.items()
    }
