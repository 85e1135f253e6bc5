"""Traces that name the app and the release, and have no texts of errors.

X-Ray's SDK records each failed call of AWS with the text of its error, before any code of ours sees
it. Such a text may quote the request, and with it secrets. A trace keeps what failed and where: the
type of the error, AWS's code, the operation and the stack.
"""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Tracer

from lightgate.patterns import pattern

# All that is kept of an error of AWS.
_WHAT_FAILED = pattern(
    r"An error occurred \([\w.:#-]{1,100}\) when calling the \w{1,100} operation"
)


def trace_without_texts(tracer: Tracer) -> None:
    """Let whatever the tracer sends go through here. Doing it again changes nothing."""
    if tracer.disabled:
        return
    recorder: Any = tracer.provider
    if not isinstance(recorder.emitter, _Emitter):
        recorder.emitter = _Emitter(recorder.emitter)


def name_in_trace(tracer: Tracer, document: Mapping[str, Any]) -> None:
    """Annotate the current segment with the app and the release that an event or answer names."""
    state = document.get("state", document)
    known = state.get("admission", state) if isinstance(state, dict) else None
    if not isinstance(known, dict):
        return
    release = known.get("release")
    named = {
        "app": known.get("app"),
        "release": release.get("id") if isinstance(release, dict) else release,
    }
    for key, value in named.items():
        if isinstance(value, str) and value:
            tracer.put_annotation(key, value)


class _Emitter:
    """Sends what another emitter sends, without the texts of errors."""

    def __init__(self, emitter: Any) -> None:  # noqa: ANN401 - the SDK has no types
        self._emitter = emitter

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._emitter, name)

    def send_entity(self, entity: Any) -> None:  # noqa: ANN401
        _drop_texts(entity)
        self._emitter.send_entity(entity)


def _drop_texts(entity: Any) -> None:  # noqa: ANN401
    # Of an error that is recorded already, the cause is only the id.
    exceptions = entity.cause.get("exceptions", ()) if isinstance(entity.cause, dict) else ()
    for exception in exceptions:
        known = _WHAT_FAILED.match(getattr(exception, "message", None) or "")
        exception.message = known[0] if known else exception.type
    for part in entity.subsegments:
        _drop_texts(part)
