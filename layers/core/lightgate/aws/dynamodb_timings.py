"""How long the parts of an app's releases took, so that the next one can be planned."""

import json
from datetime import timedelta
from typing import Any

from lightgate.aws.clients import reaching
from lightgate.aws.dynamodb import Table
from lightgate.backup.timings import RECENT, Timings
from lightgate.outcome.durations import Durations

_ITEM = "history"
_SNAPSHOT, _NODE_START = "snapshotSeconds", "nodeStartSeconds"


class ReleaseTimings:
    """The item `history` of each app. Only the release that has the lock writes it."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, app: str) -> Timings:
        """What recent releases have shown of each part, however many of them had no such part."""
        entries = self._entries(app)
        snapshots = _recent(entries, _SNAPSHOT)
        unfinished = [each for each in snapshots if not each["ended"]]
        return Timings(
            snapshots=_durations([each for each in snapshots if each["ended"]], _SNAPSHOT),
            node_starts=_durations(_recent(entries, _NODE_START), _NODE_START),
            unfinished=max(_durations(unfinished, _SNAPSHOT), default=None),
        )

    def add(self, app: str, release: str, taken: Durations) -> None:
        """Remember how long this release's took, as far as it is known. Again is the same.

        Raises:
            UnreachableError: it could not be written.
        """
        entry = {
            "release": release,
            _SNAPSHOT: None if taken.snapshot is None else taken.snapshot.total_seconds(),
            "ended": taken.ended,
            _NODE_START: None if taken.node_start is None else taken.node_start.total_seconds(),
        }
        with reaching("DynamoDB"):
            entries = [each for each in self._entries(app) if each["release"] != release]
            entries.append(entry)
            recent = [*_recent(entries, _SNAPSHOT), *_recent(entries, _NODE_START)]
            kept = [each for each in entries if each in recent]
            item = {**self._table.key(app, _ITEM), "entries": {"S": json.dumps(kept)}}
            self._table.client.put_item(TableName=self._table.name, Item=item)

    def _entries(self, app: str) -> list[dict[str, Any]]:
        found = self._table.read(app, _ITEM)
        entries: list[dict[str, Any]] = json.loads(found["entries"]["S"]) if found else []
        return entries


def _recent(entries: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return [each for each in entries if each[key] is not None][-RECENT:]


def _durations(entries: list[dict[str, Any]], key: str) -> list[timedelta]:
    return [timedelta(seconds=each[key]) for each in entries]
