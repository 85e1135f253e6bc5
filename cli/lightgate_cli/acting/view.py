"""Shows the progress of a release: on a terminal in place, in a pipe one line for each change."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from lightgate.records.release_record import StageName
from lightgate.records.wording import clock, time_of_day
from lightgate_cli import output
from lightgate_cli.acting.following import View
from lightgate_cli.acting.stages import FollowedStage, Mark
from lightgate_cli.connection import Connection

_NAMES = {
    StageName.ADMISSION: "Admission",
    StageName.SNAPSHOT: "Snapshot",
    StageName.NODE: "Node start",
    StageName.PERMIT: "Permit",
    StageName.MIGRATION: "Migration",
    StageName.ACTIVATION: "Activation",
    StageName.HEALTH: "Health checks",
    StageName.ROLLBACK: "Rollback",
}
_SYMBOLS = {Mark.DONE: ("✓", "green"), Mark.FAILED: ("✗", "red"), Mark.OVER: ("·", "bright_black")}
_REFRESHES = 8


@contextmanager
def opened(connection: Connection, *, is_quiet: bool = False) -> Iterator[View]:
    """The view for standard output. A quiet one shows nothing, so that JSON stands alone."""
    if is_quiet:
        yield _Quiet()
    elif sys.stdout.isatty():
        with _on_terminal(output.console(sys.stdout), connection) as view:
            yield view
    else:
        yield _Lines(connection)


class _Quiet:
    def show(self, stages: Sequence[FollowedStage]) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class _Lines:
    """For a pipe: a line when a stage begins, and one when it has ended."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[StageName, Mark] = {}

    def show(self, stages: Sequence[FollowedStage]) -> None:
        output.print_lines(changes(stages, self._known))

    def note(self, text: str) -> None:
        output.print_lines([f"{time_of_day(self._connection.now())}  {text}"])


def changes(stages: Sequence[FollowedStage], known: dict[StageName, Mark]) -> Iterator[str]:
    """A line for each stage that is new, or that has ended since; `known` is brought up to date.

    One that begins and ends between two looks has one line.
    """
    for stage in stages:
        if known.get(stage.name) == stage.mark:
            continue
        known[stage.name] = stage.mark
        label = f"{_NAMES[stage.name].lower():<13}"
        if stage.mark is Mark.RUNNING:
            expected = f", expected to take {clock(stage.expected)}" if stage.expected else ""
            yield f"{time_of_day(stage.began_at)}  {label}  started{expected}{_behind(stage)}"
        else:
            at = stage.ended_at or stage.began_at
            how = "failed after" if stage.mark is Mark.FAILED else "took"
            took = clock(stage.took(at))
            yield f"{time_of_day(at)}  {label}  {how} {took}{_behind(stage)}"


def _behind(stage: FollowedStage) -> str:
    return f": {stage.detail}" if stage.detail else ""


@contextmanager
def _on_terminal(console: Console, connection: Connection) -> Iterator[View]:
    with Live(console=console, refresh_per_second=_REFRESHES) as live:
        yield _Terminal(live, connection)


class _Terminal:
    """For a terminal: the table of the stages, with a clock that runs between two reads."""

    def __init__(self, live: Live, connection: Connection) -> None:
        self._live, self._connection = live, connection
        self._spinner = Spinner("dots")

    def show(self, stages: Sequence[FollowedStage]) -> None:
        self._live.update(_Moving(stages, self._connection, self._spinner))

    def note(self, text: str) -> None:
        self._live.console.print(Text(text))


class _Moving:
    """Is drawn again and again by rich, each time with the present time."""

    def __init__(
        self, stages: Sequence[FollowedStage], connection: Connection, spinner: Spinner
    ) -> None:
        self._stages, self._connection, self._spinner = stages, connection, spinner

    def __rich__(self) -> RenderableType:
        return stage_table(self._stages, self._connection.now(), self._spinner)


def stage_table(
    stages: Sequence[FollowedStage], now: datetime, spinner: RenderableType
) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1, no_wrap=True)
    table.add_column(width=max(map(len, _NAMES.values())), no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    # The only one that is cut on a narrow terminal.
    table.add_column()
    for stage in stages:
        symbol, color = _SYMBOLS.get(stage.mark, ("", ""))
        first = spinner if stage.mark is Mark.RUNNING else Text(symbol, style=color)
        time = clock(stage.took(now))
        if stage.mark is Mark.RUNNING and stage.expected is not None:
            time += f" of ~{clock(stage.expected)}"
        detail = Text(stage.detail, no_wrap=True, overflow="ellipsis")
        table.add_row(first, Text(_NAMES[stage.name]), Text(time), detail)
    return table
