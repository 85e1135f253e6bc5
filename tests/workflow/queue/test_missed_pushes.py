"""Which pushes Reconcile takes for missed: those after the first sight of app and tag.

The slow matrix adds the other calls at which a look is cut off, and the other artifacts.
"""

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lightgate import runtime
from lightgate.aws.dynamodb_locks import Locks
from lightgate.release.lock import LatestRequest
from lightgate.release.tag_changes import Tag
from tests.component import images
from tests.component.artifacts import ARTIFACTS, IMAGES
from tests.workflow.pushes import request
from tests.workflow.queue.missed import first_sight, look, push_later, put_tag, wait
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, STACK, World, spec

YEAR_AGO = timedelta(days=400)
PARAMETER = f"/{STACK}/apps/{APP}"


def released(world: World) -> list[str]:
    """The digests that were released since this was last asked."""
    contents = [message.content for message in world.messages()]
    assert [content["status"] for content in contents] == ["SUCCEEDED"] * len(contents)
    return [content["digest"] for content in contents]


def watch_only(world: World, *tags: str) -> None:
    world.put_spec(spec(tags=list(tags)))


def remove_app(world: World) -> None:
    world.cloud.client("ssm").delete_parameter(Name=PARAMETER)


@pytest.fixture
def seen(world: World) -> World:
    """The app and what its repository holds were seen before."""
    images.push(world.cloud, APP, "keeps-the-first")
    wait(world)
    first_sight(world)
    return world


# The first sight is the baseline.


@pytest.mark.parametrize("age", [timedelta(minutes=6), YEAR_AGO])
def test_an_image_from_before_the_first_sight_is_not_released(world: World, age: timedelta) -> None:
    world.pushed_at(world.digest, world.clock.now() - age)
    push_later(world, "v0", name="another")

    for _ in range(3):
        assert look(world) == {"started": [], "troubled": []}
        wait(world)
    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}


def test_a_push_after_the_first_sight_is_released(seen: World) -> None:
    digest = push_later(seen, "v2")

    [name] = look(seen)["started"]

    assert name.startswith(APP)
    content = seen.message().content
    assert (content["status"], content["digest"]) == ("SUCCEEDED", digest)
    assert content["reason"] == f"push of {APP}:v2, whose event never came"
    assert "lightgateMissedPushes" in seen.functions.log
    assert look(seen)["started"] == []


def test_each_app_of_a_repository_has_a_baseline_of_its_own(seen: World) -> None:
    digest = push_later(seen, "v2")
    seen.put_spec(spec(serviceName="other"), app="another")
    seen.lightsail.add("other")

    [name] = look(seen)["started"]

    assert name.startswith(APP)
    assert released(seen) == [digest]


def test_the_first_sight_is_on_record_once_though_it_is_repeated(world: World) -> None:
    world.cloud.faults.lose_answer("dynamodb.TransactWriteItems")
    assert look(world)["troubled"] == [APP]
    wait(world)
    assert look(world) == {"started": [], "troubled": []}

    digest = push_later(world, "v2")
    look(world)

    assert released(world) == [digest]


@pytest.mark.slow
def test_the_table_of_a_deleted_stack_does_not_affect_the_next_one(
    seen: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_later(seen, "v2")
    stack = "arn:aws:cloudformation:us-east-1:123456789012:stack/lightgate/another"
    monkeypatch.setenv("LIGHTGATE_STACK_ID", stack)
    runtime._runtime.cache_clear()

    assert look(seen)["started"] == []
    digest = push_later(seen, "v3")
    look(seen)

    assert released(seen) == [digest]


# What becomes watched by a change of the spec.


@pytest.mark.representatives(1)
@pytest.mark.parametrize("tags", [("latest", "v*"), ("*",)])
def test_a_pattern_that_is_added_releases_nothing_that_was_there(
    world: World, tags: Sequence[str]
) -> None:
    watch_only(world, "latest")
    push_later(world, "v1.0")
    first_sight(world)
    push_later(world, "v1.1")
    watch_only(world, *tags)

    assert look(world)["started"] == []
    digest = push_later(world, "v1.2")
    look(world)

    assert released(world) == [digest]


def test_a_pattern_that_is_taken_away_and_added_again_releases_nothing_from_between(
    seen: World,
) -> None:
    watch_only(seen, "latest")
    look(seen)
    push_later(seen, "v1.0")
    watch_only(seen, "latest", "v*")

    assert look(seen)["started"] == []


def test_a_push_that_was_missed_before_the_spec_changed_is_released(seen: World) -> None:
    digest = push_later(seen, "v2")
    seen.put_spec(spec(environment={"DJANGO_SETTINGS_MODULE": "crops.other"}))
    seen.put_spec(spec(tags=["v*"]))

    look(seen)

    assert released(seen) == [digest]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("document", [spec(), spec(tags=["*"])])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_app_that_is_removed_and_stored_again_releases_nothing_from_between(
    seen: World, document: dict[str, Any], times: int
) -> None:
    remove_app(seen)
    look(seen)
    push_later(seen, "v2")
    for _ in range(times):
        seen.put_spec(document)

    assert look(seen)["started"] == []
    digest = push_later(seen, "v3")
    look(seen)

    assert released(seen) == [digest]


def test_an_app_stored_again_between_two_checks_begins_anew(seen: World) -> None:
    push_later(seen, "v2")
    remove_app(seen)
    seen.put_spec(spec())

    assert look(seen)["started"] == []


def stored_at(world: World, stored: timedelta) -> None:
    """Let SSM say that the spec was stored that long after now."""
    moment = world.clock.now() + stored

    def change(answer: dict[str, Any]) -> None:
        for found in answer["Parameters"]:
            if found["Name"] == PARAMETER:
                found["LastModifiedDate"] = moment

    world.cloud.faults.change_answers("ssm.GetParameters", change)


@pytest.fixture
def empty_stack(world: World) -> World:
    """A stack that has looked and has no app yet."""
    remove_app(world)
    first_sight(world)
    return world


def test_a_push_after_its_spec_was_stored_is_released_though_the_app_was_never_seen(
    empty_stack: World,
) -> None:
    world = empty_stack
    push_later(world, "v1.9")
    world.put_spec(spec())
    stored_at(world, timedelta())
    wait(world)
    digest = push_later(world, "v2")

    look(world)

    assert released(world) == [digest]


@pytest.mark.parametrize("seconds", [0, 5, 400])
def test_a_push_that_may_be_older_than_its_spec_is_not_released(
    empty_stack: World, seconds: float
) -> None:
    world = empty_stack
    digest = push_later(world, "v2")
    pushed_at = next(one.pushed_at for one in world.images() if one.digest == digest)
    world.put_spec(spec())
    stored_at(world, pushed_at - world.clock.now() + timedelta(seconds=seconds))
    wait(world)

    assert look(world)["started"] == []


def test_a_spec_older_than_the_last_check_marks_no_push_as_missed(
    empty_stack: World,
) -> None:
    world = empty_stack
    world.put_spec(spec())
    stored_at(world, -YEAR_AGO)
    push_later(world, "v2")

    assert look(world)["started"] == []


# Reconcile that is late, cut off, or beside somebody else.


def test_the_newest_push_missed_in_a_week_is_released(seen: World) -> None:
    digests = []
    for tag in ("v2", "v3", "v4"):
        digests.append(push_later(seen, tag))
        seen.clock.sleep(timedelta(days=2).total_seconds())

    look(seen)

    assert seen.message().content["digest"] == digests[-1]
    assert look(seen)["started"] == []


def test_a_message_names_what_was_missed_and_not_released(seen: World) -> None:
    for tag in ("v2", "v3", "v4", "v5"):
        push_later(seen, tag)

    look(seen)

    reason = seen.message().content["reason"]
    assert reason == (
        f"push of {APP}:v5, whose event never came; also missed, and not released: v4, v3 and 1"
        " more"
    )


@pytest.mark.representatives(1)
@pytest.mark.parametrize("call", sorted(range(20), key=lambda call: call % 4))
def test_a_check_cut_off_anywhere_releases_a_missed_push_once(
    seen: World, stepper: Stepper, call: int
) -> None:
    digest = push_later(seen, "v2")
    left = iter(range(call, -1, -1))

    def cut_off(_call: str) -> None:
        if next(left, None) == 0:
            raise CutOffError

    seen.cloud.faults.watch(cut_off)
    with contextlib.suppress(CutOffError):
        look(seen)
    seen.cloud.faults.watch_no_more()
    look(seen)
    stepper.run_all()
    look(seen)
    stepper.run_all()

    assert released(seen) == [digest]
    assert seen.statuses() == ["SUCCEEDED"]


class CutOffError(BaseException):
    """Lambda ends the function."""


@pytest.mark.representatives(1)
@pytest.mark.parametrize("call", ["stepfunctions.StartExecution", "dynamodb.TransactWriteItems"])
def test_an_answer_that_is_lost_releases_a_missed_push_once(seen: World, call: str) -> None:
    digest = push_later(seen, "v2")
    seen.cloud.faults.lose_answer(call)

    for _ in range(3):
        look(seen)

    assert released(seen) == [digest]


def test_concurrent_checks_keep_each_others_results(seen: World) -> None:
    digest = push_later(seen, "v2")
    beside = iter([True])

    def look_as_well(call: str) -> None:
        if call == "ecr.DescribeImages" and next(beside, False):
            look(seen)

    seen.cloud.faults.watch(look_as_well)
    look(seen)

    assert released(seen) == [digest]


def test_a_tag_that_is_deleted_releases_nothing(seen: World) -> None:
    put_tag(seen, "v1.1")
    look(seen)
    assert len(released(seen)) == 1
    seen.cloud.client("ecr").batch_delete_image(repositoryName=APP, imageIds=[{"imageTag": "v1.1"}])

    assert look(seen)["started"] == []


def test_no_repository_is_too_large_to_be_remembered(world: World) -> None:
    many = {f"v1.{number}-{'x' * 100}": Tag(digest="0" * 16) for number in range(9000)}
    first_sight(world)
    checks = runtime._runtime().tag_checks
    found, number = checks.read(APP)
    assert found is not None

    assert checks.write(APP, replace(found, tags=many), number)

    assert checks.read(APP) == (replace(found, tags=many), number + 1)
    assert not checks.write(APP, found, number)


# Artifacts that are no images.


@pytest.mark.representatives(1)
@pytest.mark.parametrize("document", ARTIFACTS.values(), ids=ARTIFACTS)
def test_an_artifact_that_follows_hides_no_missed_push(
    seen: World, document: dict[str, Any]
) -> None:
    digest = push_later(seen, "v2")
    artifact = images.push_artifact(seen.cloud, APP, "v2-extra", document)
    seen.pushed_at(artifact, seen.clock.now())

    look(seen)

    assert released(seen) == [digest]
    wait(seen)
    assert look(seen)["started"] == []


@pytest.mark.representatives(1)
@pytest.mark.parametrize("kind", ["sig", "att", "sbom"])
def test_an_image_under_a_tag_of_cosign_hides_no_missed_push(seen: World, kind: str) -> None:
    seen.put_spec(spec(tags=["*"]))
    look(seen)
    digest = push_later(seen, "v2")
    push_later(seen, f"sha256-{digest.removeprefix('sha256:')}.{kind}", architecture="")

    look(seen)

    assert released(seen) == [digest]


def test_an_artifact_alone_starts_nothing_and_is_logged(seen: World) -> None:
    images.push_artifact(seen.cloud, APP, "v2", ARTIFACTS["cosign signature"])
    wait(seen)

    assert look(seen) == {"started": [], "troubled": []}
    assert look(seen)["started"] == []
    lines = [json.loads(line) for line in seen.functions.log.splitlines() if "artifact" in line]
    assert [line["tags"] for line in lines] == [["v2"]]


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "name", ["index for arm64 alone", "index without platforms", "empty index"]
)
def test_an_image_that_cannot_run_is_refused(seen: World, name: str) -> None:
    document = {"mediaType": images.MANIFEST, **IMAGES[name]}
    images.push_artifact(seen.cloud, APP, "v2", document)
    wait(seen)

    look(seen)

    assert seen.message().content["status"] == "REFUSED"
    assert look(seen)["started"] == []


def test_an_image_whose_manifest_ecr_does_not_give_is_refused(seen: World) -> None:
    push_later(seen, "v2")
    none = {"images": [], "failures": [{"failureCode": "ImageInaccessible"}]}
    seen.cloud.faults.change_answers("ecr.BatchGetImage", lambda answer: answer.update(none))

    look(seen)

    assert "has no image" in seen.message().content["reasons"][0]


# A tag that is put on an older image.


def test_a_promotion_of_an_older_image_is_released(seen: World) -> None:
    newer = push_later(seen, "v1.1")
    look(seen)
    assert released(seen) == [newer]

    put_tag(seen, "v1.2")
    [_] = look(seen)["started"]

    content = seen.message().content
    assert (content["status"], content["digest"]) == ("SUCCEEDED", seen.digest)
    assert content["reason"] == f"push of {APP}:v1.2, whose event never came"
    assert look(seen)["started"] == []


@pytest.mark.representatives(1)
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_promotion_right_after_a_release_is_released(seen: World, by_hand: bool) -> None:
    newer = images.push(seen.cloud, APP, "v1.1", name="v1.1")
    asked = {"app": APP, "tag": "v1.1"} if by_hand else request(newer, "v1.1", after=0)
    seen.machine.run(asked, "one")
    assert released(seen) == [newer]

    put_tag(seen, "v1.2")
    look(seen)

    assert released(seen) == [seen.digest]


def test_latest_that_is_moved_back_is_released(seen: World) -> None:
    newer = push_later(seen, "latest", name="v2")
    look(seen)
    images.push(seen.cloud, APP, "keeps-it", name="v2")
    wait(seen)
    look(seen)
    assert released(seen) == [newer]

    put_tag(seen, "latest")
    look(seen)

    assert released(seen) == [seen.digest]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("looks_between", [False, True])
def test_a_promotion_whose_event_came_is_not_released_again(
    seen: World, looks_between: bool
) -> None:
    newer = push_later(seen, "v1.1")
    look(seen)
    images.push(seen.cloud, APP, "v1.2")
    if looks_between:
        look(seen)
    seen.machine.run(request(seen.digest, "v1.2", after=9e6), "two")
    assert released(seen) == [newer, seen.digest]
    wait(seen)

    assert look(seen)["started"] == []


def test_a_promotion_whose_release_failed_is_not_tried_again(seen: World) -> None:
    seen.lightsail.disable(APP)
    images.push(seen.cloud, APP, "v1.2")
    seen.machine.run(request(seen.digest, "v1.2", after=0), "one")
    assert seen.message().content["status"] == "REFUSED"
    wait(seen)

    assert look(seen)["started"] == []


def test_a_promotion_whose_event_may_still_come_is_left_to_it(seen: World) -> None:
    look(seen)
    images.push(seen.cloud, APP, "v1.2")

    assert look(seen)["started"] == []
    wait(seen)
    assert len(look(seen)["started"]) == 1


def test_a_promotion_that_may_be_older_than_the_latest_request_is_not_released(seen: World) -> None:
    put_tag(seen, "v1.2")
    newer = push_later(seen, "v1.3", name="v1.3")
    seen.machine.run({"app": APP, "digest": newer}, "by-hand")
    assert released(seen) == [newer]
    wait(seen)

    assert look(seen)["started"] == []
    wait(seen)
    assert look(seen)["started"] == []


def test_the_log_names_a_missed_push_older_than_the_latest_request(seen: World) -> None:
    push_later(seen, "v2")
    wish = LatestRequest(at=seen.clock.now(), digest=seen.digest, release="by-hand")
    Locks(seen.table).change(APP, lambda lock: (replace(lock, latest=wish), None))

    assert look(seen)["started"] == []
    [line] = [line for line in seen.functions.log.splitlines() if "may be older" in line]
    assert json.loads(line)["tags"] == ["v2"]


def test_the_last_pushed_of_two_promoted_images_is_released(
    seen: World,
) -> None:
    newer = push_later(seen, "not-watched", name="v1.1")
    look(seen)
    put_tag(seen, "v1.3")
    put_tag(seen, "v1.2", name="v1.1")

    look(seen)

    content = seen.message().content
    assert content["digest"] == newer
    assert content["reason"].endswith("also missed, and not released: v1.3")
    assert look(seen)["started"] == []


def test_two_tags_that_are_put_on_one_image_are_one_release(seen: World) -> None:
    put_tag(seen, "v1.2")
    put_tag(seen, "v1.3")

    look(seen)

    assert released(seen) == [seen.digest]
    assert look(seen)["started"] == []


def test_two_images_of_the_same_second_are_not_released_and_logged(seen: World) -> None:
    now = seen.clock.now() + timedelta(seconds=1)
    for tag in ("v2", "v3"):
        seen.pushed_at(images.push(seen.cloud, APP, tag, name=tag), now)
    wait(seen)

    assert look(seen)["started"] == []
    [line] = [line for line in seen.functions.log.splitlines() if "cannot be told" in line]
    assert sorted(json.loads(line)["tags"]) == ["v2", "v3"]


def test_two_indexes_of_one_image_in_one_second_are_released_once(seen: World) -> None:
    now = seen.clock.now() + timedelta(seconds=1)
    for tag in ("v2", "v3"):
        pushed = images.push_index(seen.cloud, APP, tag, {"amd64": seen.digest}, name=tag)
        seen.pushed_at(pushed, now)
    wait(seen)

    look(seen)

    assert released(seen) == [pushed]
    assert look(seen)["started"] == []


# One image under several digests.


def test_an_index_that_was_released_is_not_missed(seen: World) -> None:
    pushed = images.push_index(seen.cloud, APP, "v2", {"amd64": seen.digest})
    seen.pushed_at(pushed, seen.clock.now())
    seen.machine.run({"app": APP, "digest": pushed}, "by-hand")
    wait(seen)

    assert look(seen)["started"] == []


def test_a_missed_index_is_released_as_the_image_that_runs(seen: World) -> None:
    amd64 = images.push(seen.cloud, APP, None, name="v2")
    pushed = images.push_index(seen.cloud, APP, "v2", {"amd64": amd64})
    wait(seen)

    look(seen)

    content = seen.message().content
    assert (content["digest"], content["runningDigest"]) == (pushed, amd64)
    assert look(seen)["started"] == []


@pytest.mark.representatives(1)
@pytest.mark.parametrize("state", ["Admit", "TakeSnapshot", "WaitForDeployment"])
def test_a_push_that_is_being_released_is_not_missed(
    seen: World, stepper: Stepper, state: str
) -> None:
    digest = push_later(seen, "v2")
    walk = stepper.start(request(digest, "v2", after=0), "one").run_to(state)
    if state == "Admit":
        walk.step()
    wait(seen)

    assert look(seen)["started"] == []


def fail(world: World, _patch: pytest.MonkeyPatch) -> None:
    world.cloud.faults.refuse("ecr.DescribeImages", "ServerException")


def be_written_by_others(world: World, _patch: pytest.MonkeyPatch) -> None:
    def look_as_well(call: str) -> None:
        if call == "ecr.DescribeImages" and world.functions.running == "admit":
            look(world)
            world.functions.running = "admit"

    world.cloud.faults.watch(look_as_well)


def be_too_long(_world: World, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("lightgate.operations.check_tags._MOST_IN_PASSING", 1)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("trouble", [fail, be_written_by_others, be_too_long])
def test_a_failed_tag_check_does_not_delay_a_release(
    seen: World,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[[World, pytest.MonkeyPatch], None],
) -> None:
    trouble(seen, monkeypatch)

    seen.release()

    assert seen.message().content["status"] == "SUCCEEDED"
    assert "the tags could not be checked" in seen.functions.log


@pytest.mark.slow
def test_a_command_with_an_image_that_was_missed_does_not_hide_its_push(world: World) -> None:
    world.machine.run({"app": APP}, "first")
    first_sight(world)
    digest = push_later(world, "v2")
    world.machine.run({"app": APP, "tag": "v2", "command": ["python", "x.py"]}, "command")

    [name] = look(world)["started"]

    assert digest.removeprefix("sha256:")[:12] in name


def test_a_last_check_that_cannot_be_read_keeps_no_release_from_beginning(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightgate.aws.dynamodb_tag_checks._PART", 200)
    first_sight(world)
    part = world.table.key(APP, "tags#1")
    world.table.client.delete_item(TableName=world.table.name, Key=part)

    world.machine.run(request(world.digest, "latest", after=0), "pushed")

    assert world.statuses() == ["SUCCEEDED"]
