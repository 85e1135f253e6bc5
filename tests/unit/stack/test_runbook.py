"""The runbook has a place for every failure, and says nothing that the machine would refuse."""

import inspect
import json
import re
from pathlib import Path

import pytest

import lightgate
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.puller import statement
from lightgate.errors import RefusalCode
from lightgate.migrations.compatibility import Verdict
from lightgate.migrations.reversal import ReversalBar
from lightgate.operations import metrics
from lightgate.outcome.outcome import Outcome
from lightgate.release.request import parse_request
from tests.unit.stack.transformed import transformed

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
MONITORING = (ROOT / "docs" / "monitoring.md").read_text()
SECTIONS = dict(re.findall(r"^### ([^\n]+)\n\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("kind", FailureClass)
def test_every_class_of_failure_has_its_section(kind: FailureClass) -> None:
    for part in ("**You see**", "**It means**", "**Do**"):
        assert part in SECTIONS[kind.value]


@pytest.mark.parametrize("status", ["REFUSED", "ROLLED_BACK", "FAILED"])
def test_every_status_but_success_is_reported(status: str) -> None:
    assert status in {outcome.value for outcome in Outcome}
    assert f"\n| {status} | " in RUNBOOK


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_in_the_message(verdict: Verdict) -> None:
    assert f"\n| {verdict.value} | " in SECTIONS["watch-failed"]


def test_every_metric_is_in_the_docs_and_in_a_workflow_test() -> None:
    workflows = "".join(file.read_text() for file in ROOT.glob("tests/workflow/**/test_*.py"))
    names = re.findall(r'"(lightgate[A-Z]\w+)"', inspect.getsource(metrics))
    documented = re.findall(r"^\| `(lightgate[A-Z]\w+)` \|", MONITORING, re.MULTILINE)

    assert sorted(names) == sorted(documented)
    assert [name for name in names if f'"{name}"' not in workflows] == []


def test_an_app_has_at_most_eight_metrics_that_are_billed() -> None:
    assert len(re.findall(r"^\| `lightgate\w+` \| yes \|", MONITORING, re.MULTILINE)) == 8


def test_every_alarm_has_its_section() -> None:
    alarms = {
        name for name, one in transformed().items() if one["Type"] == "AWS::CloudWatch::Alarm"
    }

    assert alarms == set(re.findall(r"^### (\w+)$", MONITORING, re.MULTILINE))


def test_dashboard_and_alarms_use_no_metric_that_is_not_written() -> None:
    written = set(re.findall(r'"(lightgate[A-Z]\w+)"', inspect.getsource(metrics)))
    used = set(re.findall(r"lightgate[A-Z]\w+", (ROOT / "template.yaml").read_text()))

    assert used <= written


def test_every_execution_is_an_input_by_its_contract() -> None:
    executions = [json.loads(found) for found in re.findall(r"\{\"app\".*?\}", RUNBOOK)]

    assert len(executions) > 5
    for execution in executions:
        given = (
            {**execution, "digest": f"sha256:{'7' * 64}"} if "digest" in execution else execution
        )
        assert parse_request(given).app == "crops-backend"


def test_the_statement_for_the_repository_is_the_one_that_a_diagnosis_shows() -> None:
    blocks = re.findall(r"```json\n(\{\n.*?\n\})\n```", RUNBOOK, re.DOTALL)
    [shown] = [block for block in blocks if "Principal" in block]

    assert json.loads(shown) == json.loads(statement("the principalArn"))


def test_every_link_leads_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    slugs = {title.lower().replace(" ", "-") for title in titles}

    assert set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOK)) <= slugs


def test_a_restore_names_a_new_database() -> None:
    restore = RUNBOOK.partition("## Restore the database")[2]
    assert "--db-instance-identifier crops-backend-db-restored-" in restore


def test_each_refusal_code_is_explained() -> None:
    section = RUNBOOK.partition("## Refusal codes")[2].partition("\n## ")[0]

    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(RefusalCode)


@pytest.mark.parametrize("code", RefusalCode)
def test_each_refusal_code_is_given_somewhere(code: RefusalCode) -> None:
    product = Path(lightgate.__file__).parent

    assert any(f"code=RefusalCode.{code.name}" in f.read_text() for f in product.rglob("*.py"))


@pytest.mark.parametrize("bar", ReversalBar)
def test_every_condition_of_an_automatic_reversal_is_in_the_runbook(bar: ReversalBar) -> None:
    assert f"\n| `{bar.value}` | " in SECTIONS["Automatic reversal"]
