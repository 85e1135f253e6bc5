"""Which image a container runs: the pushed one, or another one that is meant and named."""

import pytest

from lightgate.deployment.pinning import other_images
from tests.support.builders import (
    DIGEST,
    Json,
    app_spec,
    migrate,
    parse,
    reasons_of,
    spec_document,
    wait_for,
    web,
)

OWN = "123456789012.dkr.ecr.us-east-1.amazonaws.com/crops-backend"


def told(**containers: Json) -> list[str]:
    document = spec_document(containers={"migrate": migrate(), "web": web(), **containers})
    return list(reasons_of(lambda: parse(document)))


def label(name: str, version: str = "latest") -> str:
    return f":crops-backend.{name}.{version}"


@pytest.mark.parametrize(
    "image", [f"{OWN}:v11", f"{OWN}@{DIGEST}", f"nginx@{DIGEST}", "nginx:1.27", f"{OWN}:latest"]
)
@pytest.mark.parametrize("name", ["web", "migrate"])
def test_only_the_pushed_image_serves_and_migrates(name: str, image: str) -> None:
    container = {"web": web, "migrate": migrate}[name](image=image, python="python3")

    [reason] = told(**{name: container})

    assert reason.startswith(f"containers.{name}.image: ")
    assert "always runs the image that was pushed; remove the image" in reason


@pytest.mark.parametrize("condition", ["SUCCESS", "COMPLETE"])
def test_whatever_is_waited_for_until_it_ends_is_the_pushed_image(condition: str) -> None:
    task = {"image": f"task@{DIGEST}", "command": ["prepare"], "python": "python3"}
    serving = web(dependsOn=[wait_for("migrate"), wait_for("task", condition)])

    reasons = told(web=serving, task=task)

    assert any(reason.startswith("containers.task.image: ") for reason in reasons)


@pytest.mark.parametrize("command", [["python", "manage.py", "migrate"], ["sh", "-c", "migrate"]])
def test_what_migrates_without_being_waited_for_is_the_pushed_image(command: list[str]) -> None:
    side = {"image": f"django@{DIGEST}", "command": command}
    document = spec_document(containers={"side": side}, publicEndpoint=None, unprotected=True)

    [reason] = reasons_of(lambda: parse(document))

    assert reason.startswith("containers.side.image: ")


def test_a_service_that_others_wait_for_may_be_another_image_with_its_digest() -> None:
    cache = {
        "image": f"redis:7@{DIGEST}", "command": ["redis-server"], "python": "python3",
        "healthCheck": {"command": ["redis-cli", "ping"]},
    }  # fmt: skip
    serving = web(dependsOn=[wait_for("migrate"), wait_for("cache", "HEALTHY")])

    assert told(web=serving, cache=cache) == []


def test_one_label_is_the_pushed_image_in_every_container() -> None:
    spec = app_spec(
        containers={"migrate": migrate(image=label("web")), "web": web(image=label("web"))}
    )

    assert {container.image for container in spec.containers.values()} == {None}
    assert other_images(spec) == []


def test_two_labels_are_two_images_and_do_not_become_one() -> None:
    reasons = told(
        web=web(image=label("web")),
        proxy={"image": label("nginx")},
        again={"image": label("web")},
        other={"image": label("worker")},
    )

    assert [reason.partition(": ")[0] for reason in reasons] == [
        "containers.proxy.image",
        "containers.other.image",
    ]
    assert all("are two images" in reason for reason in reasons)


@pytest.mark.parametrize("name", ["web", "migrate", "side"])
def test_a_numbered_label_is_a_fixed_image_and_not_the_pushed_one(name: str) -> None:
    usual = {"web": web(), "migrate": migrate(), "side": {"command": ["run"]}}

    [reason] = told(**{name: {**usual[name], "image": label("app", "2")}})

    assert reason.startswith(f'containers.{name}.image: "{label("app", "2")}" is one fixed image')
    assert f"write {label('app')}" in reason


def test_another_image_is_named() -> None:
    image = f"redis:7@{DIGEST}"
    spec = app_spec(containers={"migrate": migrate(), "web": web(), "redis": {"image": image}})

    assert other_images(spec) == [
        f"containers.redis.image: redis runs {image}, whatever image is pushed."
    ]
