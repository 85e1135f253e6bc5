"""Reads all about one release: its record, its evidence, and how far it is."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lightgate.aws.clients import code_of
from lightgate.diagnosis.app_log import AppLog
from lightgate.errors import LightgateError, RefusedError, UnreachableError
from lightgate.records.release_evidence import Evidence
from lightgate.records.release_record import RELEASING, ReadableRecord
from lightgate_cli.connection import AWS_ERRORS, Connection
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading.app_status import with_status
from lightgate_cli.reading.finding import find_release
from lightgate_cli.reading.gather import execution_progress, has_ended, read_spec, watch_period
from lightgate_cli.reading.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """The answer of `lightgate show`.

    `progress` is None unless it runs. `unread` says what could not be read.
    """

    record: ReadableRecord
    now: datetime
    schema_version: int = 1
    progress: Progress | None = None
    evidence: Evidence | None = None
    evidence_address: str | None = None
    unread: Sequence[str] = ()


def read_release(text: str, app: str | None, connection: Connection) -> ReleaseFacts:
    """Raises CommandError if there is no such release, or several."""
    record = find_release(text, app, connection)
    unread: list[str] = []
    record = _with_status(record, connection, unread)
    evidence, address = None, None
    if record.evidence is not None:
        bucket = connection.output("EvidenceBucketName")
        address = f"s3://{bucket}/{record.evidence}"
        try:
            evidence = connection.evidence.read(record.evidence)
        except UnreachableError as error:
            unread.append(f"The evidence {address} could not be read: {error}.")
    return ReleaseFacts(
        record=record,
        now=connection.now(),
        progress=_progress(record, connection, unread),
        evidence=evidence,
        evidence_address=address,
        unread=unread,
    )


def _with_status(
    record: ReadableRecord, connection: Connection, unread: list[str]
) -> ReadableRecord:
    if record.status != RELEASING:
        return record
    lock, is_over = connection.locks.read(record.app), False
    try:
        is_over = has_ended(lock, connection)
    except (LightgateError, *AWS_ERRORS) as error:
        unread.append(f"Whether its execution still runs could not be read: {code_of(error)}.")
    return with_status(record, lock, has_ended=is_over)


def _progress(record: ReadableRecord, connection: Connection, unread: list[str]) -> Progress | None:
    if record.status != RELEASING or record.execution is None:
        return None
    try:
        spec = read_spec(record.app, connection).spec
        timings = connection.timings.read(record.app)
        return execution_progress(record.execution, timings, watch_period(spec), connection)
    except (LightgateError, *AWS_ERRORS) as error:
        unread.append(f"The running execution could not be read: {code_of(error)}.")
        return None


_NO_DEPLOYMENT = "it has made no deployment"


class LogSource(enum.StrEnum):
    """EVIDENCE: the ends of the logs as the release has left them. LIGHTSAIL: as they are now."""

    EVIDENCE = "evidence"
    LIGHTSAIL = "lightsail"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLogs:
    """The answer of `lightgate logs`: the end of the log of each container, masked.

    `unread` says what could not be read.
    """

    app: str
    release: str
    source: LogSource
    containers: Mapping[str, Sequence[str]]
    schema_version: int = 1
    unread: Sequence[str] = ()


def read_logs(text: str, app: str | None, connection: Connection) -> ReleaseLogs:
    """The logs of a release: from its evidence, or as Lightsail has them while that is missing.

    Raises:
        CommandError: there is no such release, or it has no logs.
    """
    record = find_release(text, app, connection)
    if record.evidence is not None:
        try:
            found = connection.evidence.read(record.evidence)
        except UnreachableError:
            # The file is no longer kept, or not readable. Lightsail may still have the log.
            pass
        else:
            if record.version is None:
                raise _no_logs(record, _NO_DEPLOYMENT)
            return ReleaseLogs(
                app=record.app,
                release=record.release,
                source=LogSource.EVIDENCE,
                containers=found.logs,
                unread=found.unread,
            )
    return _logs_of_lightsail(record, connection)


def _logs_of_lightsail(record: ReadableRecord, connection: Connection) -> ReleaseLogs:
    """Every value of the environments is taken out, but for those that the spec gives openly."""
    own = connection.releases.find(record.app, record.release)
    admitted = own.admission if own is not None else None
    if admitted is None:
        raise _no_logs(record, _NO_DEPLOYMENT)
    release = admitted.release
    try:
        shown = connection.lightsail.service(release.service).deployment_of(record.release)
    except RefusedError as error:
        raise _no_logs(record, error.reasons[0]) from error
    if shown is None:
        made = "the service no longer lists its deployment"
        raise _no_logs(record, _NO_DEPLOYMENT if record.version is None else made)
    logs = connection.lightsail.app_logs(release.service, shown, release.open_variables)
    return ReleaseLogs(
        app=record.app,
        release=record.release,
        source=LogSource.LIGHTSAIL,
        containers={
            name: [*log.system, *log.lines] for name, log in logs.items() if isinstance(log, AppLog)
        },
        unread=[
            f"The log of {name} could not be read: {log}"
            for name, log in logs.items()
            if not isinstance(log, AppLog)
        ],
    )


def _no_logs(record: ReadableRecord, why: str) -> CommandError:
    return CommandError(
        Problem.NOT_FOUND,
        f"There are no logs of release {record.release}: {why}.",
        hint=f"lightgate show {record.release} shows what is on record.",
    )
