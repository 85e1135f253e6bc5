"""Runs last: what the other tests of this folder have gone through."""

from pathlib import Path

from tests.workflow.look_back import skip_unless_all_have_run
from tests.workflow.release_machine import ELSEWHERE, visited

FOLDER = Path(__file__).parent


def test_the_tests_went_through_every_state_that_is_tested_here() -> None:
    skip_unless_all_have_run(FOLDER)

    assert ELSEWHERE[FOLDER.name] <= visited
