"""A container service that is deleted and created again counts its versions from 1 once more.

The slow matrix adds the other steps that find another service.
"""

import dataclasses

import pytest

from tests.component.lightsail_service import Course
from tests.workflow.reporting_gates import released
from tests.workflow.world import APP, World, succeeded


def make_anew(world: World, *, versions: int, exactly_then: bool = False) -> None:
    """Delete the service and create it again; somebody else deploys to it.

    `exactly_then`: the time of its creation does not tell it from the one before.
    """
    before = world.lightsail.services[APP].service.created_at
    world.lightsail.remove(APP)
    world.lightsail.add(APP)
    if exactly_then:
        runner = world.lightsail.services[APP]
        runner.change(lambda service: dataclasses.replace(service, created_at=before))
    for _ in range(versions):
        world.lightsail.deploy_by_somebody(APP)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("exactly_then", [False, True])
@pytest.mark.parametrize("moment", ["check_deployment", "verify_release", "record_outcome"])
def test_a_foreign_deployment_with_the_same_number_is_no_success(
    world: World, moment: str, *, exactly_then: bool
) -> None:
    world.functions.before(moment, lambda: make_anew(world, versions=2, exactly_then=exactly_then))

    ended = world.release(course=succeeded())

    assert world.lightsail.serving(APP) == 2
    assert ended.error == "FAILED"


@pytest.mark.representatives(1)
@pytest.mark.parametrize("moment", ["check_deployment", "verify_release", "record_outcome"])
def test_a_service_that_was_made_anew_is_named(world: World, moment: str) -> None:
    world.functions.before(moment, lambda: make_anew(world, versions=2))

    world.release(course=succeeded())

    content = world.message().content
    assert f"the container service {APP} was deleted and created again" in content["reasons"][0]
    assert (
        "Deployment 2 of this release was deleted with the container service."
        in content["reasons"][1]
    )
    assert "Find out who deleted the container service" in " ".join(content["nextSteps"])


def test_a_service_that_was_made_anew_during_the_release_gets_no_deployment(world: World) -> None:
    def later() -> None:
        world.clock.sleep(60)
        make_anew(world, versions=1)

    world.functions.before("deploy", later)

    ended = world.release()

    assert ended.error == "REFUSED"
    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}
    assert "was deleted and created again" in world.message().content["reasons"][0]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("moment", ["check_deployment", "verify_release", "record_outcome"])
def test_a_foreign_version_with_the_same_number_is_no_rollback(world: World, moment: str) -> None:
    """The migration fails, and version 1 of the new service is not what served before."""
    failed = Course(ends="FAILED", log=[(10, "migrate", {"event": "failed", "cause": "exit"})])
    world.functions.before(moment, lambda: make_anew(world, versions=1))

    ended = world.release(course=failed)

    assert ended.error == "FAILED"
    assert "was deleted and created again" in world.message().content["reasons"][0]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("exactly_then", [False, True])
@pytest.mark.parametrize(("call", "versions"), [(1, 3), (2, 4), (3, 4)])
def test_a_foreign_version_is_never_rolled_back_or_called_the_previous_one(
    world: World, call: int, versions: int, *, exactly_then: bool
) -> None:
    world.release(course=released())
    world.messages()
    world.site.bad = {3: "Internal Server Error"}
    world.lightsail.courses.append(released())

    world.functions.before(
        "roll_back",
        lambda: make_anew(world, versions=versions, exactly_then=exactly_then),
        call=call,
    )

    ended = world.release()

    assert ended.error == "FAILED"
    assert len(world.lightsail.deployments(APP)) == versions
    assert "is live again" not in world.message().text


def test_a_service_that_was_made_anew_has_no_version_to_roll_back_to_on_record(
    world: World,
) -> None:
    for _ in range(2):
        world.release(course=released())
    make_anew(world, versions=3)
    world.messages()

    ended = world.release(rollbackTo=2)

    assert ended.error == "REFUSED"
    assert "deployed without Lightgate" in world.message().text
