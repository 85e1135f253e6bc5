"""How long the parts of an app's releases took, so that the next one can be planned."""

import json
from datetime import timedelta
from typing import Any

from lightgate.aws.table import Table
from lightgate.backup import History

_ITEM = "history"
_MOST = 10


class Histories:
    """The item `history` of each app. Only the release that has the turn writes it."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, app: str) -> History:
        entries = self._entries(app)
        return History(
            snapshots=_durations(entries, "snapshotSeconds"),
            node_starts=_durations(entries, "nodeStartSeconds"),
        )

    def add(
        self, app: str, release: str, *, snapshot: timedelta | None, node_start: timedelta | None
    ) -> None:
        """Remember how long this release's took, as far as it is known. Again is the same."""
        entry = {
            "release": release,
            "snapshotSeconds": None if snapshot is None else snapshot.total_seconds(),
            "nodeStartSeconds": None if node_start is None else node_start.total_seconds(),
        }
        others = [each for each in self._entries(app) if each["release"] != release]
        entries = [*others, entry][-_MOST:]
        item = {**self._table.key(app, _ITEM), "entries": {"S": json.dumps(entries)}}
        self._table.client.put_item(TableName=self._table.name, Item=item)

    def _entries(self, app: str) -> list[dict[str, Any]]:
        found = self._table.read(app, _ITEM)
        entries: list[dict[str, Any]] = json.loads(found["entries"]["S"]) if found else []
        return entries


def _durations(entries: list[dict[str, Any]], key: str) -> list[timedelta]:
    return [timedelta(seconds=each[key]) for each in entries if each[key] is not None]
