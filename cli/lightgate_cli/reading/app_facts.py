"""What was read of an app: `app_status` makes its status of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lightgate.deployment.status import Service
from lightgate.records.release_record import ReadableRecord
from lightgate.records.version import VersionRecord
from lightgate.release.lock import Lock
from lightgate.spec.keys import AppSpec
from lightgate_cli.reading.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFacts:
    """What was read of an app. Whatever is None could not be read, or does not exist.

    `history` has the newest release first, and `rehearsals` the newest rehearsal. `answer_problem`
    is what is wrong with the app's answer just now, None if it is good; `was_asked` says whether it
    was asked. `running` is the progress of the release that has the lock, `has_ended` whether its
    execution is over. `unread` says in one sentence each what could not be read.
    """

    app: str
    now: datetime
    spec: AppSpec | None
    lock: Lock
    history: Sequence[ReadableRecord]
    versions: Mapping[int, VersionRecord] | None
    service: Service | None
    was_asked: bool = False
    answer_problem: str | None = None
    running: Progress | None = None
    has_ended: bool = False
    rehearsals: Sequence[ReadableRecord] = ()
    unread: Sequence[str] = ()
