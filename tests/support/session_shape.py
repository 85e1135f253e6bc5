"""What of the terminal session in README.md stays the same from one demo to the next."""

import re
from collections.abc import Sequence

from local.demo.session import COMMANDS

_BLOCK = re.compile(rf"```console\n(\$ {COMMANDS[0]}\n.*?)```\n", re.DOTALL)
_ID = re.compile(r"\d{8}t\d{6}z(-[0-9a-f]+)*")
_HEX = re.compile(r"\b[0-9a-f]{7,}\b")
_DURATION = re.compile(r"\d+ (min \d+ s|s|min|h)\b")
_TIME = "00:00:00"


def recorded(readme: str) -> str:
    """The session in the text of README.md."""
    [found] = _BLOCK.findall(readme)
    return str(found)


def shape(session: str) -> Sequence[Sequence[str]]:
    """What stays the same from one demo to the next: commands, columns, labels and events.

    For each command its first line, and the beginnings of the others without their order:
    two events may change places, and a longer time may wrap a line.
    """
    commands = re.split(r"\n(?=\$ )", session.strip("\n"))
    return [_shape(each.splitlines()) for each in commands]


def _shape(lines: Sequence[str]) -> Sequence[str]:
    command, first, *others = (_bare(line) for line in lines)
    begins = {_begin(line) for line in others if line and not line.startswith(" ")}
    return [command, " ".join(first.split()), *sorted(begins)]


def _bare(line: str) -> str:
    """The line without what each demo has another of."""
    text = _HEX.sub("x", _ID.sub("id", line))
    return _DURATION.sub("0 s", re.sub(r"\d", "0", text))


def _begin(line: str) -> str:
    cells = re.split(r"  +", line)
    return " ".join(cells[: 2 if cells[0] == _TIME else 1])
