"""Two stacks in one account: a container service belongs to one of them."""

import json
from collections.abc import Mapping

import pytest

from lightgate.names import RELEASE_VARIABLE, STACK_TAG, STACK_VARIABLE
from tests.component.lightsail_service import Course
from tests.workflow.release_machine import Ended
from tests.workflow.reporting_gates import released
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, STACK, World, spec

OTHER = "lightgate-staging"
FOREIGN = "20261115t110000z-00112233-aabb"
TAKES_OVER = (
    f"aws lightsail tag-resource --resource-name {APP} --tags key={STACK_TAG},value={STACK}"
)
FAILS = Course(ends="FAILED")


def marked(stack: str | None = OTHER, release: str = FOREIGN) -> Mapping[str, str]:
    """The environment of a deployment of Lightgate."""
    return {RELEASE_VARIABLE: release, **({STACK_VARIABLE: stack} if stack else {})}


def deploy_by_other(world: World, course: Course | None = None, stack: str | None = OTHER) -> int:
    return world.lightsail.deploy_by_somebody(APP, course, environment=marked(stack))


NO_RELEASE = {1: "INACTIVE", 2: "ACTIVE"}
BELONGS = f"belongs to the stack {OTHER}"


def check_untouched(world: World, ended: Ended, versions: Mapping[int, str], *words: str) -> None:
    """The release is refused with these words, and neither database, image nor service changed."""
    assert ended.error == "REFUSED"
    told = " ".join(world.message().content["reasons"])
    for word in words:
        assert word in told
    assert world.lightsail.deployments(APP) == versions
    assert world.instance.snapshots() == {}
    assert not [tag for image in world.images() for tag in image.tags if "lightgate-" in tag]


COMMAND = {"tag": "latest", "command": ["python", "manage.py", "migrate", "crops", "0007"]}


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "request_",
    [{}, {"rollbackTo": 1, "allowDestructive": True}, COMMAND],
    ids=["image", "rollback", "command"],
)
def test_each_container_of_a_deployment_names_its_stack(
    world: World, request_: dict[str, object]
) -> None:
    world.lightsail.deploy_by_somebody(APP)

    world.release({"app": APP, **request_})

    containers = world.lightsail.deployment(APP, 3).containers.values()
    assert {container.environment[STACK_VARIABLE] for container in containers} == {STACK}


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, [f"the container service {APP} {BELONGS}", "version 2"]),
        ({"rollbackTo": 1, "allowDestructive": True}, []),
        ({"allowDestructive": True, **COMMAND}, []),
    ],
    ids=["image", "rollback", "command"],
)
def test_a_service_that_another_stack_serves_is_left_alone_and_the_message_says_how_to_take_it(
    world: World, request_: dict[str, object], words: list[str]
) -> None:
    deploy_by_other(world)

    check_untouched(world, world.release(**request_), NO_RELEASE, BELONGS, TAKES_OVER, *words)


@pytest.mark.parametrize("course", [Course(ends=None), FAILS], ids=["in progress", "failed"])
def test_the_newest_deployment_counts_whether_it_serves_or_not(
    world: World, course: Course
) -> None:
    deploy_by_other(world, course)
    world.clock.sleep(1000)

    state = "FAILED" if course is FAILS else "ACTIVATING"
    check_untouched(world, world.release(), {1: "ACTIVE", 2: state}, BELONGS)


def test_a_deployment_by_hand_does_not_change_the_owner_of_the_service(world: World) -> None:
    deploy_by_other(world)
    world.lightsail.deploy_by_somebody(APP)

    versions = {1: "INACTIVE", 2: "INACTIVE", 3: "ACTIVE"}
    check_untouched(world, world.release(), versions, BELONGS)


def test_the_command_of_the_message_gives_the_service_to_this_stack(world: World) -> None:
    deploy_by_other(world)
    world.lightsail.tag(APP, STACK_TAG, STACK)

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert world.lightsail.serving(APP) == 3


def test_a_service_that_was_given_away_is_left_alone_from_then_on(world: World) -> None:
    world.release()
    world.message()
    world.lightsail.tag(APP, STACK_TAG, OTHER)

    ended = world.release()

    assert ended.error == "REFUSED"
    told = " ".join(world.message().content["reasons"])
    assert f"belongs to the stack {OTHER}, which its tag {STACK_TAG} names" in told
    assert world.lightsail.serving(APP) == 2


def test_a_tag_without_a_value_names_no_owner(world: World) -> None:
    world.lightsail.tag(APP, STACK_TAG, "")

    check_untouched(world, world.release(), {1: "ACTIVE"}, "without a value", TAKES_OVER)


def test_a_deployment_that_names_no_stack_is_not_taken_for_an_own_one(world: World) -> None:
    deploy_by_other(world, stack=None)

    words = [f"release {FOREIGN}", "its stack is unknown", TAKES_OVER]
    check_untouched(world, world.release(), NO_RELEASE, *words)


@pytest.mark.parametrize("marker", ["{}", "{}-back"])
def test_a_deployment_that_names_no_stack_is_an_own_one_if_its_release_is_on_record(
    world: World, marker: str
) -> None:
    world.release()
    release = world.message().content["release"]
    world.lightsail.deploy_by_somebody(APP, environment=marked(None, marker.format(release)))

    assert world.release().status == "SUCCEEDED"


def test_a_stack_that_was_created_again_under_its_name_goes_on_with_its_service(
    world: World,
) -> None:
    world.release()
    world.empty_table()

    assert world.release().status == "SUCCEEDED"


def test_the_slower_of_two_stacks_on_a_free_service_deploys_nothing(
    world: World,
) -> None:
    """The other stack deploys while Deploy reads the secrets."""

    def be_faster(_: object) -> None:
        if world.lightsail.serving(APP) == 1:
            deploy_by_other(world)

    world.cloud.faults.change_answers("secretsmanager.GetSecretValue", be_faster)

    ended = world.release()

    assert ended.error == "REFUSED"
    assert f"belongs to the stack {OTHER}" in " ".join(world.message().content["reasons"])
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    assert world.lock.holder is None


def test_a_release_that_waits_for_the_deployment_of_another_stack_deploys_nothing(
    world: World,
) -> None:
    world.functions.before("deploy", lambda: deploy_by_other(world, Course(ends=None)))

    ended = world.release()

    assert ended.error == "REFUSED"
    assert "Deploy" in ended.states
    assert BELONGS in " ".join(world.message().content["reasons"])
    assert world.lightsail.deployments(APP) == {1: "ACTIVE", 2: "ACTIVATING"}


def test_a_service_that_was_given_away_meanwhile_is_not_rolled_back(good: World) -> None:
    """Nothing is pending in either release, so only the tag stands against the rollback."""
    good.site.bad = {3: "Internal Server Error"}
    good.functions.before("roll_back", lambda: good.lightsail.tag(APP, STACK_TAG, OTHER))

    assert good.release(course=released()).error == "FAILED"
    assert BELONGS in " ".join(good.message().content["reasons"])
    assert good.lightsail.deployments(APP) == {1: "INACTIVE", 2: "INACTIVE", 3: "ACTIVE"}


def test_a_waiting_release_on_a_lost_service_deploys_nothing(
    world: World, stepper: Stepper
) -> None:
    world.put_spec(spec(database=None))
    walk = stepper.start({"app": APP}, "one").run_to("Deploy")
    world.lightsail.tag(APP, STACK_TAG, OTHER)

    walk.run()

    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}


def test_the_metrics_of_two_stacks_are_not_added_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app of the same name is in both."""
    monkeypatch.setenv("LIGHTGATE_STACK", OTHER)

    world.release(course=FAILS)

    metrics = [json.loads(line) for line in world.functions.log.splitlines() if '"_aws"' in line]
    assert {metric["service"] for metric in metrics} == {OTHER}
    for metric in metrics:
        [directive] = metric["_aws"]["CloudWatchMetrics"]
        assert "service" in directive["Dimensions"][0]
