"""The state machine as a text: everything in it leads somewhere, and nothing is left open."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from lightgate.aws import ecr
from lightgate.aws import http_probe as prober
from lightgate.aws.dynamodb_releases import OWED, owed_key
from lightgate.outage import LONGEST_OUTAGE
from lightgate.outcome.cost import OTHER_MEMORY, USUAL_MEMORY
from lightgate.release.lock import LONGEST_STEP
from lightgate.release.poll_interval import wait_seconds
from lightgate.spec.parser import parse_spec
from lightgate.state import STEPS_BY_ANSWER
from tests.support.builders import Json, reasons_of, spec_document
from tests.support.template import read_template

ROOT = Path(__file__).parents[3]
MACHINE: Json = json.loads((ROOT / "statemachine/release.asl.json").read_text())
STATES: dict[str, Json] = MACHINE["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
FUNCTIONS = sorted(ROOT.glob("functions/*/app.py"))
FUNCTION_ARN = re.compile(r"\$\{(\w+)FunctionArn\}")


@cache
def template() -> Json:
    resources: Json = read_template()["Resources"]
    return resources


def steps() -> dict[str, Json]:
    """The tasks that are Lambda functions of ours."""
    return {name: task for name, task in TASKS.items() if FUNCTION_ARN.search(task["Resource"])}


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def successors(state: Json) -> Iterator[str]:
    for key in ("Next", "Default"):
        if key in state:
            yield state[key]
    for branch in [*state.get("Choices", ()), *state.get("Catch", ())]:
        yield branch["Next"]


def reachable(start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += successors(STATES[name])
    return found


def strings(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from strings(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)
    elif isinstance(value, str):
        yield key, value


def test_every_state_that_is_named_exists() -> None:
    named = {MACHINE["StartAt"], *(n for state in STATES.values() for n in successors(state))}

    assert named - STATES.keys() == set()


def test_every_state_can_be_reached() -> None:
    assert reachable(MACHINE["StartAt"]) == STATES.keys()


def test_every_state_leads_to_an_end() -> None:
    ends = {name for name, state in STATES.items() if state["Type"] in ("Succeed", "Fail")}

    assert [name for name in STATES if not reachable(name) & ends] == []
    assert [name for name, state in STATES.items() if "End" in state] == []


@pytest.mark.parametrize("name", [n for n, s in STATES.items() if s["Type"] == "Choice"])
def test_a_choice_that_fits_nothing_has_somewhere_to_go(name: str) -> None:
    assert STATES[name]["Default"] in STATES


@pytest.mark.parametrize("name", TASKS)
def test_a_task_ends_in_time_is_retried_and_caught(name: str) -> None:
    task = TASKS[name]

    assert 0 < task["TimeoutSeconds"] <= 900
    [retry], [catch] = task["Retry"], task["Catch"]
    assert retry["ErrorEquals"] == catch["ErrorEquals"] == ["States.ALL"]
    assert retry["MaxAttempts"] >= 2
    # What becomes of a notice is no error of the release.
    assert catch["ResultPath"] == NOTICES.get(name, "$.error")


# A message before the final one must not hold the release up.
NOTICES = {"PublishStart": "$.started", "PublishFailedMigration": "$.failedMigration"}
RETRIED_THROUGH_AN_OUTAGE = sorted(TASKS.keys() - NOTICES.keys())


def shortest_retry(retry: Json) -> timedelta:
    """The least time from the first attempt to the last one, were each to fail at once."""
    if retry.get("JitterStrategy", "NONE") != "NONE":
        return timedelta()  # full jitter may make every delay as short as nothing
    delays = (
        retry["IntervalSeconds"] * retry["BackoffRate"] ** attempt
        for attempt in range(retry["MaxAttempts"])
    )
    return timedelta(seconds=sum(min(delay, retry["MaxDelaySeconds"]) for delay in delays))


@pytest.mark.parametrize("name", RETRIED_THROUGH_AN_OUTAGE)
def test_a_task_is_retried_for_longer_than_an_outage_lasts(name: str) -> None:
    [retry] = TASKS[name]["Retry"]

    assert shortest_retry(retry) >= LONGEST_OUTAGE + timedelta(seconds=retry["MaxDelaySeconds"])


def test_there_is_one_retry_rule_for_all_tasks_that_outlast_an_outage() -> None:
    assert len({json.dumps(TASKS[name]["Retry"]) for name in RETRIED_THROUGH_AN_OUTAGE}) == 1


@pytest.mark.parametrize("name", NOTICES)
def test_a_notice_delays_the_release_at_most_half_a_minute_and_is_sent_once(name: str) -> None:
    [retry], [catch] = TASKS[name]["Retry"], TASKS[name]["Catch"]
    ways = [
        condition
        for state in STATES.values()
        for condition in state.get("Choices", ())
        if condition["Next"] == name
    ]

    assert catch["Next"] == TASKS[name]["Next"]
    assert TASKS[name]["ResultPath"] == catch["ResultPath"] == NOTICES[name]
    [way] = ways
    assert {"Variable": NOTICES[name], "IsPresent": False} in way["And"]
    assert shortest_retry(retry) <= timedelta(seconds=30)


@pytest.mark.parametrize("name", steps())
def test_a_task_outlasts_its_function(name: str) -> None:
    function = template()[f"{name}Function"]["Properties"]
    seconds = function.get("Timeout", 60)

    assert seconds < STATES[name]["TimeoutSeconds"]


# What these do says nothing about the outcome, which is recorded by then or not yet wanted.
BESIDE_THE_OUTCOME = {*NOTICES, "StartNext", "MarkMessageSent", "PruneSnapshots"}


@pytest.mark.parametrize("name", sorted(TASKS.keys() - BESIDE_THE_OUTCOME))
def test_an_error_never_ends_as_a_success_without_settling(name: str) -> None:
    [catch] = TASKS[name]["Catch"]

    ends = {STATES[end]["Type"] for end in ends_without("RecordOutcome", start=catch["Next"])}

    assert ends <= {"Fail"}


def test_a_lock_that_could_not_be_freed_ends_in_a_failure_after_the_message() -> None:
    [catch] = TASKS["StartNext"]["Catch"]

    assert catch["Next"] == TASKS["StartNext"]["Next"] == "IsMessageOwed?"
    # Only StartNext says how the execution ends.
    assert STATES["HasSucceeded?"]["Choices"][0] == {
        "Variable": "$.end",
        "IsPresent": False,
        "Next": "NextNotStarted",
    }


def test_only_a_recorded_success_reaches_the_successful_end() -> None:
    before = {name for name, state in STATES.items() if "Released" in successors(state)}
    _, succeeded, nothing_to_do = STATES["HasSucceeded?"]["Choices"]

    assert before == {"PruneSnapshots"}
    assert [n for n, s in STATES.items() if "PruneSnapshots" in successors(s)] == ["HasSucceeded?"]
    assert succeeded["Variable"] == "$.end.status"
    assert succeeded["StringEquals"] == "SUCCEEDED"
    quiet = [branch["StringEquals"] for branch in nothing_to_do["Or"]]
    assert quiet == ["QUEUED", "DUPLICATE", "SUPERSEDED"]
    assert STATES[STATES["HasSucceeded?"]["Default"]]["Type"] == "Fail"


def ends_without(*passed: str, start: str = MACHINE["StartAt"]) -> list[str]:
    """The ends that can be reached without going through any of these states."""
    without: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in without | set(passed):
            without.add(name)
            waiting += successors(STATES[name])
    return sorted(name for name in without if STATES[name]["Type"] in ("Succeed", "Fail"))


def test_every_path_releases_the_lock_or_ends_in_a_failure_that_is_cleaned_up() -> None:
    assert ends_without("StartNext") == ["Undetermined"]


def test_every_outcome_is_recorded_before_the_lock_is_released() -> None:
    before = {name for name, state in STATES.items() if "StartNext" in successors(state)}

    assert before == {"IsAdmitted?", "IsRecorded?"}
    [quiet] = [c["Or"] for c in STATES["IsAdmitted?"]["Choices"] if c["Next"] == "StartNext"]
    assert [branch["StringEquals"] for branch in quiet] == ["QUEUED", "DUPLICATE", "SUPERSEDED"]
    not_yet = {"Variable": "$.outcome.status", "StringEquals": "NOT_YET"}
    assert STATES["IsRecorded?"]["Choices"] == [{**not_yet, "Next": "WaitForPermit"}]


def test_no_message_is_sent_before_the_lock_is_released() -> None:
    before = {name for name, state in STATES.items() if "PublishOutcome" in successors(state)}

    assert before == {"IsMessageOwed?"}
    assert {name for name, state in STATES.items() if "IsMessageOwed?" in successors(state)} == {
        "StartNext"
    }


def test_the_state_machine_marks_the_message_that_reconcile_would_send_again() -> None:
    key = TASKS["MarkMessageSent"]["Parameters"]["Key"]

    assert key["app"] == {"S": OWED}
    assert key["item"]["S.$"] == "States.Format('{}#{}', $.outcome.app, $.outcome.release)"
    assert owed_key("crops", "r1") == "crops#r1"


@pytest.mark.parametrize("name", [name for name in TASKS if name.startswith("Publish")])
def test_every_publication_has_all_forms_and_all_attributes(name: str) -> None:
    parameters = TASKS[name]["Parameters"]

    assert parameters["MessageStructure"] == "json"
    assert parameters["MessageAttributes"].keys() == {"app", "status", "stage"}


@pytest.mark.parametrize("name", STATES)
def test_a_state_says_why_it_is_there(name: str) -> None:
    state = STATES[name]

    assert state.get("Comment", state.get("Cause", "")).endswith(".")
    assert state["Type"] != "Choice" or name.endswith("?")


def test_every_step_has_one_name_everywhere() -> None:
    substitutions = {FUNCTION_ARN.fullmatch(t["Resource"])[1] for t in steps().values()}  # type: ignore[index]
    functions = {
        logical_id.removesuffix("Function")
        for logical_id, resource in template().items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    folders = {path.parent.name for path in FUNCTIONS}

    assert substitutions == set(steps())
    # Those of rehearsals have a state machine of their own (test_rehearsal_machine.py).
    rehearsal = {name for name in functions if name.endswith("Rehearsal")}
    assert functions == {*steps(), *rehearsal, "ReceivePush", "CleanUp", "Reconcile", "ShowPage"}
    # The page is no step, and its code is in `report`.
    functions.remove("ShowPage")
    assert folders == {snake(name) for name in functions}
    for name in functions:
        assert template()[f"{name}Function"]["Properties"]["CodeUri"] == f"functions/{snake(name)}"


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("functions/*/app.py")), ids=lambda p: p.parent.name
)
def test_every_function_hands_its_event_to_the_step_of_its_name(path: Path) -> None:
    module, step = ast.parse(path.read_text()), path.parent.name

    assert [node.name for node in module.body if isinstance(node, ast.FunctionDef)] == ["handler"]
    imported = [
        (node.module, [name.name for name in node.names])
        for node in module.body
        if isinstance(node, ast.ImportFrom)
    ]
    assert (f"lightgate.steps.{step}", [step]) in imported


def test_the_template_supplies_exactly_what_the_machine_needs() -> None:
    text = json.dumps(MACHINE)
    properties = template()["ReleaseStateMachine"]["Properties"]

    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(properties["DefinitionSubstitutions"])
    for name, value in properties["DefinitionSubstitutions"].items():
        if name.endswith("FunctionArn"):
            assert value == {"Ref": f"{name.removesuffix('Arn')}.Version"}


def test_only_plain_paths_are_used() -> None:
    plain = re.compile(r"\$(\.\w+)*|\$\$\.Execution\.(Id|Name|StartTime)")
    paths = [
        (key, value)
        for key, value in strings(STATES)
        if key.endswith((".$", "Path")) or key == "Variable"
    ]

    assert len(paths) > 40
    for key, value in paths:
        if value.startswith("States.Format("):
            value = value.rpartition("', ")[2].removesuffix(")")
        value = value.removeprefix("States.JsonToString(").removesuffix(")")
        assert all(plain.fullmatch(path) for path in value.split(", ")), (key, value)
    assert MACHINE["QueryLanguage"] == "JSONPath"
    assert not any("Assign" in state or "Arguments" in state for state in STATES.values())


@pytest.mark.parametrize("milliseconds", [0, 1, 999, 1000, 90_000, 90_001])
def test_a_wait_is_never_shorter_than_it_has_to_be(milliseconds: int) -> None:
    pause = timedelta(milliseconds=milliseconds)

    seconds = wait_seconds(pause)

    assert type(seconds) is int
    assert timedelta() <= timedelta(seconds=seconds) - pause < timedelta(seconds=1)


def test_what_a_person_wrote_is_put_aside_before_anything_reads_it() -> None:
    first = STATES[MACHINE["StartAt"]]

    assert first["Type"] == "Pass"
    assert first["Parameters"] == {
        "request.$": "$",
        "execution.$": "$$.Execution.Id",
        "startedAt.$": "$$.Execution.StartTime",
        "waited": False,
    }


@pytest.mark.parametrize("name", ["VerifyRelease", "RollBack"])
def test_a_health_check_with_all_probes_fits_into_the_function(name: str) -> None:
    asked = longest(
        spec_document(verification={"latencySeconds": 10**8}), r"verification\.latencySeconds"
    )
    probes = 2 * prober.longest(timedelta(seconds=asked))

    # The rest is for what AWS is asked beside the app.
    timeout = timedelta(seconds=template()[f"{name}Function"]["Properties"]["Timeout"])
    assert probes <= timeout - timedelta(seconds=20)


def longest(document: Json, field: str) -> int:
    """The largest number of seconds that the spec takes for the field."""
    [reason] = reasons_of(lambda: parse_spec(json.dumps(document)))
    found = re.fullmatch(rf"{field}: \d+ is out of range; allowed is \d+ to (\d+)", reason)
    assert found is not None
    return int(found[1])


def test_the_machine_outlasts_every_limit_that_a_spec_may_set() -> None:
    database = longest(
        spec_document(database={"instance": "db", "timeoutSeconds": 10**8}),
        r"database\.timeoutSeconds",
    )
    deployment = longest(spec_document(deploymentTimeoutSeconds=10**8), "deploymentTimeoutSeconds")

    # The service may be busy for as long as a deployment takes, before ours begins.
    assert database + 2 * deployment < MACHINE["TimeoutSeconds"]


def test_the_usage_of_a_step_is_counted_beside_its_answer() -> None:
    answers: dict[str, set[str]] = {}
    for name, task in steps().items():
        answers.setdefault(task["ResultPath"].removeprefix("$."), set()).add(snake(name))

    assert {key: set(names) for key, names in STEPS_BY_ANSWER.items()} == answers


def test_the_cost_of_a_release_goes_by_the_memory_of_each_function() -> None:
    assert read_template()["Globals"]["Function"]["MemorySize"] == USUAL_MEMORY
    for name, task in steps().items():
        memory = template()[f"{name}Function"]["Properties"].get("MemorySize", USUAL_MEMORY)
        assert memory == OTHER_MEMORY.get(task["ResultPath"].removeprefix("$."), USUAL_MEMORY)


def test_a_takeover_waits_until_no_function_of_the_execution_before_can_run() -> None:
    timeouts = [template()[f"{name}Function"]["Properties"].get("Timeout", 60) for name in steps()]

    assert max(timeouts) <= LONGEST_STEP.total_seconds()


def test_the_machine_is_called_as_those_who_start_it_say() -> None:
    machine = template()["ReleaseStateMachine"]["Properties"]["Name"]["Fn::Sub"]
    named = template()["StartNextFunction"]["Properties"]["Environment"]["Variables"]

    assert named["LIGHTGATE_STATE_MACHINE"]["Fn::Sub"].endswith(f":stateMachine:{machine}")


def test_reconcile_has_time_for_a_full_repository() -> None:
    """ECR keeps 100,000 images in a repository. A page of 1,000 takes less than a second."""
    pages = 100_000 / ecr._IMAGES_ON_PAGE

    assert ecr._IMAGES_ON_PAGE == 1000
    assert pages * 1 < template()["ReconcileFunction"]["Properties"]["Timeout"] / 2
