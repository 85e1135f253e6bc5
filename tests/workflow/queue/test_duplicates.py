"""Which pushes ask for what is live or in progress anyway: image, spec and secrets are the same.

The slow matrix adds the other changes, and the other steps between two pushes.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.component import images
from tests.workflow import pushes
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, World, spec

SAME = "this image with the same spec and secrets"


def request(digest: str, tag: str, *, after: float) -> dict[str, str]:
    """The input for a push in so many seconds, by the clock that also dates specs and secrets."""
    return pushes.request(digest, tag, after=after, since=datetime.now(UTC))


def push(world: World, tag: str, *, after: float, name: str | None = None) -> dict[str, str]:
    return request(images.push(world.cloud, APP, tag, name=name or tag), tag, after=after)


def push_again(world: World, after: float, *, tag: str = "latest") -> str | None:
    """Let the first image be pushed; the status of the release."""
    known = set(world.records())
    world.machine.run(request(world.digest, tag, after=after), f"push-{tag}-{after}")
    new = [record for key, record in world.records().items() if key not in known]
    return new[0]["status"] if new else None


def live(world: World) -> dict[str, str]:
    version = world.lightsail.serving(APP)
    assert version is not None
    return dict(world.lightsail.deployment(APP, version).containers["web"].environment)


def change_spec(world: World) -> None:
    world.put_spec(spec(environment={"DJANGO_SETTINGS_MODULE": "crops.other"}))


def change_secret(world: World) -> None:
    world.cloud.client("secretsmanager").put_secret_value(
        SecretId="crops/db", SecretString=json.dumps({"url": "postgres://other"})
    )


def change_parameter(world: World) -> None:
    world.put_key("another")


def store_parameter_anew(world: World) -> None:
    """It has version 1 once more."""
    world.cloud.client("ssm").delete_parameter(Name="/crops/key")
    world.cloud.client("ssm").put_parameter(
        Name="/crops/key",
        Value="another",
        Type="SecureString",
        Tags=[{"Key": "lightgate:app", "Value": APP}],
    )


def store_spec_anew(world: World) -> None:
    world.cloud.client("ssm").delete_parameter(Name=f"/lightgate/apps/{APP}")
    change_spec(world)


CHANGES: dict[str, tuple[Callable[[World], None], str, str]] = {
    "spec": (change_spec, "DJANGO_SETTINGS_MODULE", "crops.other"),
    "secret": (change_secret, "DATABASE_URL", "postgres://other"),
    "parameter": (change_parameter, "SECRET_KEY", "another"),
    "spec stored anew": (store_spec_anew, "DJANGO_SETTINGS_MODULE", "crops.other"),
    "parameter stored anew": (store_parameter_anew, "SECRET_KEY", "another"),
}


@pytest.mark.representatives(1)
@pytest.mark.parametrize(("change", "variable", "value"), CHANGES.values(), ids=CHANGES)
def test_a_push_after_a_change_deploys_the_new_values(
    world: World, change: Callable[[World], None], variable: str, value: str
) -> None:
    assert push_again(world, 0) == "SUCCEEDED"
    change(world)

    assert push_again(world, 9) == "SUCCEEDED"
    assert live(world)[variable] == value
    assert len(world.messages()) == 2


@pytest.mark.representatives(1)
@pytest.mark.parametrize("tag", ["latest", "v14"])
def test_a_push_without_a_change_deploys_nothing_and_the_log_says_why(
    world: World, tag: str
) -> None:
    push_again(world, 0)
    world.messages()
    if tag != "latest":
        images.push(world.cloud, APP, tag)

    assert push_again(world, 9, tag=tag) == "DUPLICATE"
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    assert world.messages() == []
    [line] = [json.loads(line) for line in world.functions.log.splitlines() if SAME in line]
    assert line["status"] == "DUPLICATE"
    assert line["why"] == f"A release of {SAME} is live already."


@pytest.mark.representatives(1)
@pytest.mark.parametrize(("change", "variable", "value"), CHANGES.values(), ids=CHANGES)
def test_a_push_after_a_change_comes_after_the_release_in_progress(
    world: World,
    stepper: Stepper,
    change: Callable[[World], None],
    variable: str,
    value: str,
) -> None:
    one = stepper.start(request(world.digest, "latest", after=0), "one").run_to("Deploy")
    one.step()
    change(world)
    two = stepper.start(request(world.digest, "latest", after=9), "two").run()
    assert two.passed[-1] == "NothingToDo"

    one.run()
    stepper.run_all()

    # A release whose spec is gone cannot be verified any more.
    first = "FAILED" if change is store_spec_anew else "SUCCEEDED"
    assert sorted(world.statuses()) == sorted([first, "QUEUED", "SUCCEEDED"])
    assert live(world)[variable] == value


@pytest.mark.representatives(1)
@pytest.mark.parametrize("state", ["TakeSnapshot", "Deploy", "CheckDeployment", "RecordOutcome"])
def test_two_tags_of_one_push_are_one_release(world: World, stepper: Stepper, state: str) -> None:
    images.push(world.cloud, APP, "v14")
    one = stepper.start(request(world.digest, "latest", after=0), "one").run_to(state)

    stepper.start(request(world.digest, "v14", after=2), "two").run()
    one.run()
    stepper.run_all()

    assert sorted(world.statuses()) == ["DUPLICATE", "SUCCEEDED"]
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}


@pytest.mark.slow
def test_two_tags_of_one_push_that_wait_are_one_release(world: World, stepper: Stepper) -> None:
    one = stepper.start(request(world.digest, "latest", after=0), "one").run_to("WaitForDeployment")
    push(world, "v14", after=2)
    waits = push(world, "v15", after=2, name="v14")
    stepper.start({**waits, "pushedTag": "v14"}, "two").run()
    stepper.start(waits, "three").run()

    one.run()
    stepper.run_all()

    assert sorted(world.statuses()) == ["DUPLICATE", "QUEUED", "SUCCEEDED", "SUCCEEDED"]


UNKNOWN = {
    "missing secret": ("secretsmanager.DescribeSecret", "ResourceNotFoundException"),
}


@pytest.mark.representatives(1)
@pytest.mark.parametrize(("call", "code"), UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("which", [0, 9])
def test_a_push_whose_secrets_may_have_changed_is_released(
    world: World, call: str, code: str, which: float
) -> None:
    for after in (0, 9):
        if after == which:
            world.cloud.faults.refuse(call, code)
        assert push_again(world, after) == "SUCCEEDED"


def test_a_parameter_that_is_not_listed_makes_a_push_no_duplicate(world: World) -> None:
    def leave_out_the_key(answer: dict[str, list[dict[str, str]]]) -> None:
        answer["Parameters"] = [one for one in answer["Parameters"] if one["Name"] != "/crops/key"]

    push_again(world, 0)
    world.cloud.faults.change_answers("ssm.DescribeParameters", leave_out_the_key)

    assert push_again(world, 9) == "SUCCEEDED"


def test_admit_reads_no_value_of_a_secret(world: World) -> None:
    calls: list[tuple[str | None, str]] = []
    world.cloud.faults.watch(lambda call: calls.append((world.functions.running, call)))

    push_again(world, 0)

    values = {"secretsmanager.GetSecretValue"}
    assert {step for step, call in calls if call in values} == {"deploy"}
    assert ("admit", "secretsmanager.DescribeSecret") in calls


def test_the_stage_of_a_secret_that_a_spec_names_is_the_one_that_counts(world: World) -> None:
    previous = spec()
    previous["secrets"]["DATABASE_URL"] = "secretsmanager:crops/db:url:AWSPREVIOUS"
    change_secret(world)
    world.put_spec(previous)
    assert push_again(world, 0) == "SUCCEEDED"
    assert push_again(world, 5) == "DUPLICATE"

    change_secret(world)

    assert push_again(world, 9) == "SUCCEEDED"


@pytest.mark.slow
def test_a_release_on_record_without_its_spec_and_secrets_is_equal_to_nothing(
    world: World,
) -> None:
    """An earlier version of Lightgate has recorded it."""
    push_again(world, 0)
    for item in world.items():
        if item.pop("fingerprint", None):
            world.table.client.put_item(TableName=world.table.name, Item=item)

    assert push_again(world, 9) == "SUCCEEDED"


@pytest.mark.representatives(1)
@pytest.mark.parametrize("secret", ["known", "unknown"])
@pytest.mark.parametrize("state", ["TakeSnapshot", None])
def test_a_release_that_is_admitted_again_is_equal_to_what_it_then_deploys(
    world: World, stepper: Stepper, state: str | None, secret: str
) -> None:
    """Its first answer is lost, and the spec has changed at its second attempt."""
    one = stepper.start(request(world.digest, "latest", after=0), "one").run_to("Admit")
    world.functions.call("admit", {"state": one.data})
    change_spec(world)
    if secret == "unknown":
        world.cloud.faults.refuse(*UNKNOWN["missing secret"])
    one.run_to(state) if state else one.run()
    world.put_spec(spec())

    stepper.start(request(world.digest, "latest", after=9), "two").run()
    if state:
        one.run()
    stepper.run_all()

    assert "DUPLICATE" not in world.statuses()
    assert live(world)["DJANGO_SETTINGS_MODULE"] == "crops.settings"


# One image under several digests.


def index(world: World, tag: str) -> str:
    """Push an index around the first image, which is another one for each tag."""
    # The engine drops an image that loses its only tag.
    images.push(world.cloud, APP, f"keeps-it-for-{tag}")
    return images.push_index(world.cloud, APP, tag, {"amd64": world.digest}, name=tag)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("state", ["TakeSnapshot", "WaitForDeployment", None])
def test_one_image_in_two_indexes_is_one_release(
    world: World, stepper: Stepper, state: str | None
) -> None:
    latest, v14 = index(world, "latest"), index(world, "v14")
    one = stepper.start(request(latest, "latest", after=0), "one")
    one.run_to(state) if state else one.run()

    stepper.start(request(v14, "v14", after=2), "two").run()
    one.run()
    stepper.run_all()

    assert sorted(world.statuses()) == ["DUPLICATE", "SUCCEEDED"]
    assert len(world.instance.snapshots()) == 1
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}


def test_an_index_around_the_image_that_is_live_is_a_duplicate(world: World) -> None:
    push_again(world, 0)

    world.machine.run(request(index(world, "v14"), "v14", after=2), "two")

    assert sorted(world.statuses()) == ["DUPLICATE", "SUCCEEDED"]


def test_the_message_names_the_image_that_runs_and_the_index_that_was_pushed(
    world: World,
) -> None:
    pushed = index(world, "latest")

    world.release(request(pushed, "latest", after=0))

    content = world.message().content
    assert (content["digest"], content["runningDigest"]) == (pushed, world.digest)
    assert f"Image      {APP}@{world.digest}, pushed in the index {pushed}" in content["text"]
    for key in ("digest", "runningDigest"):
        world.release(digest=content[key])
        assert world.message().content["status"] == "SUCCEEDED"


def test_a_single_image_has_no_index_in_its_message(world: World) -> None:
    push_again(world, 0)

    content = world.message().content
    assert content["digest"] == world.digest
    assert "runningDigest" not in content
    assert "index" not in content["text"]


def test_a_tag_that_moved_on_to_another_index_of_the_image_has_not_moved(world: World) -> None:
    first = index(world, "latest")
    images.push_index(world.cloud, APP, "keeps-it", {"amd64": world.digest}, name="latest")
    images.push_index(world.cloud, APP, "latest", {"amd64": world.digest}, name="another")

    world.machine.run(request(first, "latest", after=0), "one")

    assert world.statuses() == ["SUCCEEDED"]


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_a_tag_that_moved_on_to_an_index_of_another_image_has_moved(
    world: World, architecture: str
) -> None:
    images.push(world.cloud, APP, "keeps-the-first")
    other = images.push(world.cloud, APP, None, name="other", architecture=architecture)
    images.push_index(world.cloud, APP, "latest", {architecture: other})

    world.machine.run(request(world.digest, "latest", after=0), "one")

    assert world.statuses() == ["SUPERSEDED"]


@pytest.mark.slow
def test_a_release_of_an_index_that_waits_begins_with_the_same_image(
    world: World, stepper: Stepper
) -> None:
    one = stepper.start(push(world, "v1.1", after=0), "one").run_to("WaitForDeployment")
    pushed = index(world, "v14")
    stepper.start(request(pushed, "v14", after=2), "two").run()

    one.run()
    stepper.run_all()

    last = world.messages()[-1].content
    assert (last["status"], last["digest"], last["runningDigest"]) == (
        "SUCCEEDED",
        pushed,
        world.digest,
    )


def test_a_repeated_admit_keeps_the_index_that_was_pushed(world: World, stepper: Stepper) -> None:
    pushed = index(world, "latest")
    walk = stepper.start({"app": APP, "tag": "latest"}, "one").run_to("Admit")
    world.functions.twice = True

    walk.run()

    content = world.message().content
    assert (content["digest"], content["runningDigest"]) == (pushed, world.digest)


def test_the_image_of_an_index_is_deployed_under_one_tag_whichever_index_was_pushed(
    world: World,
) -> None:
    for number, tag in enumerate(("latest", "v14")):
        index(world, tag)
        world.machine.run({"app": APP, "tag": tag}, f"by-hand-{number}")

    [pin] = [tag for image in world.images() for tag in image.tags if "lightgate" in tag]
    assert pin == f"lightgate-{world.digest.removeprefix('sha256:')[:12]}"
