"""Records which tests have run in this process, for tests about the states they visited."""

from collections.abc import Iterator
from pathlib import Path

import pytest

_RAN: set[tuple[Path, str]] = set()


def note(request: pytest.FixtureRequest) -> None:
    """The test has begun."""
    _RAN.add((request.path, request.function.__name__))


def skip_unless_all_have_run(folder: Path) -> None:
    """Only the last test of the folder calls this. Slow tests need not have run."""
    defined = {(path, name) for path in folder.glob("test_*.py") for name in _usual(path)}
    if not defined <= _RAN:
        pytest.skip("not all tests of this folder have run in this process")


def _usual(path: Path) -> Iterator[str]:
    is_slow = False
    for line in path.read_text().splitlines():
        is_slow = is_slow or line == "@pytest.mark.slow"
        if line.startswith("def "):
            name = line.removeprefix("def ").partition("(")[0]
            if name.startswith("test_") and not is_slow:
                yield name
            is_slow = False
