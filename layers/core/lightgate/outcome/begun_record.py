"""The readable record of a release that requests the lock."""

from lightgate.records.release_record import RELEASING, ReadableRecord, RecordKind
from lightgate.records.starter import starter_of
from lightgate.release.lock import LockAnswer
from lightgate.release.unchecked_request import requested_starter
from lightgate.state import Admitted


def begun_record(
    admitted: Admitted, answer: LockAnswer, *, execution: str, request: object
) -> ReadableRecord:
    """RELEASING with the lock; else how the answer to its request ends it, or lets it wait."""
    release = admitted.release
    has_lock = answer.holder is not None
    return ReadableRecord(
        app=admitted.app,
        release=release.id,
        kind=RecordKind(release.kind),
        status=RELEASING if has_lock else answer.status.value,
        started_at=release.started_at,
        stage=admitted.stage,
        tag=release.tag,
        digest=release.digest,
        pushed_digest=release.pushed_digest,
        repository=release.repository,
        started_by=starter_of(request),
        who=requested_starter(request),
        reason=release.reason,
        command=release.command,
        rollback_to=release.rollback_to,
        execution=execution,
        reasons=(answer.reason,) if answer.reason else (),
        warnings=admitted.warnings,
    )
