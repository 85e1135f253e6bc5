"""Which Python runs a script that is called without one, such as `./manage.py`."""

# ruff: noqa: PTH113, PTH118, PTH120, PTH123 - pathlib takes time to load

from __future__ import annotations

import os

from lightgate.gate.programs.supervisor.failures import refusal


def find_python(words: list[str]) -> tuple[list[str], list[str]]:
    """The words up to Python's own options, and the script."""
    *before, script = words
    folders = [""] if "/" in script else os.environ.get("PATH", "").split(":")
    for path in [os.path.join(folder, script) for folder in folders]:
        if os.access(path, os.X_OK) and os.path.isfile(path):
            python = read_shebang(path)
            if python:
                return [*before, *python], [path]
            break
    if before and script.endswith(".py"):  # such as `uv run manage.py`
        return [*before, "python"], [script]
    why = f"{script!r} is no program of Python's, or does not exist"
    raise refusal("manage", why + "; give in `manage` the words that call Python and its script")


def read_shebang(path: str) -> list[str]:
    """The interpreter of a script of Python's; nothing if it is something else."""
    with open(path, "rb") as file:
        first, second = file.readline(500), file.readline(500)
    if first[:2] == b"#!" and b"py" in first.rpartition(b"/")[2]:
        return os.fsdecode(first[2:]).split()
    # An interpreter with a long path, or one that may be moved, is called by a line for a shell.
    python = os.path.join(os.path.dirname(os.path.realpath(path)), "python")
    return [python] if second[:7] == b"'''exec" and os.access(python, os.X_OK) else []
