"""The final message repeats the warnings of a release, without the value of a secret."""

import json
from dataclasses import replace

import pytest

from tests.component import images
from tests.workflow.world import APP, SPEC, World, spec, succeeded

PASSWORD = "hunter2-in-a-secret"


def warned(world: World) -> list[str]:
    world.release(course=succeeded())
    message = world.message()
    assert message.content["status"] == "SUCCEEDED"
    found: list[str] = message.content["warnings"]
    return found


def with_container(**container: object) -> dict[str, object]:
    return spec(containers={**SPEC["containers"], "side": container})


def test_a_release_of_a_careful_spec_has_no_warnings(world: World) -> None:
    assert warned(world) == []


def test_a_password_in_plain_text_is_in_the_final_message_without_its_value(world: World) -> None:
    world.put_spec(spec(environment={"DB_PASSWORD": PASSWORD}))

    [warning] = warned(world)

    assert warning.startswith("environment.DB_PASSWORD: holds a password in plain text")
    assert PASSWORD not in json.dumps(world.items())


def test_a_server_in_the_cmd_of_the_image_is_in_the_final_message(world: World) -> None:
    images.push(world.cloud, APP, "latest", name="v2", command=["uvicorn", "crops.asgi:app"])

    [warning] = warned(world)

    assert warning.startswith("containers.web.command: uvicorn is given no address")


@pytest.mark.parametrize(("nodes", "is_mentioned"), [(1, False), (2, True)])
def test_a_scheduler_on_several_nodes_is_in_the_final_message(
    world: World, nodes: int, is_mentioned: bool
) -> None:
    world.put_spec(with_container(command=["celery", "-A", "crops", "beat"]))
    world.lightsail.services[APP].change(lambda service: replace(service, scale=nodes))

    found = warned(world)

    assert bool(found) == is_mentioned
    assert all("runs on each of the 2 nodes" in warning for warning in found)


def test_a_service_that_another_app_calls_production_is_in_the_final_message(world: World) -> None:
    world.put_spec(spec(stage="staging", database={"instance": "crops-db"}))
    world.put_spec(spec(), app="crops-production")
    world.put_spec("{", app="a-broken-one")

    found = warned(world)

    assert [warning.partition(":")[0] for warning in found] == ["stage", "database.instance"]
    assert all("crops-production" in warning for warning in found)


def test_a_release_goes_on_without_the_specs_of_other_apps(world: World) -> None:
    world.cloud.faults.refuse("ssm.DescribeParameters", "AccessDeniedException")

    assert warned(world) == []


@pytest.mark.parametrize(
    ("value", "wrong"),
    [(f"{PASSWORD}\n", "ends in a line break"), (f"{PASSWORD} ", "ends in a space")],
)
def test_a_secret_with_white_space_at_its_end_is_in_the_final_message_without_its_value(
    world: World, value: str, wrong: str
) -> None:
    world.put_key(value)

    [warning] = warned(world)

    assert warning.startswith(f"The value of the secret ssm:/crops/key {wrong}")
    assert PASSWORD not in json.dumps(world.items())
    assert PASSWORD not in world.functions.log


def test_the_warning_of_a_secret_outlives_a_lost_answer_of_deploy(world: World) -> None:
    world.put_key(f"{PASSWORD}\n")
    world.functions.fail("deploy", "after")

    [warning] = warned(world)

    assert "ends in a line break" in warning


def test_a_deployment_whose_answer_was_lost_goes_on_without_its_secrets(world: World) -> None:
    def refuse() -> None:
        world.cloud.faults.refuse("ssm.GetParameter", "InternalServerError", times=9)

    world.functions.fail("deploy", "after")
    world.functions.before("deploy", refuse, call=2)

    assert warned(world) == []
    assert world.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE"}
