"""The errors that are part of Lightgate's contracts.

A situation that a release can legitimately meet (a busy service, a refused spec) is not
an exception for the state machine: a step returns it as a value with a `status`. These
classes carry such a situation from the place that finds it to the step that returns it.
"""

import enum
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NoReturn

from lightgate.patterns import pattern

# The state machine carries 256 KB, and a person reads less.
_LONGEST_REASON = 2000
_ENDS = (".", "!", "?", ":", "…")
# A command of AWS without the end of a sentence behind it.
_COMMAND = pattern(r" aws [a-z0-9-]+ [a-z-]+ --(?:(?!\. ).)*$")


class LightgateError(Exception):
    """Base of every error of ours whose text is written for the user."""


class RefusalCode(enum.StrEnum):
    """The kind of a refusal, explained in docs/runbook.md. Rules decide by it, never by texts."""

    ARCHITECTURE = "architecture"
    DATABASE = "database"
    DATABASE_PUBLIC = "database-public"
    DEPLOYMENT = "deployment"
    IMAGE = "image"
    IMAGE_PULLER = "image-puller"
    INPUT = "input"
    INTERRUPTED = "interrupted"
    LOCKED = "locked"
    MIGRATIONS = "migrations"
    NO_IMAGE = "no-image"
    NOT_REHEARSED = "not-rehearsed"
    NOTHING_LIVE = "nothing-live"
    PERMIT = "permit"
    QUOTA = "quota"
    REHEARSAL = "rehearsal"
    ROLLBACK = "rollback"
    SECRET = "secret"  # noqa: S105 - a code
    SECRET_FOREIGN = "secret-foreign"  # noqa: S105 - a code
    SERVICE_BUSY = "service-busy"
    SERVICE_DISABLED = "service-disabled"
    SERVICE_MISSING = "service-missing"
    SERVICE_REPLACED = "service-replaced"
    SERVICE_TAKEN = "service-taken"
    SNAPSHOT = "snapshot"
    SPEC = "spec"
    SPEC_MISSING = "spec-missing"
    SPEC_REPLACED = "spec-replaced"
    UPDATED = "updated"


class RefusedError(LightgateError):
    """The release cannot go on and nothing has been applied.

    `reasons` are whole sentences for the person who reads the final message. They may quote
    documents from outside.
    """

    def __init__(self, *reasons: str, code: RefusalCode) -> None:
        self.reasons: Sequence[str] = tuple(map(readable, reasons))
        super().__init__("\n".join(self.reasons))
        self.code = code


class DeniedError(RefusedError):
    """Secrets may not be read. A right that was granted a moment ago takes some time to hold."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons, code=RefusalCode.SECRET)


class SpecReplacedError(RefusedError):
    """The spec that was used is gone: its parameter was stored again, once or very often."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons, code=RefusalCode.SPEC_REPLACED)


class NoImageError(RefusedError):
    """The manifest is certainly not an image, but a signature, a cache or another artifact."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons, code=RefusalCode.NO_IMAGE)


class UnreachableError(LightgateError):
    """AWS has refused a call or has not answered it, so the answer is unknown."""


class MissingError(LightgateError):
    """An answer of AWS lacks something that must exist, so its state is unknown."""


class ExecutionEndedError(LightgateError):
    """The execution, or its release, is recorded as ended, so a late write of it is refused."""


class StillRunningError(LightgateError):
    """An event says that an execution has ended, and Step Functions still says that it runs."""


class NotShownError(UnreachableError):
    """The service does not show the deployment yet, or not any more."""


class UnexpectedError(LightgateError):
    """A step that reads secrets has failed. The text says what and where, and quotes nothing."""


class NotYetError(LightgateError):
    """Something of the release may still be acted upon for that long; afterwards, try again."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"a permit that cannot be voided holds for {wait.total_seconds():.0f} s")
        self.wait = wait


class NotDeletedError(LightgateError):
    """Some snapshots could not be deleted: `failed` has the reason for each. The others were."""

    def __init__(self, deleted: Sequence[str], failed: Mapping[str, str]) -> None:
        super().__init__(f"{len(failed)} snapshots could not be deleted")
        self.deleted, self.failed = deleted, failed


class DocumentError(RefusedError):
    """A JSON document from outside has problems; `reasons` has one line for each."""


class SpecError(DocumentError):
    """The app spec is wrong. Nothing was done with it."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons, code=RefusalCode.SPEC)


class RequestError(DocumentError):
    """The input of an execution is wrong. Nothing was started."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons, code=RefusalCode.INPUT)


def raise_alone(error: Exception) -> NoReturn:
    """Raise the error without the errors that led to it: their texts may quote secrets."""
    error.__cause__ = None
    try:
        raise error from None
    finally:
        # `raise` has just set it.
        error.__context__ = None


def joined(reasons: Sequence[str]) -> str:
    """The reasons as one text of whole sentences."""
    return " ".join(map(sentence, filter(None, reasons)))


def sentence(reason: str) -> str:
    """The reason with a full stop, if nothing ends it. A command would be copied with one."""
    is_ended = reason.endswith(_ENDS) or _COMMAND.search(reason) is not None
    return reason if is_ended else f"{reason}."


def readable(reason: str) -> str:
    """One line of which a terminal obeys nothing, without the middle of a very long one."""
    if len(reason) > _LONGEST_REASON:
        half = _LONGEST_REASON // 2
        reason = f"{reason[:half]} … {reason[-half:]}"
    return "".join(c if c.isprintable() else " " for c in reason)
