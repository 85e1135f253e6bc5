"""docs/compatibility.md shows what the classifier says, and what old code can do on a server."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.cloud.postgres import Database
from tests.compatibility_fuzz.examples import EXAMPLES, MARIADB, POSTGRESQL
from tests.compatibility_fuzz.run import ROOT, environment
from tests.compatibility_fuzz.servers import running_engine
from tests.gate.projects import postgres

SOME = tuple(range(1, len(EXAMPLES), 17))
USUAL = {"select", "insert", "update", "delete"}


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip


def run_examples(database: dict[str, Any], numbers: list[int]) -> list[dict[str, Any]]:
    """Run the examples on the server."""
    words = (json.dumps(database), json.dumps(numbers))
    ran = python("-W", "ignore", "-m", "tests.compatibility_fuzz.examples_worker", *words)
    assert ran.returncode == 0, ran.stderr[-3000:]
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert sorted(one["example"] for one in lines) == sorted(numbers)
    return lines


def broken_promises(lines: list[dict[str, Any]]) -> list[str]:
    return [
        f"example {line['example'] + 1} ({EXAMPLES[line['example']].condition}): {why}"
        for line in lines
        if "missing" not in line and (why := broken_promise(line))
    ]


def broken_promise(line: dict[str, Any]) -> str:
    """Why the example does not show what the page says; empty if it does."""
    example, label, broken = EXAMPLES[line["example"]], line["class"], line["broken"]
    if label in ("data", "unknown"):
        return ""  # no promise
    if line["problem"]:
        return f"the migration does not apply: {line['problem']}"
    if not set(line["verbs"]) >= USUAL:
        return f"old code does only {line['verbs']}"
    if line["verdict"] == "miss":
        return f"it is called {label}, and fails: {next(one for one in broken if not one[6])}"
    if example.fails and example.fails not in [one[4] for one in broken]:
        return f"nothing fails with {example.fails}"
    if label == "compatible":
        return "it is called compatible, so nothing is careful" if example.careful else ""
    if broken and example.careful:
        return f"it is said to be careful, and fails: {broken[0]}"
    return "" if broken or example.careful else f"it is called {label}, and nothing fails"


def test_some_examples_of_the_page_keep_their_promise(database: Database) -> None:
    numbers = [n for n in SOME if EXAMPLES[n].engine == POSTGRESQL]
    assert broken_promises(run_examples(postgres(database), numbers)) == []


@pytest.mark.slow
@pytest.mark.parametrize("engine", [POSTGRESQL, MARIADB])
def test_every_example_of_the_page_keeps_its_promise(tmp_path: Path, engine: str) -> None:
    numbers = [n for n, one in enumerate(EXAMPLES) if one.engine == engine]
    with running_engine(engine, tmp_path / "server", 1) as (database,):
        lines = run_examples(database, numbers)
    assert broken_promises(lines) == []


def test_the_page_is_current_and_each_rule_has_an_example() -> None:
    ran = python("-m", "tests.compatibility_fuzz.page", "--check")
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_rule_without_an_example_is_named() -> None:
    code = """
from tests.compatibility_fuzz.page import EXAMPLES, connections, uncovered
connections()
print(uncovered([one for one in EXAMPLES if "collation" not in one.condition]))
"""
    assert python("-c", code).stdout.strip() == "[\"_WHY_THAT['collation']\"]"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"class": "compatible", "verdict": "miss"}, "it is called compatible, and fails"),
        ({"class": "restricted", "verdict": "miss"}, "it is called restricted, and fails"),
        ({"class": "breaking", "broken": []}, "it is called breaking, and nothing fails"),
        ({"problem": "23505"}, "the migration does not apply: 23505"),
        ({"verbs": ["select"]}, "old code does only"),
    ],
)
def test_an_example_that_shows_something_else_is_named(change: dict[str, Any], why: str) -> None:
    number = next(n for n, one in enumerate(EXAMPLES) if one.linter == "dropped table")
    symptom = ["insert", "crops_tool", "42P01", "no table", "Tool.objects.create()", False, False]
    line = {
        "example": number, "class": "breaking", "problem": "", "verdict": "agrees",
        "verbs": [*USUAL], "broken": [symptom],
    }  # fmt: skip
    assert broken_promises([line]) == []
    (found,) = broken_promises([{**line, **change}])
    assert why in found
