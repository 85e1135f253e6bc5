"""Which tests have run in this process, for those that look back at what others went through."""

from pathlib import Path

import pytest

_RAN: set[tuple[Path, str]] = set()


def note(request: pytest.FixtureRequest) -> None:
    """The test has begun."""
    _RAN.add((request.path, request.function.__name__))


def skip_unless_all_have_run(folder: Path) -> None:
    """Whoever calls this is the last test of the folder."""
    defined = {
        (path, line.removeprefix("def ").partition("(")[0])
        for path in folder.glob("test_*.py")
        for line in path.read_text().splitlines()
        if line.startswith("def test_")
    }
    if not defined <= _RAN:
        pytest.skip("not all tests of this folder have run in this process")
