"""A container service belongs to one app: a second one whose spec names it deploys nothing."""

import json

import pytest

from lightgate.names import RELEASE_VARIABLE, STACK_VARIABLE
from lightgate.release.lock import LONGEST_STEP, LockHolder
from tests.component import images, table
from tests.component.lightsail_service import Course
from tests.workflow.queue.test_receive_push import executions, push_of, receive
from tests.workflow.stepper import Stepper, Walk
from tests.workflow.world import APP, STACK, Json, Message, World, spec

COPY = "crops-copy"
ELSEWHERE = "crops-elsewhere"
COMMAND = {"tag": "latest", "command": ["python", "manage.py", "migrate", "crops", "0007"]}


def refusal(message: Message) -> str:
    assert message.content["status"] == "REFUSED"
    return " ".join(message.content["reasons"])


def release(world: World, app: str, name: str, **request: object) -> Message:
    world.machine.run({"app": app, **request}, name)
    return world.message()


def delete_spec(world: World, app: str) -> None:
    world.cloud.client("ssm").delete_parameter(Name=f"/{STACK}/apps/{app}")


def check_refused(message: Message, app: str, owner: str, service: str = APP) -> None:
    told = refusal(message)
    assert f"{app} deploys to the service {service}" in told
    assert f"belongs to the app {owner}" in told
    assert f"/{STACK}/apps/{app}" in told
    assert f"aws ssm delete-parameter --name /{STACK}/apps/{owner}" in told


def forget_services(world: World) -> None:
    """As in a table of an earlier Lightgate."""
    for item in world.items():
        if item["app"]["S"] == "#services":
            key = {name: item[name] for name in ("app", "item")}
            world.cloud.client("dynamodb").delete_item(TableName=table.NAME, Key=key)


def owners(world: World) -> dict[str, str]:
    return {
        item["item"]["S"]: item["belongsTo"]["S"]
        for item in world.items()
        if item["app"]["S"] == "#services"
    }


def test_the_second_app_of_one_push_on_one_service_is_refused_by_name(
    world: World,
) -> None:
    world.put_spec(spec(), app=COPY)

    names = receive(world, push_of(world))

    assert len(names) == 2
    first, second = sorted(world.messages(), key=lambda each: each.content["status"] == "REFUSED")
    assert first.content["status"] == "SUCCEEDED"
    check_refused(second, second.content["app"], first.content["app"])
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    assert len(world.instance.snapshots()) == 1


def test_two_apps_that_request_one_service_at_once_have_one_winner(
    world: World, stepper: Stepper
) -> None:
    """The other app's Admit runs between the last read and the write of this one."""
    world.put_spec(spec(), app=COPY)
    ours, theirs = stepper.start({"app": APP}, "ours"), stepper.start({"app": COPY}, "theirs")

    def be_faster(call: str) -> None:
        if call == "dynamodb.TransactWriteItems":
            world.cloud.faults.watch_no_more()
            theirs.run_to("TakeSnapshot")

    world.cloud.faults.watch(be_faster)
    ours.run()

    check_refused(world.message(), APP, COPY)
    assert world.lock.holder is None
    assert theirs.run().error is None
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "request_",
    [{}, {"rollbackTo": 1, "allowDestructive": True}, COMMAND, {"skipSnapshot": True}],
    ids=["image", "rollback", "command", "without snapshot"],
)
def test_a_release_by_hand_of_a_second_app_is_refused(world: World, request_: Json) -> None:
    release(world, APP, "one")
    world.put_spec(spec(), app=COPY)

    check_refused(release(world, COPY, "two", **request_), COPY, APP)
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}


def test_a_second_app_is_refused_while_a_release_of_the_first_one_is_in_progress(
    world: World, stepper: Stepper
) -> None:
    world.put_spec(spec(), app=COPY)
    walk = stepper.start({"app": APP}, "ours").run_to("Deploy")

    stepper.start({"app": COPY}, "theirs").run()

    check_refused(world.message(), COPY, APP)
    assert walk.run().error is None
    assert world.message().content["status"] == "SUCCEEDED"


def test_the_app_that_has_the_service_goes_on_and_its_message_names_the_other_one(
    world: World,
) -> None:
    release(world, APP, "one")
    world.put_spec(spec(), app=COPY)

    content = release(world, APP, "two").content

    assert content["status"] == "SUCCEEDED"
    [warning] = content["warnings"]
    assert COPY in warning
    assert "refused" in warning


def test_an_image_that_was_refused_for_a_second_app_is_no_missed_push(world: World) -> None:
    release(world, APP, "one")
    world.put_spec(spec(), app=COPY)
    receive(world, push_of(world))
    world.messages()
    world.clock.sleep(1000)

    world.functions.call("reconcile", {})

    assert world.messages() == []
    assert len(executions(world)) == 3


# An app that is renamed, or that moves.


def test_a_renamed_app_takes_the_service_over_once_the_old_spec_is_gone(world: World) -> None:
    release(world, APP, "one")
    world.put_spec(spec(), app=COPY)
    delete_spec(world, APP)

    assert release(world, COPY, "two").content["status"] == "SUCCEEDED"
    world.put_spec(spec())
    check_refused(release(world, APP, "three"), APP, COPY)


def test_a_renamed_app_waits_for_the_release_of_the_old_one(world: World, stepper: Stepper) -> None:
    walk = stepper.start({"app": APP}, "one").run_to("CheckDeployment")
    world.put_spec(spec(), app=COPY)
    delete_spec(world, APP)

    stepper.start({"app": COPY}, "two").run()

    told = refusal(world.message())
    assert (
        f"release {walk.data['admission']['release']['id']} of the app {APP} is in progress" in told
    )
    assert f"release {COPY} again" in told
    assert world.lightsail.deployments(APP) == {1: "ACTIVE", 2: "ACTIVATING"}
    walk.run()
    world.messages()
    stepper.start({"app": COPY}, "three").run()
    assert world.message().content["status"] == "SUCCEEDED"


def test_a_release_of_the_old_app_that_was_stopped_does_not_block_the_renamed_one(
    world: World, stepper: Stepper
) -> None:
    """Nobody has noticed its end. A function of it may still run, so the new one waits."""
    world.put_spec(spec(database=None))
    stepper.start({"app": APP}, "one").run_to("Deploy").stop()
    world.put_spec(spec(database=None), app=COPY)
    delete_spec(world, APP)
    before = world.clock.now()

    walk = stepper.start({"app": COPY}, "two").run_to("Deploy")

    assert world.clock.now() - before >= LONGEST_STEP
    assert walk.data["admission"]["status"] == "PROCEED"
    assert world.lock.holder is None
    walk.run()
    assert {each.content["app"]: each.content["status"] for each in world.messages()} == {
        APP: "FAILED",
        COPY: "SUCCEEDED",
    }


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "text",
    ["{", json.dumps(spec(containers={})), json.dumps(spec(serviceName="Not A Name"))],
    ids=["no JSON", "no containers", "no service"],
)
def test_an_app_whose_spec_cannot_be_read_keeps_its_service(world: World, text: str) -> None:
    release(world, APP, "one")
    world.put_spec(spec(), app=COPY)
    world.put_spec(text)

    message = release(world, COPY, "two")

    check_refused(message, COPY, APP)
    assert f"The spec of {APP} cannot be read" in refusal(message)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("code", ["AccessDeniedException", "InternalServerError"])
def test_an_app_whose_spec_is_not_shown_keeps_its_service(world: World, code: str) -> None:
    """Admit reads its own spec, and then that of the owner."""
    release(world, APP, "one")
    world.put_spec(spec(), app=COPY)
    reads: list[str] = []

    def deny(call: str) -> None:
        if call == "ssm.GetParameter" and world.functions.running == "admit":
            reads.append(call)
            if len(reads) % 2 == 0:
                world.cloud.faults.refuse(call, code)

    world.cloud.faults.watch(deny)
    world.machine.run({"app": COPY}, "two")

    content = world.message().content
    assert content["status"] == "FAILED"
    assert code in " ".join(content["reasons"])
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}


def moved(world: World) -> None:
    """The app deploys to another service from now on, and a second one to its old one."""
    world.lightsail.add(ELSEWHERE)
    world.put_spec(spec(serviceName=ELSEWHERE))
    world.put_spec(spec(), app=COPY)


def test_the_service_of_an_app_that_moved_is_free(world: World) -> None:
    release(world, APP, "one")
    moved(world)

    assert release(world, COPY, "two").content["status"] == "SUCCEEDED"
    assert release(world, APP, "three").content["status"] == "SUCCEEDED"
    assert owners(world) == {APP: COPY, ELSEWHERE: APP}


def test_a_service_is_not_free_while_the_app_that_moved_still_releases_there(
    world: World, stepper: Stepper
) -> None:
    walk = stepper.start({"app": APP}, "one").run_to("CheckDeployment")
    moved(world)

    stepper.start({"app": COPY}, "two").run()

    assert "is in progress" in refusal(world.message())
    walk.run()
    world.messages()
    # Now it releases elsewhere.
    stepper.start({"app": APP}, "three").run_to("Deploy")
    stepper.start({"app": COPY}, "four").run()
    assert world.message().content["status"] == "SUCCEEDED"


def test_two_apps_can_swap_their_services(world: World) -> None:
    world.lightsail.add(ELSEWHERE)
    world.put_spec(spec(serviceName=ELSEWHERE), app=COPY)
    release(world, APP, "one")
    release(world, COPY, "two")

    world.put_spec(spec(serviceName=ELSEWHERE))
    check_refused(release(world, APP, "three"), APP, COPY, ELSEWHERE)
    world.put_spec(spec(), app=COPY)

    assert release(world, APP, "four").content["status"] == "SUCCEEDED"
    assert release(world, COPY, "five").content["status"] == "SUCCEEDED"
    assert owners(world) == {APP: COPY, ELSEWHERE: APP}


def test_an_app_that_gets_the_lock_meanwhile_keeps_its_service(
    world: World, stepper: Stepper
) -> None:
    """It has read its spec before that was deleted."""
    stepper.start({"app": APP}, "one").run()
    world.messages()
    ours = stepper.start({"app": APP}, "two")
    world.put_spec(spec(), app=COPY)

    def be_faster(call: str) -> None:
        if call == "dynamodb.TransactWriteItems":
            world.cloud.faults.watch_no_more()
            delete_spec(world, APP)
            stepper.start({"app": COPY}, "three").run_to("TakeSnapshot")

    world.cloud.faults.watch(be_faster)
    ours.run()

    check_refused(world.message(), APP, COPY)
    assert world.lock.holder is None
    assert isinstance(world.turn_of(COPY).holder, LockHolder)


def test_a_service_is_not_taken_over_if_the_old_app_gets_the_lock_in_that_moment(
    world: World, stepper: Stepper
) -> None:
    stepper.start({"app": APP}, "one").run()
    world.messages()
    walks: list[Walk] = [stepper.start({"app": APP}, "two")]
    walks[0].run_to("Admit")
    world.put_spec(spec(), app=COPY)
    old, new = spec(), stepper.start({"app": COPY}, "three")
    delete_spec(world, APP)

    def be_faster(call: str) -> None:
        if call == "dynamodb.TransactWriteItems":
            world.cloud.faults.watch_no_more()
            world.put_spec(old)
            walks[0].run_to("TakeSnapshot")
            delete_spec(world, APP)

    world.cloud.faults.watch(be_faster)
    new.run()

    assert "is in progress" in refusal(world.message())
    assert world.lock.holder is not None
    assert world.turn_of(COPY).holder is None


# A table without items of services.


def test_in_a_table_without_such_items_a_service_belongs_to_the_app_of_its_newest_deployment(
    world: World,
) -> None:
    release(world, APP, "one")
    forget_services(world)
    world.put_spec(spec(), app=COPY)

    check_refused(release(world, COPY, "two"), COPY, APP)
    assert release(world, APP, "three").content["status"] == "SUCCEEDED"


def test_in_a_table_without_such_items_a_release_in_progress_keeps_its_service(
    world: World, stepper: Stepper
) -> None:
    stepper.start({"app": APP}, "one").run_to("Deploy")
    forget_services(world)
    world.put_spec(spec(), app=COPY)
    delete_spec(world, APP)

    stepper.start({"app": COPY}, "two").run()

    assert "is in progress" in refusal(world.message())


def test_an_unknown_owner_is_not_no_owner(world: World) -> None:
    release(world, APP, "one")
    forget_services(world)
    # With a secret the release would be refused before, because its owner is unknown as well.
    world.put_spec(spec(secrets=None), app=COPY)
    world.cloud.faults.refuse("ssm.DescribeParameters", "AccessDeniedException", times=99)

    world.machine.run({"app": COPY}, "two")

    assert world.message().content["status"] == "FAILED"
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    world.cloud.faults.forgive("ssm.DescribeParameters")
    assert release(world, APP, "three").content["status"] == "SUCCEEDED"


def test_a_service_without_a_known_app_is_free(world: World) -> None:
    marked = {RELEASE_VARIABLE: "20261115t110000z-00112233-aabb", STACK_VARIABLE: STACK}
    world.lightsail.deploy_by_somebody(APP, environment=marked)

    assert release(world, APP, "one").content["status"] == "SUCCEEDED"


# The lock of the app itself, and those that clean up.


@pytest.mark.representatives(1)
@pytest.mark.parametrize("by", ["clean_up", "reconcile"])
def test_cleaning_up_after_one_app_leaves_the_release_of_the_app_that_has_the_service_now(
    world: World, stepper: Stepper, by: str
) -> None:
    old = stepper.start({"app": APP}, "one").run_to("TakeSnapshot")
    old.stop()
    world.put_spec(spec(), app=COPY)
    delete_spec(world, APP)
    new = stepper.start({"app": COPY}, "two").run_to("CheckDeployment")
    world.messages()

    if by == "clean_up":
        stepper.clean_up(old)
    else:
        world.functions.call("reconcile", {})

    assert new.run().error is None
    assert world.message().content["app"] == COPY
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}


def test_each_step_may_run_twice(world: World) -> None:
    world.functions.twice = True
    world.put_spec(spec(), app=COPY)

    assert release(world, APP, "one").content["status"] == "SUCCEEDED"
    check_refused(release(world, COPY, "two"), COPY, APP)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("fault", ["before", "after"])
def test_an_answer_that_is_lost_gives_the_service_once(world: World, fault: str) -> None:
    world.functions.fail("admit", fault)
    world.put_spec(spec(), app=COPY)

    assert release(world, APP, "one").content["status"] == "SUCCEEDED"
    assert owners(world) == {APP: APP}


def test_an_app_whose_release_failed_keeps_its_service(world: World) -> None:
    world.lightsail.courses.append(Course(ends="FAILED"))
    release(world, APP, "one")
    world.put_spec(spec(), app=COPY)

    check_refused(release(world, COPY, "two"), COPY, APP)


def test_a_service_is_shared_with_no_other_app_whatever_else_its_spec_says(world: World) -> None:
    release(world, APP, "one")
    images.create_repository(world.cloud, "elsewhere")
    digest = images.push(world.cloud, "elsewhere", "v9", name="v9")
    world.put_spec(spec(stage="staging", repository="elsewhere", database=None), app=COPY)

    check_refused(release(world, COPY, "two", digest=digest), COPY, APP)
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
