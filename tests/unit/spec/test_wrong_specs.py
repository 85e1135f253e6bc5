"""Each case of the table is a spec that somebody might write, with what they are told."""

import json
import re

import pytest

from lightgate.errors import SpecError
from lightgate.spec.parser import parse_spec
from tests.support.wrong_specs import WRONG_SPECS, WrongSpec


def problems_of(text: bytes) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    return list(caught.value.reasons)


@pytest.mark.parametrize("case", WRONG_SPECS, ids=lambda case: case.name)
def test_a_wrong_spec_is_refused_with_every_problem(case: WrongSpec) -> None:
    assert problems_of(case.text) == case.problems


def test_at_most_forty_problems_are_reported() -> None:
    document = {f"k{number}": 0 for number in range(100)}
    unknown = (
        "is not a known key; allowed is serviceName, repository, containers, tags, stage, "
        "database, requirePrivateDatabase, migrations, rollback, rehearsal, environment, secrets, "
        "publicEndpoint, verification, unprotected, pollSeconds, deploymentTimeoutSeconds or "
        "platformPatienceSeconds"
    )

    assert problems_of(json.dumps(document).encode()) == [
        *(f"k{number}: {unknown}" for number in range(40)),
        "the spec: has 64 more problems",  # four keys are missing
    ]


def test_every_message_names_its_place_and_fits_on_a_few_lines() -> None:
    for problem in [problem for case in WRONG_SPECS for problem in case.problems]:
        assert re.match(r"(the spec|[\w.\[\]/-]*(\"[^\"]*(\"|…))?): .{10}", problem)
        assert problem.isprintable()
        assert len(problem) <= 500


@pytest.mark.parametrize("name", ["secrets-plain-value", "verification-write-header-line-break"])
def test_no_message_repeats_what_may_be_a_secret(name: str) -> None:
    [case] = [case for case in WRONG_SPECS if case.name == name]

    assert b"hunter2" in case.text
    assert "hunter2" not in " ".join(problems_of(case.text))
