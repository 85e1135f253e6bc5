"""Executions that are stopped, forgotten or redriven, in every state.

The slow matrix adds the other states.
"""

import contextlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from lightgate.aws.dynamodb_releases import Releases
from lightgate.errors import ExecutionEndedError, StillRunningError
from lightgate.release.lock import LONGEST_STEP
from tests.component.cloud import ACCOUNT, REGION
from tests.component.lightsail_service import Course
from tests.workflow.pushes import push
from tests.workflow.release_machine import STACK
from tests.workflow.stepper import Stepper, Walk
from tests.workflow.world import APP, World, spec, succeeded

DESCRIBE = "stepfunctions.DescribeExecution"
WAY = [
    *("Begin", "Admit", "TakeSnapshot", "WaitForSnapshot", "CheckSnapshot", "Deploy"),
    *("WaitForDeployment", "CheckDeployment", "VerifyRelease", "RecordOutcome", "StartNext"),
    *("PublishOutcome", "MarkMessageSent", "PruneSnapshots"),
]
# Those in which something that others can see has just changed hands stand for the others.
FIRST = ("TakeSnapshot", "RecordOutcome", "Deploy", "StartNext", "Admit", "CheckDeployment")
BY_WEIGHT = [*FIRST, *(state for state in WAY if state not in FIRST)]
HERE = {"account": ACCOUNT, "region": REGION}
BEFORE_DEPLOY = WAY[: WAY.index("WaitForDeployment")]
BEFORE_START_NEXT = [state for state in BY_WEIGHT if WAY.index(state) < WAY.index("StartNext")]


@pytest.fixture
def stepper(world: World, monkeypatch: pytest.MonkeyPatch) -> Stepper:
    """A world in which a release comes through every step."""
    world.put_spec(spec(database={"instance": "crops-db", "keepSnapshots": 1}))
    world.instance.snapshot_takes = timedelta(seconds=90)
    world.lightsail.courses.extend([succeeded(), succeeded(), succeeded()])
    return Stepper(world, monkeypatch)


def stopped_at(world: World, stepper: Stepper, state: str) -> Walk:
    """The first push's execution, stopped when the state was about to be entered."""
    walk = stepper.start(push(world, "v1.1", after=0), "one").run_to(state)
    walk.stop()
    return walk


def cleaned_up_at(world: World, stepper: Stepper, state: str) -> Walk:
    walk = stopped_at(world, stepper, state)
    stepper.clean_up(walk)
    return walk


def check_free(world: World) -> None:
    lock = world.lock
    assert (lock.holder, lock.waiting) == (None, None)
    assert world.functions.log.count('"level":"ERROR"') == 0


def serving(world: World) -> str:
    version = world.lightsail.serving(APP)
    assert version is not None
    return world.lightsail.deployment(APP, version).containers["web"].image.rpartition("-")[2]


def pin(request: dict[str, str]) -> str:
    return request["digest"].removeprefix("sha256:")[:12]


def check_the_next_push_is_released(world: World, stepper: Stepper) -> Walk:
    two = push(world, "v1.2", after=5)
    ended = stepper.start(two, "two").run()

    assert ended.passed[-1] == "Released"
    assert serving(world) == pin(two)
    return ended


def check_one_message_each(world: World) -> None:
    # Between a publication and its mark nobody knows of it: the same message goes out again.
    ids = {message.content["messageId"] for message in world.messages()}
    settled = [
        r for r in world.records().values() if "message" in r and r["status"] != "SUPERSEDED"
    ]
    assert len(ids) == len(settled)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("state", BY_WEIGHT)
def test_after_a_stop_the_next_push_is_released(world: World, stepper: Stepper, state: str) -> None:
    one = stopped_at(world, stepper, state)

    stepper.clean_up(one)
    stepper.clean_up(one)

    ended = check_the_next_push_is_released(world, stepper)
    assert "WaitForService" not in ended.passed
    check_free(world)
    check_one_message_each(world)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("state", BY_WEIGHT)
def test_an_abandoned_lock_is_freed_without_an_event(
    world: World, stepper: Stepper, state: str
) -> None:
    stopped_at(world, stepper, state)

    check_the_next_push_is_released(world, stepper)
    check_free(world)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("state", BY_WEIGHT)
def test_the_waiting_release_starts_when_the_running_one_is_stopped(
    world: World, stepper: Stepper, state: str
) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to(state)
    two = push(world, "v1.2", after=5)
    stepper.start(two, "two").run()
    one.stop()

    stepper.clean_up(one)
    stepper.run_all()

    assert serving(world) == pin(two)
    check_free(world)


@pytest.mark.representatives(4)
@pytest.mark.parametrize("state", BEFORE_START_NEXT)
def test_the_message_says_that_a_release_was_stopped_and_in_which_state(
    world: World, stepper: Stepper, state: str
) -> None:
    one = stopped_at(world, stepper, state)

    stepper.clean_up(one)

    content = world.message().content
    assert (
        "ended as ABORTED before the outcome of the release was recorded" in content["reasons"][0]
    )
    if state in ("Begin", "Admit"):
        assert content["status"] == "REFUSED"
        assert content["reasons"][1] == "Nothing was deployed."
    else:
        assert content["status"] == "FAILED"
        assert content["release"] == world.records().popitem()[0].partition("#")[2]
        deployed = state not in BEFORE_DEPLOY
        assert ("deployment 2 was" in content["reasons"][0]) is deployed


def test_the_state_of_an_abandoned_deployment_is_reported(world: World, stepper: Stepper) -> None:
    one = stopped_at(world, stepper, "WaitForDeployment")

    stepper.clean_up(one)

    assert "deployment 2 was still activating" in world.message().content["reasons"][0]


def test_a_successor_waits_for_functions_that_may_still_run_and_for_their_deployment(
    world: World, stepper: Stepper
) -> None:
    world.lightsail.courses.clear()
    world.lightsail.courses.append(Course(ends="ACTIVE", after=timedelta(seconds=400)))
    cleaned_up_at(world, stepper, "WaitForDeployment")
    began = world.clock.now()

    two = stepper.start(push(world, "v1.2", after=5), "two").run_to("TakeSnapshot")

    assert world.clock.now() - began >= max(LONGEST_STEP, timedelta(seconds=390))
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    assert two.passed.count("WaitForPredecessor") > 2


def test_a_takeover_that_is_repeated_before_its_wait_does_not_act(
    world: World, stepper: Stepper
) -> None:
    cleaned_up_at(world, stepper, "Deploy")
    two = stepper.start(push(world, "v1.2", after=5), "two").run_to("Admit")
    world.functions.twice = True

    two.step()

    assert two.data["admission"]["status"] == "TAKEN_OVER"
    assert two.state == "WaitForPredecessor"


def test_a_release_that_waits_for_its_predecessor_can_be_stopped_too(
    world: World, stepper: Stepper
) -> None:
    cleaned_up_at(world, stepper, "WaitForDeployment")
    two = stepper.start(push(world, "v1.2", after=5), "two").run_to("WaitForPredecessor")
    two.stop()
    stepper.clean_up(two)

    three = push(world, "v1.3", after=9)
    ended = stepper.start(three, "three").run()

    assert "WaitForPredecessor" in ended.passed
    assert "WaitForService" not in ended.passed
    assert serving(world) == pin(three)


def test_an_execution_that_aws_has_forgotten_blocks_nothing(world: World, stepper: Stepper) -> None:
    one = stopped_at(world, stepper, "WaitForDeployment")
    stepper.erase(one)
    world.clock.sleep(timedelta(days=90).total_seconds())

    two = push(world, "v1.2", after=5)
    ended = stepper.start(two, "two").run()

    assert ended.passed[-1] == "Released"
    statuses = [message.content["status"] for message in world.messages()]
    assert statuses == ["FAILED", "SUCCEEDED"]


@pytest.mark.representatives(2)
@pytest.mark.parametrize("state", BY_WEIGHT)
def test_a_redriven_release_with_an_outcome_sends_no_second_message(
    world: World, stepper: Stepper, state: str
) -> None:
    one = cleaned_up_at(world, stepper, state)
    told = {message.text for message in world.messages()}
    deployed = world.lightsail.deployments(APP)
    snapshots = world.instance.snapshots()

    again = one.redrive().run()

    assert {message.text for message in world.messages()} <= told
    assert len(told) == 1
    assert world.lightsail.deployments(APP).keys() == deployed.keys()
    assert world.instance.snapshots() == snapshots
    assert again.state is None
    if state in BEFORE_START_NEXT:
        assert again.passed[-1] == "NotReleased"
        assert "before the outcome of the release was recorded" in (again.cause or "")
    check_free(world)


@pytest.mark.representatives(2)
@pytest.mark.parametrize("state", BY_WEIGHT)
def test_a_redriven_release_without_an_outcome_goes_on(
    world: World, stepper: Stepper, state: str
) -> None:
    one = stopped_at(world, stepper, state)

    again = one.redrive().run()
    stepper.clean_up(one)

    assert again.passed[-1] == "Released"
    assert len(world.messages()) == 1
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    check_free(world)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("state", BY_WEIGHT)
def test_a_release_that_is_redriven_beside_its_successor_touches_nothing(
    world: World, stepper: Stepper, state: str
) -> None:
    one = cleaned_up_at(world, stepper, state)
    two = stepper.start(push(world, "v1.2", after=5), "two").run_to("TakeSnapshot")
    lock, snapshots = world.lock, world.instance.snapshots()
    deployed = world.lightsail.deployments(APP)

    one.redrive().run()

    assert world.lock == lock
    assert world.instance.snapshots() == snapshots
    assert world.lightsail.deployments(APP).keys() == deployed.keys()
    assert two.run().passed[-1] == "Released"


def test_a_lock_that_cannot_be_freed_delays_no_message_and_is_freed_by_the_cleaning_step(
    world: World, stepper: Stepper
) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("StartNext")
    world.functions.fail("start_next", "before")
    one.run()
    assert one.error == "NextNotStarted"
    assert world.lock.holder is not None

    stepper.clean_up(one)

    assert world.lock.holder is None
    assert world.message().content["status"] == "SUCCEEDED"


def test_two_that_clean_up_at_once_send_one_message(world: World, stepper: Stepper) -> None:
    one = stopped_at(world, stepper, "Deploy")
    # The first write records the outcome, and the second one frees the lock.
    writes = iter((False, True))

    def clean_up_as_well(call: str) -> None:
        if call == "dynamodb.TransactWriteItems" and next(writes, False):
            stepper.clean_up(one)

    world.cloud.faults.watch(clean_up_as_well)
    stepper.clean_up(one)

    assert world.message().content["status"] == "FAILED"


def test_a_lock_that_an_empty_answer_does_not_show_is_not_taken_for_free(
    world: World, stepper: Stepper
) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("Admit")
    # The step has taken the lock, and its answer is lost for good.
    world.functions.fail("admit", "after")
    one.run_to("StartNext")
    world.cloud.faults.change_answers("dynamodb.GetItem", lambda answer: answer.pop("Item", None))

    one.step()

    assert json.loads(one.data["error"]["Cause"])["errorType"] == "MissingError"
    world.cloud.faults.answer_again("dynamodb.GetItem")
    assert one.run().error == "NextNotStarted"
    stepper.clean_up(one)
    assert world.lock.holder is None


def test_clean_up_records_and_publishes_a_missing_outcome(world: World, stepper: Stepper) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("RecordOutcome")
    world.functions.fail("record_outcome", "before")
    one.run()
    assert one.error == "Undetermined"
    world.messages()

    stepper.clean_up(one)

    assert world.message().content["status"] == "FAILED"
    assert world.lock.holder is None


@pytest.mark.parametrize(
    "event", [{}, {"detail": None}, {"detail": {}}, {"detail": {"executionArn": 7}}]
)
def test_an_event_of_no_execution_cleans_nothing_up(world: World, event: dict[str, object]) -> None:
    assert world.functions.call("clean_up", event) == {"app": None}


def running_admit(walk: Walk) -> dict[str, object]:
    """The event of the function that runs when the walk is about to enter Admit."""
    assert walk.state == "Admit"
    return {"state": {**walk.data, "execution": walk.arn}}


def calls_of_admit(world: World, stepper: Stepper) -> int:
    """How many calls of AWS Admit makes until it has answered."""
    calls: list[str] = []
    walk = stepper.start(push(world, "v1.0", after=0), "zero").run_to("Admit")
    world.cloud.faults.watch(calls.append)
    world.functions.call("admit", running_admit(walk))
    world.cloud.faults.watch_no_more()
    walk.run()
    return len(calls)


@pytest.mark.slow
def test_an_admit_that_outlives_its_execution_leaves_one_record_and_no_lock(
    world: World, stepper: Stepper
) -> None:
    world.lightsail.courses.append(succeeded())
    calls = calls_of_admit(world, stepper)
    world.messages()
    assert calls > 5

    for number in range(calls):
        walk = stepper.start(push(world, f"v2.{number}", after=10 + number), f"a{number}")
        walk.run_to("Admit")
        left = iter(range(number, -1, -1))

        def end_the_execution(_call: str, left: Iterator[int] = left, walk: Walk = walk) -> None:
            if next(left, None) == 0:
                walk.stop()
                stepper.clean_up(walk)

        event = running_admit(walk)
        world.cloud.faults.watch(end_the_execution)
        with contextlib.suppress(ExecutionEndedError):
            world.functions.call("admit", event)
        world.cloud.faults.watch_no_more()

        records = [
            item
            for item in world.items()
            if item["item"]["S"].startswith("release#") and item["execution"]["S"] == walk.arn
        ]
        assert [record["status"]["S"] in ("REFUSED", "FAILED") for record in records] == [True]
        assert world.lock.holder is None
        assert len({message.content["messageId"] for message in world.messages()}) == 1

    check_the_next_push_is_released(world, stepper)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("call", ["ssm.GetParameter", "dynamodb.TransactWriteItems"])
def test_an_admit_that_outlives_the_end_of_its_queued_release_gets_no_lock(
    world: World, stepper: Stepper, call: str
) -> None:
    world.lightsail.courses.clear()
    world.lightsail.courses.append(Course(ends="FAILED"))
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("Deploy")
    push(world, "v1.2", after=5)
    two = stepper.start({"app": APP, "tag": "v1.2"}, "two").run_to("Admit")

    def end_all_others(made: str) -> None:
        if made == call:
            world.cloud.faults.watch_no_more()
            # A second run of Admit is answered with QUEUED. What waits begins, and ends.
            two.run()
            one.run()
            stepper.run_all()

    event = running_admit(two)
    world.cloud.faults.watch(end_all_others)
    with pytest.raises(ExecutionEndedError):
        world.functions.call("admit", event)

    assert two.passed[-1] == "NothingToDo"
    assert sorted(world.statuses()) == ["QUEUED", "ROLLED_BACK", "SUPERSEDED"]
    assert world.lock.holder is None
    assert list(Releases(world.table).owed_messages()) == []


def test_a_deploy_that_outlives_its_execution_creates_nothing(
    world: World, stepper: Stepper
) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("Deploy")
    event = {"state": one.data}
    # The lock is still its own when the function asks, and its end is on record already.
    Releases(world.table).end(APP, one.arn, world.clock.now())

    with pytest.raises(ExecutionEndedError):
        world.functions.call("deploy", event)

    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("state", "answer"),
    [("TakeSnapshot", "admission"), ("CheckDeployment", "deployment")],
)
def test_a_release_in_progress_during_an_update_ends_as_failed_and_frees_the_lock(
    world: World, stepper: Stepper, state: str, answer: str
) -> None:
    """The version of Lightgate before the update has answered with a key of its own."""
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to(state)
    one.replace_answer(answer, {**one.data[answer], "shape": "other"})

    one.run()

    assert one.error == "FAILED"
    content = world.message().content
    assert content["status"] == "FAILED"
    assert f"DecodeError: $.{answer}.shape is unknown" in " ".join(content["reasons"])
    assert (world.lock.holder, world.lock.waiting) == (None, None)


def test_an_admit_that_is_repeated_keeps_its_image_though_its_tag_has_moved(
    world: World, stepper: Stepper
) -> None:
    # The engine drops an image that loses its only tag.
    push(world, "first", after=0)
    first = push(world, "moving", after=0, name="first")["digest"]
    walk = stepper.start({"app": APP, "tag": "moving"}, "one").run_to("Admit")
    world.functions.call("admit", running_admit(walk))
    push(world, "moving", after=1, name="second")

    walk.run()

    assert world.message().content["digest"] == first
    assert world.statuses() == ["SUCCEEDED"]


def test_a_command_that_waits_for_its_predecessor_keeps_its_image_though_its_tag_has_moved(
    world: World, stepper: Stepper
) -> None:
    push(world, "first", after=0)
    first = push(world, "moving", after=0, name="first")["digest"]
    cleaned_up_at(world, stepper, "WaitForDeployment")
    command = {"app": APP, "tag": "moving", "command": ["python", "manage.py", "check"]}
    walk = stepper.start(command, "two").run_to("WaitForPredecessor")
    release = walk.data["admission"]["release"]

    push(world, "moving", after=1, name="second")
    walk.run_to("TakeSnapshot")

    assert walk.data["admission"]["release"] == release
    assert release["digest"] == first


def test_a_rollback_keeps_its_id_though_its_image_is_on_record_only_by_now(
    world: World, stepper: Stepper
) -> None:
    stopped_at(world, stepper, "RecordOutcome")
    world.lightsail.deploy_by_somebody(APP)
    back = {"app": APP, "rollbackTo": 2, "allowDestructive": True}
    walk = stepper.start(back, "two").run_to("WaitForPredecessor")
    before = walk.data["admission"]["release"]

    # Its first run has recorded the outcome of the previous release, which made version 2.
    walk.run_to("TakeSnapshot")

    after = walk.data["admission"]["release"]
    assert (before["digest"], after["digest"] is None) == (None, False)
    assert after["id"] == before["id"]
    assert walk.run().passed[-1] == "Released"


@pytest.mark.parametrize("is_known", [True, False])
def test_an_end_that_step_functions_does_not_show_yet_is_cleaned_up_on_the_next_delivery(
    world: World, stepper: Stepper, is_known: bool
) -> None:
    one, faults = stopped_at(world, stepper, "TakeSnapshot"), world.cloud.faults
    if is_known:
        faults.change_answers(DESCRIBE, lambda answer: answer.update(status="RUNNING"))
    else:
        faults.refuse(DESCRIBE, "ExecutionDoesNotExist")

    with pytest.raises(StillRunningError):
        stepper.clean_up(one)
    if is_known:
        faults.answer_again(DESCRIBE)
    stepper.clean_up(one)

    assert world.message().content["status"] == "FAILED"
    check_free(world)


@pytest.mark.parametrize(
    "seen", [{"status": "RUNNING", "redriveCount": 1}, {"status": "PENDING_REDRIVE"}]
)
def test_an_execution_that_was_redriven_since_the_event_is_left_alone(
    world: World, stepper: Stepper, seen: dict[str, Any]
) -> None:
    one = stopped_at(world, stepper, "TakeSnapshot")
    world.cloud.faults.change_answers(DESCRIBE, lambda answer: answer.update(seen))

    stepper.clean_up(one)

    assert world.lock.holder is not None
    assert world.messages() == []


def test_an_event_before_the_second_end_of_a_redriven_execution_is_delivered_again(
    world: World, stepper: Stepper
) -> None:
    one = stopped_at(world, stepper, "TakeSnapshot")
    world.cloud.faults.change_answers(
        DESCRIBE, lambda answer: answer.update(status="RUNNING", redriveCount=1)
    )

    with pytest.raises(StillRunningError):
        stepper.clean_up(one, redriveCount=1)


def test_a_holder_that_step_functions_does_not_know_yet_keeps_the_lock(
    world: World, stepper: Stepper
) -> None:
    stepper.start(push(world, "v1.1", after=0), "one").run_to("Deploy")
    two = stepper.start(push(world, "v1.2", after=5), "two").run_to("Admit")
    world.cloud.faults.refuse(DESCRIBE, "ExecutionDoesNotExist")

    two.step()

    assert two.data["admission"]["status"] == "QUEUED"


@pytest.mark.parametrize(("trouble", "stage"), [(0, "production"), (1, "unknown")])
def test_a_release_that_was_stopped_before_it_was_admitted_has_the_stage_of_its_spec(
    world: World, stepper: Stepper, trouble: int, stage: str
) -> None:
    one = stopped_at(world, stepper, "Admit")
    world.cloud.faults.refuse("ssm.GetParameter", "InternalServerError", times=trouble)

    stepper.clean_up(one)

    assert world.message().attributes == {"app": APP, "status": "REFUSED", "stage": stage}


@pytest.mark.representatives(3)
@pytest.mark.parametrize(
    ("origin", "ours", "theirs"),
    [
        ({"account": "999999999999"}, "", ""),
        ({"region": "eu-central-1"}, "", ""),
        ({}, ":123456789012:", ":999999999999:"),
        ({}, ":us-east-1:", ":eu-central-1:"),
        ({}, f":execution:{STACK}-release:", ":execution:another-release:"),
        ({}, f":execution:{STACK}-release:", f":execution:{STACK}-release-of-another:"),
        ({}, ":execution:", ":express:"),
        ({}, "arn:aws:", "arn:aws-cn:"),
    ],
)
def test_an_execution_of_another_account_region_or_stack_is_left_alone(
    world: World, stepper: Stepper, origin: dict[str, str], ours: str, theirs: str
) -> None:
    one = stopped_at(world, stepper, "Deploy")
    arn = one.arn.replace(ours, theirs) if ours else one.arn
    assert ours in one.arn
    event = {**HERE, **origin, "detail": {"executionArn": arn, "status": "ABORTED"}}

    assert world.functions.call("clean_up", event) == {"app": None}

    assert world.lock.holder is not None
    assert world.messages() == []
    [line] = [json.loads(line) for line in world.functions.log.splitlines() if "another" in line]
    assert (line["level"], line["ended"]) == ("WARNING", arn)


def test_an_own_execution_is_cleaned_up_after(world: World, stepper: Stepper) -> None:
    one = stopped_at(world, stepper, "Deploy")
    event = {**HERE, "detail": {"executionArn": one.arn, "status": "ABORTED"}}

    assert world.functions.call("clean_up", event) == {"app": APP}

    assert world.lock.holder is None
