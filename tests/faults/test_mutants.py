"""The planted mutations stay where they are: moved code takes its mutation along."""

import pytest

from tests.faults.mutants import MUTANTS, ROOT, Mutant
from tests.faults.runs import RUNS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.promise)
def test_each_mutation_has_its_one_place_and_something_that_catches_it(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    for catcher in mutant.caught_by:
        if catcher.startswith("tests/"):
            assert (ROOT / catcher).exists()
        else:
            assert catcher.partition(": ")[0] in RUNS
