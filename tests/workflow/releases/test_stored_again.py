"""A spec that is deleted and stored again counts from 1: its text is what is compared."""

import json
from collections.abc import Callable

import pytest

from lightgate.aws.dynamodb import as_values
from lightgate.names import RELEASE_VARIABLE
from tests.component import table
from tests.component.lightsail_service import Course
from tests.workflow.releases.test_by_hand import BACK
from tests.workflow.reporting_gates import released
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, PASSWORD, SPEC, STACK, Json, World, spec, succeeded

NAME = f"/{STACK}/apps/{APP}"
OTHER_URL = "postgres://other:of-another-app@db/other"


def delete(world: World) -> None:
    world.cloud.client("ssm").delete_parameter(Name=NAME)


def store_again(world: World, document: Json) -> None:
    delete(world)
    world.put_spec(document)


def ungated() -> Json:
    """Without the gate, and without the database."""
    document = spec(database=None)
    del document["containers"]["migrate"], document["containers"]["web"]["dependsOn"]
    return document


def elsewhere() -> Json:
    return spec(serviceName="somebody-elses")


def other_database() -> Json:
    return spec(secrets={**SPEC["secrets"], "DATABASE_URL": "secretsmanager:other/db:url"})


@pytest.fixture(autouse=True)
def other_secret(world: World) -> None:
    world.cloud.client("secretsmanager").create_secret(
        Name="other/db",
        SecretString=json.dumps({"url": OTHER_URL}),
        Tags=[{"Key": "lightgate:app", "Value": APP}],
    )


def urls(world: World) -> set[str | None]:
    """Every DATABASE_URL that was ever deployed."""
    shown = world.lightsail.services[APP].service.deployments
    return {c.environment.get("DATABASE_URL") for one in shown for c in one.containers.values()}


AGAIN = f"app: the spec of {APP} was deleted and stored again: version 1 of"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda world: store_again(world, ungated()), AGAIN),
        (lambda world: store_again(world, elsewhere()), AGAIN),
        (delete, "does not exist"),
    ],
    ids=["ungated", "elsewhere", "deleted"],
)
def test_nothing_is_deployed_by_a_spec_that_is_another_one_since_the_release_began(
    world: World, change: Callable[[World], None], words: str
) -> None:
    world.lightsail.add("somebody-elses")
    world.functions.before("deploy", lambda: change(world))

    ended = world.release()

    assert ended.error == "REFUSED"
    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}
    assert world.lightsail.deployments("somebody-elses") == {}
    assert words in world.message().content["reasons"][0]


def test_a_spec_that_was_stored_anew_has_no_such_version_any_more(world: World) -> None:
    world.put_spec(SPEC)
    world.functions.before("deploy", lambda: store_again(world, ungated()))

    assert world.release().error == "REFUSED"
    reason, advice = world.message().content["reasons"]
    assert reason.startswith(f"app: version 2 of the spec of {APP} does not exist any more")
    assert advice == "Start the release again; it then uses the spec as it is now."


def test_a_spec_that_is_stored_again_with_the_same_text_is_the_same(world: World) -> None:
    world.functions.before("deploy", lambda: store_again(world, SPEC))

    assert world.release(course=succeeded()).status == "SUCCEEDED"


@pytest.mark.representatives(1)
@pytest.mark.parametrize("moment", ["check_deployment", "verify_release"])
@pytest.mark.parametrize("document", [ungated(), elsewhere()], ids=["ungated", "elsewhere"])
def test_a_version_is_not_verified_by_a_spec_that_it_does_not_have(
    world: World, document: Json, moment: str
) -> None:
    world.functions.before(moment, lambda: store_again(world, document))

    ended = world.release(course=succeeded())

    assert ended.error == "FAILED"
    assert world.lightsail.serving(APP) == 2
    reasons = world.message().content["reasons"]
    assert reasons[0].startswith("Version 2 is live, but its health is unknown.")
    assert "was deleted and stored again" in reasons[0]


def test_a_deployment_is_followed_although_its_spec_was_stored_anew_and_its_answer_lost(
    world: World,
) -> None:
    world.functions.fail("deploy", "after")
    world.functions.before("deploy", lambda: store_again(world, ungated()), call=2)

    ended = world.release(course=succeeded())

    assert ended.error == "FAILED"
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
    assert world.message().content["version"] == 2


def fail(world: World) -> str | None:
    """The second release, version 3, which answers badly."""
    world.site.bad = {3: "Internal Server Error"}
    return world.release(course=released()).error


def test_an_old_version_gets_no_secrets_of_another_spec_when_it_is_rolled_back_to(
    good: World,
) -> None:
    good.functions.before("roll_back", lambda: store_again(good, other_database()))

    assert fail(good) == "FAILED"
    assert good.lightsail.serving(APP) == 3
    assert OTHER_URL not in urls(good)
    content = good.message().content
    assert "Version 2 cannot be deployed again automatically" in " ".join(content["reasons"])
    assert "was deleted and stored again" in " ".join(content["reasons"])
    assert f'{{"app": "{APP}", "digest": "{good.digest}"}}' in " ".join(content["nextSteps"])


def test_the_image_of_an_old_version_can_be_released_if_the_number_of_its_spec_is_gone(
    world: World,
) -> None:
    world.put_spec(SPEC)
    world.release(course=released())
    world.messages()
    world.functions.before("roll_back", lambda: store_again(world, other_database()))

    assert fail(world) == "FAILED"
    assert world.lightsail.serving(APP) == 3
    content = world.message().content
    assert "Version 2 cannot be deployed again automatically" in " ".join(content["reasons"])
    assert f'{{"app": "{APP}", "digest": "{world.digest}"}}' in " ".join(content["nextSteps"])


def test_a_rollback_whose_spec_is_stored_anew_meanwhile_is_not_called_good(good: World) -> None:
    good.functions.before("roll_back", lambda: store_again(good, other_database()), call=2)

    assert fail(good) == "FAILED"
    assert good.lightsail.deployments(APP)[4] == "ACTIVATING"
    assert "could not be checked" in " ".join(good.message().content["reasons"])


@pytest.mark.slow
def test_a_rollback_by_hand_is_refused_if_the_spec_of_then_is_gone(two: World) -> None:
    store_again(two, other_database())

    assert two.release(rollbackTo=2).error == "REFUSED"
    assert OTHER_URL not in urls(two)
    reasons = two.message().content["reasons"]
    assert reasons[0].startswith("rollbackTo: the spec with which version 2 was deployed")
    assert "was deleted and stored again" in reasons[1]


def test_a_rollback_by_hand_deploys_nothing_by_a_spec_that_was_stored_anew_meanwhile(
    two: World,
) -> None:
    two.functions.before("deploy", lambda: store_again(two, other_database()))

    assert two.release(rollbackTo=2).error == "REFUSED"
    assert two.lightsail.serving(APP) == 3


@pytest.mark.representatives(1)
@pytest.mark.parametrize("before", ["admit", "deploy"])
def test_a_command_runs_beside_no_app_that_is_made_of_another_spec(two: World, before: str) -> None:
    two.functions.before(before, lambda: store_again(two, other_database()))

    assert two.release(digest=two.digest, command=BACK).error == "REFUSED"
    assert two.lightsail.serving(APP) == 3
    assert OTHER_URL not in urls(two)


def forget_digests(world: World) -> None:
    """Let all records be as older versions of Lightgate wrote them."""
    for item in world.items():
        if "outcome" in item:
            outcome = as_values(item)["outcome"]
            for version in outcome.get("versions", ()):
                version.pop("specDigest", None)
            item["outcome"] = {"S": json.dumps(outcome)}
            world.cloud.client("dynamodb").put_item(TableName=table.NAME, Item=item)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("change", [lambda _: None, lambda w: store_again(w, other_database())])
def test_a_version_whose_spec_is_unknown_is_rolled_back_to_with_the_secrets_that_it_had(
    good: World, change: Callable[[World], None], by_hand: bool
) -> None:
    if by_hand:
        good.release(course=released())
    forget_digests(good)
    change(good)

    ended = good.release(rollbackTo=2).status if by_hand else fail(good)

    assert ended == ("SUCCEEDED" if by_hand else "ROLLED_BACK")
    assert good.lightsail.serving(APP) == 4
    again = good.lightsail.deployment(APP, 4).containers["web"]
    assert again.environment["DATABASE_URL"] == f"postgres://crops:{PASSWORD}@db/c"


def test_a_rollback_by_hand_to_a_version_without_lightgate_keeps_its_secrets(world: World) -> None:
    environment = {"DATABASE_URL": "postgres://of-the-time-before"}
    world.lightsail.deploy_by_somebody(APP, environment=environment)
    world.release(course=released())
    assert world.lightsail.serving(APP) == 3

    assert world.release(rollbackTo=2, allowDestructive=True).status == "SUCCEEDED"
    again = world.lightsail.deployment(APP, 4).containers["web"]
    assert again.environment["DATABASE_URL"] == "postgres://of-the-time-before"


def test_a_command_runs_beside_no_version_whose_spec_is_unknown(two: World) -> None:
    """Its gates cannot be made anew, and there is no room for the command beside those."""
    forget_digests(two)
    store_again(two, other_database())

    assert two.release(digest=two.digest, command=BACK).error == "REFUSED"
    assert two.lightsail.serving(APP) == 3
    assert OTHER_URL not in urls(two)


def test_a_release_that_an_older_version_has_admitted_deploys_nothing(
    world: World, stepper: Stepper
) -> None:
    walk = stepper.start({"app": APP}, "older").run_to("Deploy")
    del walk.data["admission"]["release"]["specDigest"]

    walk.run()

    assert walk.error == "REFUSED"
    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}
    assert "Start the release again" in world.message().content["reasons"][0]


def test_a_release_names_the_text_of_its_spec(world: World) -> None:
    world.release(course=Course(ends="ACTIVE"))

    [version] = world.record()["versions"]
    assert len(version["specDigest"]) == 64
    assert world.lightsail.deployment(APP, 2).containers["web"].environment[RELEASE_VARIABLE]
