"""The command that shows lines of a log again: those of the release, and of no other day."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lightgate.patterns import pattern

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_LONGEST_PHRASE = 60
_SHORTEST_PHRASE = 3
# A word that touches a masked secret may have a part of it.
_MASKED = pattern(r"\S*\*\*\*\S*")
# Without what a shell, or a quoted phrase of a filter pattern, takes for something else.
_PLAIN = pattern(r"[A-Za-z0-9_\[(/][A-Za-z0-9_.,:;/=()\[\]@#+ -]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWindow:
    """The time of a release on the logs of its containers."""

    since: datetime
    until: datetime


def phrase_of(shown: str, raw: str) -> str | None:
    """Words of a line that a filter pattern can search for; None if it has none.

    `shown` is the line without secrets, and `raw` the line as the log has it. Words that are in
    both find the line again and give nothing away.
    """
    pieces = [piece for part in _MASKED.split(shown) for piece in _PLAIN.findall(part)]
    # The log may have something else between two words, such as a tab or a colour.
    words = [_shortened(one.strip()) for piece in pieces for one in (piece, *piece.split())]
    return max((one for one in words if _is_usable(one, raw)), key=len, default=None)


def _shortened(piece: str) -> str:
    if len(piece) <= _LONGEST_PHRASE:
        return piece
    return piece[:_LONGEST_PHRASE].rpartition(" ")[0] or piece[:_LONGEST_PHRASE]


def _is_usable(phrase: str, raw: str) -> bool:
    return len(phrase) >= _SHORTEST_PHRASE and phrase in raw


def log_command(
    service: str, container: str, window: LogWindow, phrases: Sequence[str] = ()
) -> str:
    """The command for the lines of the release, those with one of the phrases if there are any."""
    command = (
        f"aws lightsail get-container-log --service-name {service} --container-name {container} "
        f"--start-time {window.since.astimezone(UTC):{_FORMAT}} "
        f"--end-time {window.until.astimezone(UTC):{_FORMAT}}"
    )
    either = "?" * (len(phrases) > 1)
    pattern = " ".join(f'{either}"{phrase}"' for phrase in dict.fromkeys(phrases))
    return f"{command} --filter-pattern {shlex.quote(pattern)}" if pattern else command
