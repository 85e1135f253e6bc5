"""Runs last: what the other tests of this folder have gone through."""

from pathlib import Path

from tests.workflow.look_back import skip_unless_all_have_run
from tests.workflow.release_machine import ELSEWHERE, states, visited

FOLDER = Path(__file__).parent


def test_the_tests_went_through_every_state_that_is_not_tested_elsewhere() -> None:
    skip_unless_all_have_run(FOLDER)

    assert states() - visited <= {state for found in ELSEWHERE.values() for state in found}
