"""What the pages show, in the order in which they show it: texts, and places in a chart."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass


class Tone(enum.StrEnum):
    """The color of a word. The word says the same, so no page needs its colors."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    RUNNING = "running"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A status, shown with a dot in its color."""

    text: str
    tone: Tone = Tone.NEUTRAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """The name of a release, with which its page opens."""

    app: str
    release: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRelease:
    opener: Opener
    status: Word
    when: str
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRow:
    """`notes` are sentences about what is in progress, waiting, paused or unknown."""

    app: str
    live: str
    stage: str | None = None
    url: str | None = None
    since: str | None = None
    health: Word | None = None
    health_detail: str | None = None
    rollback: str | None = None
    notes: Sequence[str] = ()
    last: LastRelease | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stage in a chart: `left` and `width` in percent, and the lane from 0 on."""

    stage: str
    left: float
    width: float
    lane: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """A release with its stages, on the scale that all rows have."""

    opener: Opener
    status: Word
    started: str
    took: str | None
    started_by: str
    is_live: bool
    bars: Sequence[Bar]
    lanes: int
    durations: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """`scale` is the length of the common axis. `stages` have a name and a title each."""

    title: str
    made: str
    apps: Sequence[AppRow]
    releases: Sequence[ReleaseRow]
    scale: str
    stages: Sequence[tuple[str, str]]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    label: str
    texts: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do next: a sentence, or a command to copy."""

    text: str
    is_command: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    stage: str
    title: str
    left: float
    width: float
    began: str
    took: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The time in which the snapshot was made and the node started, in percent."""

    left: float
    width: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gantt:
    rows: Sequence[StageRow]
    begins: str
    ends: str
    band: Band | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRow:
    name: str
    status: Word
    effect: str
    operations: str
    took: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRow:
    at: str
    took: str
    result: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Lines that are folded. `omitted` earlier ones are not shown."""

    title: str
    lines: Sequence[str]
    omitted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    text: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePage:
    """`summary` is the verdict in a sentence. `evidence_line` is the line that shows the cause."""

    title: str
    name: str
    app: str
    status: Word
    summary: str
    begun: str
    cause: str | None
    evidence_line: str | None
    reasons: Sequence[str]
    steps: Sequence[Step]
    warnings: Sequence[str]
    gantt: Gantt | None
    migrations: Sequence[MigrationRow]
    unlisted: int
    rollback: Word | None
    rollback_reasons: Sequence[str]
    reversing: Sequence[str]
    facts: Sequence[Fact]
    links: Sequence[Link]
    health: Sequence[HealthRow]
    rollback_health: Sequence[HealthRow]
    decisions: Sequence[Fact]
    gates: Sequence[Fold]
    logs: Sequence[Fold]
    unread: Sequence[str]
