"""The readable record of a release: what people and commands read of it, and all they need.

Its field names are a promise (docs/record.md): within one `schemaVersion` a field keeps its name
and its meaning, and new fields may be added.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lightgate.migrations.compatibility import Judgement
from lightgate.records.prediction import Prediction
from lightgate.records.recorded_outcome import Cost
from lightgate.records.rehearsed import Rehearsed
from lightgate.release.release import ReleaseKind
from lightgate.spec.effect import Effect

_SCHEMA_VERSION = 1
# The status of a release until it has ended.
RELEASING = "RELEASING"


class RecordKind(enum.StrEnum):
    """What is on record: a release of one of its kinds, or a rehearsal."""

    IMAGE = ReleaseKind.IMAGE.value
    ROLLBACK = ReleaseKind.ROLLBACK.value
    COMMAND = ReleaseKind.COMMAND.value
    REHEARSAL = "REHEARSAL"


class StartedBy(enum.StrEnum):
    """What has started a release.

    RECONCILE: a push whose event never came. RELEASE: another release that had to be rolled back.
    """

    PUSH = "push"
    PERSON = "person"
    RECONCILE = "reconcile"
    RELEASE = "release"


class StageName(enum.StrEnum):
    """The stages of a release, in the order in which they can begin."""

    ADMISSION = "admission"
    SNAPSHOT = "snapshot"
    NODE = "node"
    PERMIT = "permit"
    MIGRATION = "migration"
    ACTIVATION = "activation"
    HEALTH = "health"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStage:
    """A stage that has begun. `ended_at` is None if its end was not seen.

    `reason` says in one sentence how it ended, or why it was there at all.
    """

    name: StageName
    started_at: datetime
    ended_at: datetime | None = None
    reason: str | None = None


class MigrationStatus(enum.StrEnum):
    """What is known of a planned migration. UNKNOWN: it may be applied, or not.

    REVERSED: it was applied, and Lightgate reversed it by itself. RECORDED: `migrate --fake` has
    changed its record, and has not run it.
    """

    APPLIED = "applied"
    REVERSED = "reversed"
    RECORDED = "recorded"
    FAILED = "failed"
    NOT_APPLIED = "not-applied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedMigration:
    """A migration of the plan, or one that was applied. `effect` is None if no plan told it.

    `operations` are those that are not compatible with the previous version.
    """

    name: str
    status: MigrationStatus
    effect: Effect | None = None
    operations: Sequence[str] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSnapshot:
    """The restore point of the release. `id` is None for continuous backup.

    `restores_to` is the moment as of which it has the database.
    """

    id: str | None
    status: str | None
    detail: str | None = None
    available_at: datetime | None = None
    restores_to: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHealth:
    """The health checks of the version that the release has left live."""

    version: int | None
    status: str
    checks: int = 0
    failed: int = 0
    slowest: timedelta = timedelta()
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLive:
    """The version that was live when the release ended."""

    version: int
    tag: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableRecord:
    """One release on record, also one that runs, waits or was refused.

    `status` is RELEASING while it runs; then a value of `EndStatus`. `tag` is the one under
    which the image was pushed, `digest` that of the image that runs, `pushed_digest` that of a
    multi-platform index around it. `who` is the person who started it, if the request names one.
    `caused_by` is the release that this one rolls back. `begun_as` is the release as which one that
    waited in the queue has begun. `failure_code` is the kind of its failure
    or of its refusal. `take_back` are the inputs of the executions that reverse its migrations.
    `summary` is the first sentence of its message. `unlisted` are migrations
    that no report had room for. `evidence` is the key of its evidence file in S3. `live` is None
    if none was live, or if that is unknown: `is_down` tells them apart. `rehearsal` has the facts
    of a rehearsal, `prediction` those of the newest rehearsal of the image of a release.
    """

    app: str
    release: str
    kind: RecordKind
    status: str
    started_at: datetime
    schema_version: int = _SCHEMA_VERSION
    stage: str | None = None
    tag: str | None = None
    digest: str | None = None
    pushed_digest: str | None = None
    repository: str | None = None
    started_by: StartedBy = StartedBy.PERSON
    who: str | None = None
    reason: str | None = None
    command: Sequence[str] | None = None
    rollback_to: int | None = None
    caused_by: str | None = None
    superseded_by: str | None = None
    begun_as: str | None = None
    ended_at: datetime | None = None
    execution: str | None = None
    failure_code: str | None = None
    summary: str | None = None
    reasons: Sequence[str] = ()
    cause: str | None = None
    evidence_line: str | None = None
    next_steps: Sequence[str] = ()
    warnings: Sequence[str] = ()
    stages: Sequence[ReleaseStage] = ()
    migrations: Sequence[RecordedMigration] = ()
    unlisted: int = 0
    snapshot: RecordedSnapshot | None = None
    no_snapshot: str | None = None
    rollback: Judgement | None = None
    version: int | None = None
    previous_version: int | None = None
    live: RecordedLive | None = None
    is_down: bool = False
    health: RecordedHealth | None = None
    saved: timedelta = timedelta()
    cost: Cost | None = None
    evidence: str | None = None
    take_back: Sequence[Mapping[str, Any]] = ()
    spec_version: int | None = None
    rehearsal: Rehearsed | None = None
    prediction: Prediction | None = None
