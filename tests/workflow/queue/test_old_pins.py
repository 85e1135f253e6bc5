"""Reconcile removes the tags under which images were deployed, once nothing can need them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lightgate.names import pin_tag
from tests.component import images
from tests.workflow.queue.missed import look
from tests.workflow.reporting_gates import released
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, STACK, World

OWN = {"Key": "lightgate:stack", "Value": STACK}


def tag_repository(world: World, value: str) -> None:
    ecr = world.cloud.client("ecr")
    arn = ecr.describe_repositories(repositoryNames=[APP])["repositories"][0]["repositoryArn"]
    ecr.tag_resource(resourceArn=arn, tags=[OWN | {"Value": value}])


def forget_old_versions(world: World, service: str = APP) -> None:
    """Lightsail lists the last 50 versions: here only the live one."""
    world.lightsail.services[service].change(
        lambda found: replace(found, deployments=found.deployments[-1:])
    )


def release(world: World, tag: str) -> str:
    digest = images.push(world.cloud, APP, tag, name=f"the-image-of-{tag}")
    assert world.release(course=released(), digest=digest).status == "SUCCEEDED"
    return digest


def tags(world: World, digest: str) -> set[str]:
    return {tag for one in world.images() if one.digest == digest for tag in one.tags}


@pytest.fixture
def old(world: World) -> str:
    """The image of v1, which no service lists any more. v2 is live."""
    tag_repository(world, STACK)
    digest = release(world, "v1")
    release(world, "v2")
    forget_old_versions(world)
    assert tags(world, digest) == {"v1", pin_tag(digest)}
    return digest


def test_an_old_pin_is_removed_and_its_image_stays(world: World, old: str) -> None:
    look(world)

    assert tags(world, old) == {"v1"}
    [live] = [one for one in world.images() if "v2" in one.tags]
    assert set(live.tags) == {"v2", pin_tag(live.digest)}


def test_the_pins_of_all_versions_that_the_service_lists_stay(world: World) -> None:
    tag_repository(world, STACK)
    digest = release(world, "v1")
    release(world, "v2")

    look(world)

    assert tags(world, digest) == {"v1", pin_tag(digest)}


def test_a_pin_that_another_service_lists_stays(world: World, old: str) -> None:
    image = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{APP}:{pin_tag(old)}"
    world.lightsail.add("by-hand")
    world.lightsail.deploy_by_somebody("by-hand", image=image)

    look(world)

    assert tags(world, old) == {"v1", pin_tag(old)}


@pytest.mark.parametrize("value", ["another", ""])
def test_nothing_is_removed_in_a_repository_without_the_tag_of_this_stack(
    world: World, old: str, value: str
) -> None:
    tag_repository(world, value)

    look(world)

    assert tags(world, old) == {"v1", pin_tag(old)}


def test_the_last_tag_of_an_image_stays(world: World, old: str) -> None:
    untag(world, "v1")

    look(world)

    assert tags(world, old) == {pin_tag(old)}


def untag(world: World, tag: str) -> None:
    world.cloud.client("ecr").batch_delete_image(repositoryName=APP, imageIds=[{"imageTag": tag}])


def at(world: World, call: str, event: Callable[[], object]) -> None:
    """Let something happen just before this call of Reconcile."""
    events = [event]

    def see(name: str) -> None:
        if name == call and world.functions.running == "reconcile" and events:
            running, world.functions.running = world.functions.running, None
            events.pop()()
            world.functions.running = running

    world.cloud.faults.watch(see)


def test_an_image_that_loses_its_other_tag_meanwhile_stays(world: World, old: str) -> None:
    at(world, "lightsail.GetContainerServices", lambda: untag(world, "v1"))

    look(world)

    assert tags(world, old) == {pin_tag(old)}


def test_a_pin_stays_if_a_release_begins_meanwhile(world: World, old: str) -> None:
    at(world, "lightsail.GetContainerServices", lambda: release(world, "v3"))

    look(world)

    assert tags(world, old) == {"v1", pin_tag(old)}


def test_a_pin_stays_while_a_release_is_in_progress(
    world: World, old: str, stepper: Stepper
) -> None:
    stepper.start({"app": APP, "tag": "v2"}, "in-progress").run_to("TakeSnapshot")

    look(world)

    assert tags(world, old) == {"v1", pin_tag(old)}


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "call",
    [
        "ecr.DescribeRepositories",
        "ecr.ListTagsForResource",
        "lightsail.GetContainerServices",
        "lightsail.GetContainerServiceDeployments",
    ],
)
@pytest.mark.parametrize("answer", ["denied", "empty"])
def test_a_pin_stays_if_aws_does_not_show_what_is_deployed(
    world: World, old: str, call: str, answer: str
) -> None:
    if answer == "denied":
        world.cloud.faults.refuse(call, "AccessDeniedException")
    else:
        world.cloud.faults.change_answers(call, dict.clear)

    assert look(world) == {"started": [], "troubled": []}
    assert tags(world, old) == {"v1", pin_tag(old)}


def test_a_pin_stays_while_the_spec_of_an_app_is_broken(world: World, old: str) -> None:
    world.put_spec("{", "broken")

    look(world)

    assert tags(world, old) == {"v1", pin_tag(old)}


def test_a_pin_that_ecr_keeps_is_tried_again_by_the_next_run(world: World, old: str) -> None:
    world.cloud.faults.refuse("ecr.BatchDeleteImage", "ServerException")
    assert look(world) == {"started": [], "troubled": []}
    assert tags(world, old) == {"v1", pin_tag(old)}

    look(world)

    assert tags(world, old) == {"v1"}
