"""The workflow files: ours, and the one that people copy."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import Code
from tests.docs.test_commands import problems_of

ROOT = Path(__file__).parents[2]
FILES = [ROOT / ".github/workflows/ci.yml", ROOT / "examples/github-actions/release.yml"]


def _steps(file: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(file.read_text("utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_command_of_a_workflow_is_one_that_its_program_takes(file: Path) -> None:
    # GitHub puts the value in before the shell reads the line.
    scripts = [re.sub(r"\$\{\{.*?\}\}", "VALUE", step.get("run", "")) for step in _steps(file)]

    assert [
        problem for script in scripts for problem in problems_of(Code("sh", script, file.name))
    ] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_action_is_pinned_to_a_commit_and_names_its_version(file: Path) -> None:
    used = re.findall(r"uses: (.*)", file.read_text("utf-8"))

    assert len(used) > 1
    assert [one for one in used if not re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", one)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_workflow_may_only_read_unless_a_job_says_more(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text("utf-8"))
    more = [job["permissions"] for job in workflow["jobs"].values() if "permissions" in job]

    assert workflow["permissions"] == {"contents": "read"}
    assert all(one == {"contents": "read", "id-token": "write"} for one in more)
