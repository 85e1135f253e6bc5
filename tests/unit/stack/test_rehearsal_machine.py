"""The state machine of rehearsals as a text: what it creates, it removes on every path."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lightgate.operations.plan_rehearsal import MOST_POLLS
from lightgate.rehearsal.rehearsal_state import LONGEST_REHEARSAL
from tests.support.builders import Json
from tests.support.template import read_template

ROOT = Path(__file__).parents[3]
MACHINE: Json = json.loads((ROOT / "statemachine/rehearsal.asl.json").read_text())
RELEASE: Json = json.loads((ROOT / "statemachine/release.asl.json").read_text())
STATES: dict[str, Json] = MACHINE["States"]
TASKS = {
    name: state
    for name, state in STATES.items()
    if state["Type"] == "Task" and state["Resource"].startswith("$")
}
ENDS = {name for name, state in STATES.items() if state["Type"] in ("Succeed", "Fail")}


def successors(state: Json) -> Iterator[str]:
    for key in ("Next", "Default"):
        if key in state:
            yield state[key]
    for branch in [*state.get("Choices", ()), *state.get("Catch", ())]:
        yield branch["Next"]


def reachable(start: str, *, without: str = "") -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found and name != without:
            found.add(name)
            waiting += successors(STATES[name])
    return found


def test_every_state_is_reached_and_leads_to_an_end() -> None:
    assert reachable(MACHINE["StartAt"]) == STATES.keys()
    assert [name for name in STATES if not reachable(name) & ENDS] == []


@pytest.mark.parametrize("name", ["PrepareRehearsal", "RunRehearsal"])
def test_every_path_after_something_may_be_created_leads_through_the_removal(name: str) -> None:
    assert reachable(name, without="RemoveRehearsal") & ENDS == set()


def test_nothing_is_created_before_the_rehearsal_is_admitted() -> None:
    before = {name for name, state in STATES.items() if "PrepareRehearsal" in successors(state)}

    assert before == {"IsRehearsalAdmitted?", "WaitForPlace"}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_retried_as_those_of_a_release_and_outlasts_its_function(name: str) -> None:
    task = TASKS[name]
    function = read_template()["Resources"][f"{name}Function"]["Properties"]

    assert task["Resource"] == f"${{{name}FunctionArn}}"
    assert task["Retry"] == RELEASE["States"]["Admit"]["Retry"]
    [catch] = task["Catch"]
    assert (catch["ErrorEquals"], catch["ResultPath"]) == (["States.ALL"], "$.error")
    assert function.get("Timeout", 60) < task["TimeoutSeconds"]


@pytest.mark.parametrize("name", STATES)
def test_a_state_says_why_it_is_there(name: str) -> None:
    state = STATES[name]

    assert state.get("Comment", state.get("Cause", "")).endswith(".")
    assert (state["Type"] == "Choice") == name.endswith("?")


def test_the_template_supplies_the_published_version_of_each_function() -> None:
    properties = read_template()["Resources"]["RehearsalStateMachine"]["Properties"]

    named = set(re.findall(r"\$\{(\w+)\}", json.dumps(MACHINE)))
    assert named == set(properties["DefinitionSubstitutions"])
    functions = named - {"TopicArn"}
    for name in functions:
        value = properties["DefinitionSubstitutions"][name]
        assert value == {"Ref": f"{name.removesuffix('Arn')}.Version"}


def test_no_rehearsal_is_older_than_what_reconcile_removes() -> None:
    assert timedelta(seconds=MACHINE["TimeoutSeconds"]) == LONGEST_REHEARSAL


def test_an_execution_has_room_for_all_polls() -> None:
    events_of_a_poll, of_step_functions = 9, 25_000

    assert MOST_POLLS * events_of_a_poll < of_step_functions
