"""Failures that people have reported in public trackers get their cause, evidence and advice."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.gate.gate_report import Phase
from lightgate.gate.programs.supervisor.child import Child
from tests.support.builders import evidence, failure
from tests.support.failed_release import app, symptoms

_FAILURES = yaml.safe_load(
    (Path(__file__).parents[2] / "support/public_failures.yaml").read_text("utf-8")
)


def told_by_the_gate(lines: list[str]) -> tuple[str, list[str]]:
    """The error and the last lines that the supervisor reports of a command that printed these."""
    gate: Any = SimpleNamespace(
        config={"secrets": []}, emit=lambda *_, **__: None, write=lambda *_: None
    )
    child = Child(gate, is_probe=False)
    child.code = 1
    for line in lines:
        child.take(line.encode() + b"\n")
    return child.failure().error, child.tail()


def _diagnosis(told: dict[str, Any]) -> Diagnosis:
    if told["of"] == "app":
        system = ("Started 1 new node", "Took too long")
        return diagnose(symptoms(logs=app(*told["lines"], system=system)))
    error, last_lines = told_by_the_gate(told["lines"])
    failed = failure(error=error, last_lines=last_lines, migration=told.get("migration"))
    return diagnose(symptoms(evidence=evidence(Phase.FAILED, failed=failed)))


@pytest.mark.parametrize("told", _FAILURES, ids=lambda told: told["source"])
def test_a_public_failure_is_explained(told: dict[str, Any]) -> None:
    found = _diagnosis(told)

    assert found.kind == told["kind"]
    assert told["cause"] in found.what
    assert told["evidence"] in (found.evidence or "")
    assert told["advice"] in found.next_action


def test_there_are_at_least_twenty() -> None:
    assert len({told["source"] for told in _FAILURES}) >= 20
