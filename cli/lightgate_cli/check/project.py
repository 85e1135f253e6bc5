"""Runs the project's own Python, with the classifier of the gate in the place of `migrate`."""

import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightgate
from lightgate_cli.check.errors import CannotCheckError
from lightgate_cli.check.judged import Judged, read_judged

# The launcher of the gate, from its modules. The package alone is added to those of the project, so
# that no other package of this environment can stand in for one of the project's.
_START = """import sys, types
if sys.path[:1] == [""]: del sys.path[0]
sys.modules["lightgate"] = types.ModuleType("lightgate")
sys.modules["lightgate"].__path__ = {path!r}
import lightgate.gate.programs.django_launcher.__main__
"""
_CHECKER = "from lightgate.gate.programs.django_check import main"


def judge(
    manage_py: Path,
    *,
    python: str | None,
    settings: str | None,
    new: Sequence[Path] | None,
    declared: Mapping[str, str],
) -> Judged:
    """The classes of the migrations whose files are `new`, as one plan; None: of each one alone.

    Raises:
        CannotCheckError: the project cannot be loaded, or Django cannot read its migrations.
    """
    interpreter = python or shutil.which("python") or shutil.which("python3")
    if interpreter is None:
        raise CannotCheckError("there is no python on PATH; name that of the project with --python")
    words = [str(manage_py), "migrate", *([f"--settings={settings}"] if settings else [])]
    files = None if new is None else [str(path.resolve()) for path in new]
    config = {"new": files, "declared": dict(declared)}
    code, told, printed = _run([interpreter, "-c", _start(), _CHECKER, *words], config)
    if told is None:
        raise CannotCheckError(_why_nothing(manage_py, interpreter, code), printed)
    if told["do"] == "fail":
        raise CannotCheckError(told["error"], printed)
    return read_judged(told)


def _start() -> str:
    return _START.format(path=list(lightgate.__path__))


def _run(words: Sequence[str], config: Mapping[str, Any]) -> tuple[int, dict[str, Any] | None, str]:
    """The exit code, the last message, and what the project has printed."""
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryFile() as printed:
        with theirs:
            process = subprocess.Popen(words, stdin=theirs.fileno(), stdout=printed, stderr=printed)
        try:
            data = _exchange(ours, json.dumps(config).encode() + b"\n")
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
        printed.seek(0)
        text = printed.read().decode(errors="replace")
    told = [json.loads(line) for line in data.splitlines()]
    return process.returncode, told[-1] if told else None, text


def _exchange(channel: socket.socket, question: bytes) -> bytes:
    """The answer. A process that ends early may have read nothing, and may have answered."""
    data = b""
    with suppress(BrokenPipeError, ConnectionResetError):
        channel.sendall(question)
    with suppress(ConnectionResetError):
        while chunk := channel.recv(65536):
            data += chunk
    return data


def _why_nothing(manage_py: Path, python: str, code: int) -> str:
    probe = [python, "-c", "import django"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return (
            f"{python} cannot import Django: activate the environment of the project, or name its "
            "Python, such as --python .venv/bin/python"
        )
    if code == 0:
        return f"{manage_py} has not run Django's command: it has to call execute_from_command_line"
    return f"{manage_py} ended with exit code {code} before Django had loaded the project"
