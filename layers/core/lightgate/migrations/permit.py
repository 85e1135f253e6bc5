"""The permit of a gate: its states, its text form, and the allowed changes.

Lightgate writes the permit to the gate channel. The gate reads the text of `to_text` with its own
program (`gate/programs/supervisor/permit.py`), and trusts it.
"""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

# Escaped in JSON, each character has up to twelve bytes.
_LONGEST_REASON = 600
# The gate reads no larger permit (LARGEST in gate/programs/s3_client.py).
LARGEST_PERMIT_BYTES = 8192


class PermitState(enum.StrEnum):
    PENDING = "pending"
    GRANTED = "granted"
    VOID = "void"


class VoidCause(enum.StrEnum):
    """Why a permit is void.

    POLICY and NO_RESTORE_POINT are refusals: a person has to change something first. TOO_LATE: what
    is begun now might be cut off. STOPPED: the release must not act any more. ENDED: its gate,
    its deployment or the release itself had ended before, which is known anyway. LOST: the permit
    that was there is missing or cannot be read.
    """

    POLICY = "policy"
    NO_RESTORE_POINT = "no-restore-point"
    TOO_LATE = "too-late"
    STOPPED = "stopped"
    ENDED = "ended"
    LOST = "lost"

    @property
    def is_refusal(self) -> bool:
        return self in (VoidCause.POLICY, VoidCause.NO_RESTORE_POINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """What one gate of a release may do.

    Granted, it holds for the plan with this hash, and only if it is begun before `until`. Void,
    it stays so: nothing makes another permit of it. `cause` and `reason` say why, to the code and
    to people; one that an earlier version of Lightgate has voided has no `cause`.
    """

    release: str
    state: PermitState
    plan: str | None = None
    until: datetime | None = None
    cause: VoidCause | None = None
    reason: str | None = None

    def granted(self, plan: str, until: datetime) -> Self:
        """This permit for that plan; itself if it is void."""
        if self.state is PermitState.VOID:
            return self
        return replace(self, state=PermitState.GRANTED, plan=plan, until=_whole_second(until))

    def voided(self, cause: VoidCause, reason: str) -> Self:
        """This permit withdrawn; the first cause and reason stay."""
        if self.state is PermitState.VOID:
            return self
        return replace(
            self,
            state=PermitState.VOID,
            plan=None,
            until=None,
            cause=cause,
            reason=reason[:_LONGEST_REASON],
        )

    def to_text(self) -> str:
        return json.dumps(
            {
                "lightgate": 1,
                "release": self.release,
                "state": self.state.value,
                "plan": self.plan,
                "until": None if self.until is None else int(self.until.timestamp()),
                "reason": self.reason,
                **({} if self.cause is None else {"cause": self.cause.value}),
            }
        )

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """The permit; None if the text is not one that `to_text` has made."""
        try:
            document: Any = json.loads(text)
            if not isinstance(document, Mapping) or document["lightgate"] != 1:
                return None
            until = document["until"]
            permit = cls(
                release=str(document["release"]),
                state=PermitState(document["state"]),
                plan=document["plan"],
                until=None if until is None else datetime.fromtimestamp(until, UTC),
                reason=document["reason"],
                cause=VoidCause(document["cause"]) if "cause" in document else None,
            )
        except (LookupError, TypeError, ValueError, OverflowError, OSError, RecursionError):
            return None
        return permit if permit.to_text() == text else None


def pending(release: str) -> Permit:
    return Permit(release=release, state=PermitState.PENDING)


def _whole_second(moment: datetime) -> datetime:
    """The moment in whole seconds, rounded down, as the text has no fractions."""
    return datetime.fromtimestamp(int(moment.timestamp()), UTC)
