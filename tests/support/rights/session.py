"""A pytest plugin: after a whole run, the table has exactly the rights that were used."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.rights.recorder import REWRITES, TABLE, USED, known, write

_ROOT = Path(__file__).parents[3]
# A run is whole with all tests of these folders.
_FOLDERS = (_ROOT / "tests" / "workflow", _ROOT / "tests" / "report")
_PROBLEMS = pytest.StashKey[list[str]]()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker has seen."""
    for function, rights in getattr(node, "workeroutput", {}).get("rights", {}).items():
        USED[function].update(rights)


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["rights"] = {function: sorted(rights) for function, rights in USED.items()}
        return
    if not USED:
        return
    is_whole = not session.testsfailed and _is_whole(session)
    if REWRITES in os.environ:
        write(USED if is_whole else {**known(), **_together()})
    elif is_whole and (stale := _unused()):
        session.config.stash[_PROBLEMS] = stale
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for problem in terminalreporter.config.stash.get(_PROBLEMS, []):
        terminalreporter.write_line(problem, red=True, bold=True)


def _unused() -> list[str]:
    return [
        f"RIGHTS: {TABLE.name} says that {function} uses {right!r}, and no test saw it"
        for function, rights in known().items()
        for right in sorted(rights - USED[function])
    ]


def _together() -> dict[str, set[str]]:
    return {function: USED[function] | known().get(function, set()) for function in USED}


def _is_whole(session: pytest.Session) -> bool:
    options = session.config.option
    if options.keyword or getattr(options, "lf", False) or options.deselect:
        return False
    places = [(_ROOT / place.partition("::")[0]).resolve() for place in session.config.args]
    return all(any(folder.is_relative_to(place) for place in places) for folder in _FOLDERS)
