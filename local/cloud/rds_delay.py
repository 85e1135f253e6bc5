"""The time that RDS takes for a snapshot: in the engine a snapshot is available at once."""

import re
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from local.cloud.aws_rules import SNAPSHOTS, Refusal

_LISTS = ("DescribeDBSnapshots", "DescribeDBClusterSnapshots")
_SNAPSHOT = re.compile(r"<(DB(?:Cluster)?Snapshot)>(.*?)</\1>", re.DOTALL)


class SnapshotTimes:
    """Shows each snapshot as `creating` for a while, and refuses a second one of its database.

    It knows only the snapshots that were created through the gateway.
    """

    def __init__(self, takes: timedelta, clock: Callable[[], float] = time.monotonic) -> None:
        self._takes = takes.total_seconds()
        self._clock = clock
        self._begun: dict[str, tuple[str, float]] = {}  # by snapshot: its database, and when

    def refusal(self, form: Mapping[str, str]) -> Refusal | None:
        """Refuse a snapshot of a database whose other snapshot is not complete."""
        kind = SNAPSHOTS.get(form.get("Action", ""))
        if kind is None:
            return None
        snapshot, database = form.get(kind.snapshot), form.get(kind.database, "")
        is_busy = any(
            whose == database and name != snapshot and self.progress(name) < 1
            for name, (whose, _) in self._begun.items()
        )
        return kind.unavailable(database) if is_busy else None

    def answer(self, form: Mapping[str, str], answer: bytes) -> bytes:
        """The engine's answer with the progress of each snapshot in it."""
        action = form.get("Action", "")
        if (kind := SNAPSHOTS.get(action)) is not None:
            self._begun[form[kind.snapshot]] = (form[kind.database], self._clock())
        elif action not in _LISTS:
            return answer
        return _SNAPSHOT.sub(self._with_progress, answer.decode()).encode()

    def _with_progress(self, match: re.Match[str]) -> str:
        name = re.search(rf"<{match[1]}Identifier>([^<]*)<", match[0])
        progress = self.progress(name[1]) if name else 1
        if progress >= 1:
            return match[0]
        percent = f"<PercentProgress>{int(100 * progress)}<"
        creating = match[0].replace("<Status>available<", "<Status>creating<")
        return creating.replace("<PercentProgress>100<", percent)

    def progress(self, snapshot: str) -> float:
        """How far the snapshot is; 1 if it is available."""
        _, begun = self._begun.get(snapshot, ("", float("-inf")))
        return (self._clock() - begun) / self._takes if self._takes else 1.0
