"""The terminal session in README.md: what the commands print after the demo's releases.

The demo records it in build/demo/session.txt. ``python -m local.demo.session`` writes that record
to README.md, as a part of `make session`.
"""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from io import FileIO

from local.cloud.cloud import PROJECT

README = PROJECT / "README.md"
SESSION = PROJECT / "build" / "demo" / "session.txt"
COMMANDS = (
    "lightgate history crops-backend --local",
    "lightgate explain crops-backend v3 --local",
)
_COLUMNS = 100
_BLOCK = re.compile(rf"```console\n(\$ {COMMANDS[0]}\n.*?)```\n", re.DOTALL)


def record() -> str:
    """What a terminal shows of each command. A local cloud has announced itself."""
    return "\n".join(f"$ {command}\n{_shown(command.split())}" for command in COMMANDS)


def _shown(words: Sequence[str]) -> str:
    """The output on a terminal without colors."""
    terminal, end = pty.openpty()
    environment = os.environ | {"COLUMNS": str(_COLUMNS), "NO_COLOR": "1", "TERM": "xterm"}
    command = [sys.executable, "-m", "lightgate_cli", *words[1:]]
    with (
        os.fdopen(terminal, "rb", buffering=0) as screen,
        subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=end) as running,
    ):
        os.close(end)
        text = b"".join(_read(screen))
        running.wait()
    return text.decode().replace("\r\n", "\n")


def _read(screen: FileIO) -> Iterator[bytes]:
    while True:
        try:
            piece = screen.read(65536)
        except OSError:  # Linux: the other end is closed.
            return
        if not piece:
            return
        yield piece


def with_session(readme: str, session: str) -> str:
    """The text of README.md with this session in the place of its own."""
    return _BLOCK.sub(lambda _: f"```console\n{session}```\n", readme)


def main() -> int:
    readme = README.read_text("utf-8")
    README.write_text(with_session(readme, SESSION.read_text("utf-8")), "utf-8")
    print(f"{README.name} has the session of {SESSION.relative_to(PROJECT)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
