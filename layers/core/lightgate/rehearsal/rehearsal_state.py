"""The state of a rehearsal's execution: its input and the answers of its steps."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from lightgate.codec import DecodeError, decode
from lightgate.errors import RefusalCode, RefusedError
from lightgate.migrations.measured import Measured
from lightgate.records.recorded_outcome import EndStatus, Publication
from lightgate.rehearsal.copied_database import Address
from lightgate.release.release import Release
from lightgate.state import DeploymentProgress

# The state machine's own time limit (rehearsal.asl.json), so none is older.
LONGEST_REHEARSAL = timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a rehearsal does not go on. The migrations were not applied.

    `stage` is that of the app; only AdmitRehearsal says it.
    """

    status: Literal["REFUSED"] = "REFUSED"
    reasons: tuple[str, ...]
    code: RefusalCode
    stage: str | None = None

    @classmethod
    def of(cls, error: RefusedError, *, stage: str | None = None) -> Self:
        return cls(reasons=tuple(error.reasons), code=error.code, stage=stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalPlan:
    """The decisions of AdmitRehearsal, which stay fixed.

    `release` is the rehearsal as the gate's channel and its reports know it: its service is the
    temporary one. `name` is also that of the temporary instance, `original` the address of the
    app's own `database`. `snapshot` is restored; `take_snapshot`: it has to be taken first.
    """

    status: Literal["PROCEED"] = "PROCEED"
    release: Release
    name: str
    gate: str
    database: str
    original: Address
    snapshot: str
    take_snapshot: bool
    power: str
    time_limit: timedelta
    poll_seconds: int
    max_lock_seconds: int | None
    warnings: tuple[str, ...] = ()


class PlaceStatus(enum.StrEnum):
    """How far the temporary instance and service are. Only READY is not checked again."""

    SNAPSHOT = "SNAPSHOT"
    CREATING = "CREATING"
    READY = "READY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the rehearsal runs. `copy` is the address of the restored database, once it has one."""

    status: PlaceStatus
    begun_at: datetime
    copy: Address | None = None
    snapshot_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalRun:
    """The only deployment of the rehearsal, and what its gate has told so far.

    RUNNING: it has to be checked again. `deployment` is None while the service takes none.
    `measured` is None until the gate has ended.
    """

    status: Literal["RUNNING", "ENDED"]
    begun_at: datetime
    deployment: DeploymentProgress | None = None
    measured: Measured | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Whether the temporary instance and service are gone. `left` says what is not."""

    status: Literal["REMOVING", "REMOVED", "LEFT"]
    begun_at: datetime
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalEnd:
    """How the rehearsal has ended, as it is on record. `cause` is one sentence.

    `notice` is its message; None if the app or its stage is unknown.
    """

    status: EndStatus
    cause: str
    notice: Publication | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalState:
    """The state of an execution. `error` is the one that Step Functions has caught.

    `told` is the answer of SNS to PublishRehearsal.
    """

    request: Any
    execution: str
    started_at: datetime
    admission: RehearsalPlan | Refusal | None = None
    place: Place | Refusal | None = None
    run: RehearsalRun | Refusal | None = None
    removal: Removal | None = None
    end: RehearsalEnd | None = None
    told: Any = None
    error: Any = None

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Raises DecodeError with the path for a state that this version cannot read."""
        return decode(cls, document)

    @classmethod
    def read_at_the_end(cls, document: Mapping[str, Any]) -> Self:
        """The same for the steps that must work with any state: what cannot be read is left out."""
        try:
            return cls.read(document)
        except DecodeError as error:
            known = {key: document[key] for key in ("request", "execution", "startedAt")}
            known["error"] = {"Error": "DecodeError", "Cause": str(error)}
            for key, answer in document.items():
                try:
                    cls.read({**known, key: answer})
                except DecodeError:
                    continue
                known[key] = answer
            return cls.read(known)

    @property
    def plan(self) -> RehearsalPlan:
        """The answer of AdmitRehearsal; only for the steps after it."""
        if isinstance(self.admission, RehearsalPlan):
            return self.admission
        raise LookupError("the rehearsal was not admitted")

    @property
    def ready(self) -> Place:
        """Where it runs; only for the steps that come after that was made."""
        if isinstance(self.place, Place) and self.place.status is PlaceStatus.READY:
            return self.place
        raise LookupError("instance and service are not ready")

    @property
    def refusal(self) -> Refusal | None:
        answers = (self.admission, self.place, self.run)
        return next((one for one in answers if isinstance(one, Refusal)), None)
