"""Runs last: what the other tests of this folder have gone through."""

from pathlib import Path

import pytest

from tests.workflow.release_machine import states, visited

FOLDER = Path(__file__).parent


def test_the_tests_went_through_every_state_of_the_file(ran: set[tuple[Path, str]]) -> None:
    if not _defined() <= ran:
        pytest.skip("not all tests of this folder have run in this process")

    assert visited == states()


def _defined() -> set[tuple[Path, str]]:
    """Every test function of this folder, this one included."""
    return {
        (path, line.removeprefix("def ").partition("(")[0])
        for path in FOLDER.glob("test_*.py")
        for line in path.read_text().splitlines()
        if line.startswith("def test_")
    }
