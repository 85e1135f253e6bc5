"""How long the parts of an app's releases took, so that the next one can be planned."""

import json
from datetime import timedelta
from typing import Any

from lightgate.aws.clients import reaching
from lightgate.aws.dynamodb import Table
from lightgate.backup.timings import RECENT, Timings
from lightgate.outcome.durations import Durations
from lightgate.release.poll_interval import Observed

_ITEM = "history"
_SNAPSHOT, _NODE_START, _END = "snapshotSeconds", "nodeStartSeconds", "endSeconds"
_PARTS = (_SNAPSHOT, _NODE_START, _END)
# Beside each part: the last check that did not find it over.
_AFTER = "{}After"


class ReleaseTimings:
    """The item `history` of each app. Only the release that has the lock writes it."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, app: str) -> Timings:
        """What recent releases have shown of each part, however many of them had no such part."""
        entries = self._entries(app)
        snapshots = _recent(entries, _SNAPSHOT)
        ended = [each for each in snapshots if each["ended"]]
        unfinished = [each for each in snapshots if not each["ended"]]
        node_starts = _recent(entries, _NODE_START)
        return Timings(
            snapshots=_durations(ended, _SNAPSHOT),
            node_starts=_durations(node_starts, _NODE_START),
            unfinished=max(_durations(unfinished, _SNAPSHOT), default=None),
            seen_snapshots=_observed(ended, _SNAPSHOT),
            seen_node_starts=_observed(node_starts, _NODE_START),
            seen_ends=_observed(_recent(entries, _END), _END),
        )

    def add(self, app: str, release: str, taken: Durations) -> None:
        """Remember how long this release's took, as far as it is known. Again is the same.

        Raises:
            UnreachableError: it could not be written.
        """
        entry = {
            "release": release,
            "ended": taken.ended,
            **_seconds(_SNAPSHOT, taken.snapshot),
            **_seconds(_NODE_START, taken.node_start),
            **_seconds(_END, taken.end),
        }
        with reaching("DynamoDB"):
            entries = [each for each in self._entries(app) if each["release"] != release]
            entries.append(entry)
            recent = [each for part in _PARTS for each in _recent(entries, part)]
            kept = [each for each in entries if each in recent]
            item = {**self._table.key(app, _ITEM), "entries": {"S": json.dumps(kept)}}
            self._table.client.put_item(TableName=self._table.name, Item=item)

    def _entries(self, app: str) -> list[dict[str, Any]]:
        found = self._table.read(app, _ITEM)
        entries: list[dict[str, Any]] = json.loads(found["entries"]["S"]) if found else []
        return entries


def _recent(entries: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return [each for each in entries if each.get(key) is not None][-RECENT:]


def _seconds(key: str, observed: Observed | None) -> dict[str, float | None]:
    if observed is None:
        return {key: None}
    after = _AFTER.format(key)
    return {key: observed.by.total_seconds(), after: observed.after.total_seconds()}


def _observed(entries: list[dict[str, Any]], key: str) -> list[Observed]:
    """Entries of older versions of Lightgate have only the end."""
    after = _AFTER.format(key)
    return [
        Observed(
            after=timedelta(seconds=each.get(after, each[key])), by=timedelta(seconds=each[key])
        )
        for each in entries
    ]


def _durations(entries: list[dict[str, Any]], key: str) -> list[timedelta]:
    return [timedelta(seconds=each[key]) for each in entries]
