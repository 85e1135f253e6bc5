"""An update takes no right from the functions that releases in progress call.

All versions of a function have one role, and a release in progress calls the old ones.
`RECORD_VERSION=1 make test ONLY=rights_of_previous` records the rights of the present version.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from lightgate import VERSION
from tests.support.rights.grants import grants

_ROOT = Path(__file__).parents[3]
_RECORDED = _ROOT / "tests" / "support" / "rights" / "previous_version.yaml"
_UPGRADE = _ROOT / "docs" / "upgrade.md"


def rights() -> Mapping[str, Sequence[str]]:
    """Those of each function and of the state machine, each with its condition."""
    found = {}
    for function, given in grants().items():
        texts = [
            f"{one.text} if {json.dumps(one.statement['Condition'], sort_keys=True)}"
            if one.has_condition
            else one.text
            for one in given
        ]
        found[function] = sorted(texts)
    return found


def lost(before: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The rights that an old version had and its role no longer has. A condition may go."""
    return [
        f"{function}: {right}"
        for function, recorded in sorted(before.items())
        for right in recorded
        if not {right, right.partition(" if ")[0]} & set(now.get(function, ()))
    ]


def announced() -> Sequence[str]:
    """The list in the section of this version in docs/upgrade.md."""
    _, _, section = _UPGRADE.read_text("utf-8").partition(f"\n## To {VERSION}\n")
    lines = section.partition("\n## ")[0].splitlines()
    return [line[3:-1] for line in lines if line.startswith("- `") and line.endswith("`")]


def test_a_version_keeps_the_rights_that_its_executions_need() -> None:
    if "RECORD_VERSION" in os.environ:
        top = "# Written by `RECORD_VERSION=1 make test ONLY=rights_of_previous`.\n"
        _RECORDED.write_text(top + yaml.safe_dump(dict(rights()), width=1000), "utf-8")
        pytest.skip("recorded")
    recorded = yaml.safe_load(_RECORDED.read_text("utf-8"))

    why = f'Keep the right, or list it in "To {VERSION}" of docs/upgrade.md: see CONTRIBUTING.md'
    assert set(lost(recorded, rights())) == set(announced()), why


def test_a_right_is_lost_if_it_goes_or_gets_a_condition() -> None:
    plain, narrow = "ecr:PutImage *", 'ecr:PutImage * if {"Bool": {"a": "b"}}'

    assert lost({"Deploy": [plain]}, {"Deploy": [plain, "s3:GetObject *"]}) == []
    assert lost({"Deploy": [narrow]}, {"Deploy": [plain]}) == []
    assert lost({"Deploy": [plain]}, {"Deploy": [narrow]}) == [f"Deploy: {plain}"]
    assert lost({"Deploy": [plain]}, {}) == [f"Deploy: {plain}"]
