"""A child process, and what it prints."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from lightgate.gate.programs.supervisor.failures import Failed
from lightgate.gate.programs.supervisor.limits import BACKLOG, LINE_LIMIT
from lightgate.gate.programs.supervisor.masking import CONTROLS, mask_line
from lightgate.gate.programs.supervisor.progress import read_progress
from lightgate.gate.programs.supervisor.troubles import find_trouble

if TYPE_CHECKING:
    import socket

    from lightgate.gate.programs.supervisor.gate import Gate

EVENT = b'{"lightgate"'  # the beginning of our events, which no line of a child may have
BEGIN = b"pplying "  # what Django prints, and flushes, before it applies or reverses a migration
LEAST = len(BEGIN)
FRAME = '  File "'
PACKAGE = re.compile(r'  File "[^"]*/(site-packages|dist-packages|lib/python3[^/]*)/')


class Child:
    """A process group of its own, and its output."""

    def __init__(self, gate: Gate, is_probe: bool) -> None:
        self.gate = gate
        self.is_probe = is_probe
        self.channel: socket.socket | None = None  # of a helper
        self.stdin: int | None = None
        self.code: int | None = None  # negative: the signal that ended it
        self.told = 0  # the signal that was passed on to it last
        self.secrets: list[str] = gate.config["secrets"]
        # A line that ends within a secret would not be masked there: read that much more of it.
        self.margin = len(self.secrets[0]) if self.secrets else 0
        self.longest = 4 * (LINE_LIMIT + self.margin)
        self.line = b""  # the beginning of the current line
        self.line_was_read = False  # a migration's begin was seen in it
        self.unsent = b""  # the end of it, not yet passed on
        self.newest = b""  # the output that came last
        self.read_at = 0.0
        # Each line, whether it is cut, and whether it is an exception.
        self.last_lines: deque[tuple[str, bool, bool]] = deque(maxlen=20)
        self.raised: deque[tuple[str, bool, bool]] = deque(maxlen=10)
        self.in_traceback = False
        self.in_package = False  # a frame of a package was read last
        self.migration: str | None = None  # the one being applied
        self.pipe: int | None = None

    def start(self, argv: list[str], extra: dict[str, str]) -> None:
        try:
            self.spawn(argv, extra)
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None) or 0
            what = getattr(error, "strerror", error)
            why = f"cannot run {argv[0]!r}: {what} ({errno.errorcode.get(number)})"
            raise Failed("exec", why, 127 if number == errno.ENOENT else 126) from None
        # The command is the first: it is the one that gets the signals.
        self.gate.children.insert(len(self.gate.children) if self.is_probe else 0, self)

    def spawn(self, argv: list[str], extra: dict[str, str]) -> None:
        # One pipe for both streams keeps their order, as a terminal would.
        pipe, theirs = os.pipe()
        os.set_blocking(pipe, False)
        nothing = os.open(os.devnull, os.O_RDONLY)
        streams = (nothing if self.stdin is None else self.stdin, theirs, theirs)
        try:
            self.pid = os.posix_spawnp(
                argv[0],
                argv,
                {**os.environ, **extra},
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate(streams)],
                setpgroup=0,
                # Python ignores these two, and programs do not expect to inherit that.
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except BaseException:
            os.close(pipe)
            raise
        finally:
            os.close(theirs)
            os.close(nothing)
        self.pipe = pipe

    def has_ended(self) -> bool:
        return self.code is not None

    def exit_code(self) -> int:
        code = self.code or 0
        return code if code >= 0 else 128 - code

    def failure(self) -> Failed:
        code = self.exit_code()
        if self.code and self.code < 0:
            why = f"ended by signal {-self.code} ({signal.strsignal(-self.code)})"
            return Failed("signal", why, code, self)
        said = [line for line in self.tail() if line.strip()]
        raised = [self.shown(line) for line in self.last_lines if line[2]]
        why = (raised or said or [f"exit code {code}"])[-1]
        trouble = find_trouble(text for text, _, _ in self.raised)
        return Failed("exit", why, code, self, **({"detail": trouble} if trouble else {}))

    def receive(self) -> None:
        """Read what came over the channel."""

    def tell(self, number: int) -> None:
        """Signal the command alone, as a container's first process gets a signal.

        Servers tell their own workers. Celery loses the tasks of workers that get TERM themselves.
        """
        if not self.has_ended():
            with suppress(OSError):
                os.kill(self.pid, number)

    def kill(self, number: int) -> bool:
        """Signal the whole group, and return whether any of it is left; 0 only checks that."""
        try:
            os.killpg(self.pid, number)
        except OSError as error:
            return error.errno != errno.ESRCH
        return True

    def read(self) -> bool:
        """Pass on the output that there is, and return whether there may be more."""
        try:
            data = os.read(self.pipe, 65536) if self.pipe is not None else b""
        except BlockingIOError:
            return False
        if not data and self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None
        *lines, rest = data.split(b"\n")
        for line in lines:
            self.take(line + b"\n")
        if rest:
            self.take(rest)
        return bool(data)

    def take(self, piece: bytes) -> None:
        """Pass on a piece of a line, and report the progress that the line shows."""
        self.read_at = monotonic()
        is_whole = piece.endswith(b"\n")
        self.line = (self.line + piece)[: self.longest]
        newest = self.newest + piece
        self.newest = newest[-LEAST:]
        if BEGIN in newest and not self.is_probe:
            self.gate.has_shown_a_migration = True
        self.unsent += piece
        begun, ended, seconds = read_progress(self.text())
        if begun and not self.line_was_read and not self.is_probe:
            self.line_was_read = True
            self.migration_ends(None)
            self.migration = begun
            self.gate.times.append([begun, self.read_at])
            self.gate.emit("applying", migration=begun)
        if is_whole or len(self.unsent) > BACKLOG:
            self.flush()
        if is_whole:
            if ended and " FAKED" in self.text():
                self.migration = None  # nothing was applied
            elif ended:
                self.migration_ends(seconds)
            self.line_ends()

    def text(self) -> str:
        return CONTROLS.sub("", self.line.decode("utf-8", "replace")).rstrip("\r\n")

    def migration_ends(self, seconds: float | None) -> None:
        if self.migration:
            if seconds is None:
                seconds = round(monotonic() - self.gate.times[-1][1], 3)
            self.gate.emit("applied", migration=self.migration, seconds=seconds)
            self.gate.applied.append(self.migration)
            self.gate.times[-1].append(seconds)
            self.migration = None

    def line_ends(self) -> None:
        """Remember the line. In a traceback the first line without indentation is the exception.

        The log has the whole traceback. Here the frames of packages and the marks below the code
        would leave no room for the lines that explain the failure.
        """
        text, is_cut = self.text(), len(self.line) == self.longest
        self.line, self.line_was_read = b"", False
        is_exception = self.in_traceback and text[:1].strip() != ""
        if text.startswith(FRAME):
            self.in_package = bool(PACKAGE.match(text))
        is_detail = self.in_traceback and text.startswith("  ")
        is_noise = is_detail and (self.in_package or not text.strip(" ~^"))
        self.in_traceback = text.endswith("Traceback (most recent call last):") or (
            self.in_traceback and not is_exception
        )
        line = (text, is_cut, is_exception)
        if not is_noise:
            self.last_lines.append(line)
        if is_exception:
            self.raised.append(line)

    def shown(self, line: tuple[str, bool, bool]) -> str:
        """The line without secrets. To mask every line would take too long."""
        text = mask_line(line[0], self.secrets)
        return text[: max(0, len(text) - self.margin) if line[1] else None][:500]

    def tail(self) -> list[str]:
        return [self.shown(line) for line in self.last_lines]

    def flush(self) -> None:
        """Pass on the output, except the beginning of an imitated event, which waits for more.

        An imitated event gets a line of its own, with a mark before it. A log splits lines that are
        too long for it. It must not split one right behind the mark.
        """
        data = self.unsent
        end = data.rfind(EVENT[:1])
        if not EVENT.startswith(data[end:]):
            end = len(data)
        self.unsent = data[end:]
        self.gate.write(data[:end].replace(EVENT, b"\n|" + EVENT), self)

    def close(self) -> None:
        """Pass on what the pipe still holds, 1 MiB at most, so that this ends."""
        for _ in range(17):
            self.read()
        if self.pipe is not None:
            os.close(self.pipe)
        self.flush()
        self.gate.write(self.unsent, self)
        if self.line:
            self.line_ends()
