"""Before a release succeeds, what runs is compared with what was pushed."""

from dataclasses import replace
from typing import Any

import pytest

from lightgate.names import COMMAND_CONTAINER, pin_tag
from local.lightsail.model import Deployment
from tests.component import images
from tests.workflow.releases.test_by_hand import BACK, DONE, command_course
from tests.workflow.reporting_gates import released, told_plan
from tests.workflow.world import APP, World, spec, succeeded

OTHER = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{APP}:v11"
REDIS = f"redis:7@sha256:{'7' * 64}"


def show(world: World, version: int, container: str) -> None:
    """Let the service show another image in a container of the version."""

    def changed(one: Deployment) -> Deployment:
        if one.version != version:
            return one
        other = replace(one.containers[container], image=OTHER)
        return replace(one, containers={**one.containers, container: other})

    world.lightsail.services[APP].change(
        lambda service: replace(
            service, deployments=tuple(changed(one) for one in service.deployments)
        )
    )


@pytest.mark.representatives(1)
@pytest.mark.parametrize("container", ["web", "migrate"])
def test_a_release_that_runs_another_image_is_no_success(world: World, container: str) -> None:
    world.functions.before("verify_release", lambda: show(world, 2, container))

    ended = world.release(course=succeeded())

    assert ended.error == "FAILED"
    content = world.message().content
    [reason] = content["reasons"]
    assert f"Version 2 does not run the images of this release: {container} runs {OTHER}" in reason
    assert pin_tag(world.digest) in reason


def move_pin(world: World) -> str:
    """Put the tag that is deployed on another image."""
    return images.push(world.cloud, APP, pin_tag(world.digest), name="another")


@pytest.mark.representatives(1)
@pytest.mark.parametrize("unprotected", [False, True])
def test_a_release_whose_tag_was_moved_to_another_image_is_no_success(
    world: World, *, unprotected: bool
) -> None:
    if unprotected:
        world.put_spec(spec(publicEndpoint=None, unprotected=True))
    moved: list[str] = []
    world.functions.before("verify_release", lambda: moved.append(move_pin(world)))

    ended = world.release(course=succeeded())

    assert ended.error == "FAILED"
    reason = world.message().content["reasons"][0]
    assert pin_tag(world.digest) in reason
    assert moved[0] in reason


def test_a_release_whose_tag_was_deleted_is_no_success(world: World) -> None:
    def delete() -> None:
        world.cloud.client("ecr").batch_delete_image(
            repositoryName=APP, imageIds=[{"imageTag": pin_tag(world.digest)}]
        )

    world.functions.before("verify_release", delete)

    assert world.release(course=succeeded()).error == "FAILED"
    assert pin_tag(world.digest) in world.message().content["reasons"][0]


def test_one_empty_answer_of_ecr_is_no_missing_image(world: World) -> None:
    faults = world.cloud.faults

    def empty(answer: dict[str, Any]) -> None:
        answer |= {"images": [], "failures": []}
        faults.answer_again("ecr.BatchGetImage")

    world.functions.before(
        "verify_release", lambda: faults.change_answers("ecr.BatchGetImage", empty)
    )

    assert world.release(course=succeeded()).status == "SUCCEEDED"


def test_another_image_that_is_meant_runs_and_is_named(world: World) -> None:
    document = spec()
    document["containers"]["redis"] = {"image": REDIS}
    world.put_spec(document)

    assert world.release(course=succeeded()).status == "SUCCEEDED"
    assert world.lightsail.deployment(APP, 2).containers["redis"].image == REDIS
    message = world.message()
    named = f"containers.redis.image: redis runs {REDIS}, whatever image is pushed."
    assert named in message.content["warnings"]
    assert named in message.text


def test_an_image_by_a_tag_is_refused_with_what_to_write(world: World) -> None:
    document = spec()
    document["containers"]["web"] |= {"image": OTHER, "command": ["x"], "python": "python3"}
    document["containers"]["redis"] = {"image": "redis:7"}
    world.put_spec(document)

    assert world.release().error == "REFUSED"
    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}
    reasons = world.message().content["reasons"]
    assert [reason.partition(": ")[0] for reason in reasons] == [
        "containers.web.image",
        "containers.redis.image",
    ]
    assert "write redis:7@sha256:…" in reasons[1]


def test_a_rollback_by_hand_that_runs_another_image_is_no_success(two: World) -> None:
    two.functions.before("verify_release", lambda: show(two, 4, "web"))

    assert two.release(rollbackTo=2).error == "FAILED"
    assert f"web runs {OTHER}" in two.message().text


def test_a_rollback_to_an_image_of_a_repository_that_the_spec_does_not_name_any_more_is_good(
    two: World,
) -> None:
    images.create_repository(two.cloud, "crops-anew")
    images.push(two.cloud, "crops-anew", "latest", name="anew")
    two.put_spec(spec(repository="crops-anew"))

    assert two.release(rollbackTo=2).status == "SUCCEEDED", two.message().text


def test_an_automatic_rollback_that_runs_another_image_is_not_called_rolled_back(
    two: World,
) -> None:
    two.site.bad = {4: "Internal Server Error"}
    two.functions.before("roll_back", lambda: show(two, 5, "web"), call=2)

    assert two.release(course=released()).error == "FAILED"
    assert two.lightsail.serving(APP) == 5
    assert f"web runs {OTHER}" in two.message().text


@pytest.mark.representatives(1)
@pytest.mark.parametrize("container", ["web", COMMAND_CONTAINER])
def test_a_command_beside_another_image_is_no_success(two: World, container: str) -> None:
    two.lightsail.courses.append(command_course((160, told_plan("undo")), (190, DONE)))
    two.functions.before("verify_release", lambda: show(two, 4, container))

    assert two.release(digest=two.digest, command=BACK).error == "FAILED"
    assert f"{container} runs {OTHER}" in two.message().text
