"""What the demonstration shows: a timeline on a terminal, plain lines anywhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status

_MARKS = {True: "[green]✓[/green]", False: "[red]✗[/red]"}


class Screen:
    """Prints finished steps as lines, and on a terminal the running step below them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()

    def title(self, text: str) -> None:
        self._console.print(f"\n[bold]{escape(text)}[/bold]")

    def line(self, text: str, *, mark: bool | None = None) -> None:
        """Print one finished step, with the seconds since the start of the demo."""
        elapsed = time.monotonic() - self._started
        shown = f" {_MARKS[mark]} " if mark is not None else "   "
        self._console.print(
            f"[dim]{elapsed:6.1f} s[/dim]{shown}{escape(text)}", highlight=False, soft_wrap=True
        )

    def text(self, text: str) -> None:
        """Print text of several lines, indented."""
        for line in text.splitlines():
            self._console.print(f"    {escape(line)}".rstrip(), highlight=False, soft_wrap=True)

    @contextmanager
    def running(self, text: str) -> Iterator[Status]:
        """Show a running step. `update` of the yielded status changes its text."""
        with self._console.status(escape(text)) as status:
            yield status
