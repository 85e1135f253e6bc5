"""Failures that people have reported in public trackers get their cause, evidence and advice."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.printed import diagnose_app_log, diagnose_command

_FAILURES = yaml.safe_load(
    (Path(__file__).parents[2] / "support/public_failures.yaml").read_text("utf-8")
)


@pytest.mark.parametrize("told", _FAILURES, ids=lambda told: told["source"])
def test_a_public_failure_is_explained(told: dict[str, Any]) -> None:
    if told["of"] == "app":
        found = diagnose_app_log(told["lines"])
    else:
        found = diagnose_command(told["lines"], migration=told.get("migration"))

    assert found.kind == told["kind"]
    assert told["cause"] in found.what
    assert told["evidence"] in (found.evidence or "")
    assert told["advice"] in found.next_action


def test_there_are_at_least_twenty() -> None:
    assert len({told["source"] for told in _FAILURES}) >= 20
