"""What people can still read of a record that is not in the shape of `ReadableRecord`.

An earlier version of Lightgate has written it, or something else has broken it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lightgate.names import start_of
from lightgate.records.release_record import RELEASING, ReadableRecord, RecordKind

_WARNING = (
    "The record of this release has another shape than this version of Lightgate writes, so only a "
    "part of it is shown."
)


def earlier_record(
    app: str,
    release: str,
    values: Mapping[str, Any],
    outcome: Mapping[str, Any],
    admission: Mapping[str, Any],
) -> ReadableRecord | None:
    """The facts that the parts of the item agree on; None if not even its beginning is known.

    `values` are the attributes of the item, `outcome` and `admission` its documents, empty if it
    has none.
    """
    started_at = _start_of(release)
    if started_at is None:
        return None
    admitted = _members(admission.get("release"))
    failure = _members(outcome.get("failure"))
    kind = _text(admitted.get("kind") or values.get("kind"))
    return ReadableRecord(
        app=app,
        release=release,
        kind=RecordKind(kind) if kind and kind in RecordKind else _kind_of(admitted),
        status=_text(outcome.get("status") or values.get("status")) or RELEASING,
        started_at=started_at,
        stage=_text(outcome.get("stage") or admitted.get("stage")),
        tag=_text(admitted.get("tag") or values.get("tag")),
        digest=_text(admitted.get("digest") or values.get("digest")),
        repository=_text(admitted.get("repository")),
        execution=_text(values.get("execution")),
        failure_code=_text(failure.get("kind") or outcome.get("code")),
        cause=_text(failure.get("what") or outcome.get("cause")),
        evidence_line=_text(failure.get("evidence")),
        warnings=(_WARNING,),
    )


def _start_of(release: str) -> datetime | None:
    try:
        return start_of(release)
    except ValueError:
        return None


def _kind_of(admitted: Mapping[str, Any]) -> RecordKind:
    if admitted.get("command") is not None:
        return RecordKind.COMMAND
    is_rollback = admitted.get("rollbackTo") is not None
    return RecordKind.ROLLBACK if is_rollback else RecordKind.IMAGE


def _members(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
