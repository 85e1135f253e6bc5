"""The time that RDS takes for a snapshot: the engine's are records, and available at once."""

import re
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import parse_qsl

from local.strict import Format, Refusal

_DATABASE = {"CreateDBSnapshot": "DBInstance", "CreateDBClusterSnapshot": "DBCluster"}
_IN_USE = {
    "DBInstance": (
        "InvalidDBInstanceState",
        "Cannot create a snapshot because the database instance {} is not currently in the "
        "available state.",
    ),
    "DBCluster": (
        "InvalidDBClusterStateFault",
        "Cannot create a snapshot because the database cluster {} is not currently in the "
        "available state.",
    ),
}
_SNAPSHOT = re.compile(r"<(DB(?:Cluster)?Snapshot)>(.*?)</\1>", re.DOTALL)


class SnapshotTimes:
    """Lets each snapshot be `creating` for a while, and its database busy with it.

    It goes by what passes through: a snapshot made behind its back is as the engine says.
    """

    def __init__(self, takes: timedelta, clock: Callable[[], float] = time.monotonic) -> None:
        self._takes = takes.total_seconds()
        self._clock = clock
        self._begun: dict[str, tuple[str, float]] = {}  # by snapshot: its database, and when

    def refusal(self, body: bytes) -> Refusal | None:
        """Refuse a snapshot of a database of which another one is being made."""
        asked = form_of(body)
        kind = _DATABASE.get(asked.get("Action", ""))
        if kind is None:
            return None
        snapshot = asked.get(f"{kind.replace('Instance', '')}SnapshotIdentifier", "")
        database = asked.get(f"{kind}Identifier", "")
        busy = {
            whose
            for name, (whose, begun) in self._begun.items()
            if name != snapshot and self._progress(begun) < 1
        }
        if database not in busy:
            return None
        code, message = _IN_USE[kind]
        return Refusal(400, code, message.format(database), Format.QUERY)

    def answer(self, body: bytes, answer: bytes) -> bytes:
        """The engine's answer, with each snapshot as far as it is."""
        asked = form_of(body)
        action = asked.get("Action", "")
        if action not in {*_DATABASE, "DescribeDBSnapshots", "DescribeDBClusterSnapshots"}:
            return answer
        is_new = action in _DATABASE

        def as_it_is(match: re.Match[str]) -> str:
            kind, text = match.groups()
            name = _member(text, f"{kind}Identifier")
            if is_new:
                database = _member(text, f"{kind.removesuffix('Snapshot')}Identifier") or _member(
                    text, "DBInstanceIdentifier"
                )
                self._begun[name] = (database, self._clock())
            _, begun = self._begun.get(name, ("", float("-inf")))
            progress = self._progress(begun)
            if progress < 1:
                text = text.replace("<Status>available<", "<Status>creating<")
                percent = f"<PercentProgress>{int(100 * progress)}<"
                text = text.replace("<PercentProgress>100<", percent)
            return f"<{kind}>{text}</{kind}>"

        return _SNAPSHOT.sub(as_it_is, answer.decode()).encode()

    def _progress(self, begun: float) -> float:
        return (self._clock() - begun) / self._takes if self._takes else 1.0


def form_of(body: bytes) -> Mapping[str, str]:
    """The parameters of a call in AWS's query protocol; none if it is something else."""
    if not body.startswith(b"Action=") and b"&Action=" not in body:
        return {}
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _member(text: str, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)<", text)
    return found.group(1) if found else ""
