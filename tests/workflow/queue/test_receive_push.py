"""ReceivePush: which releases an event of ECR starts.

The slow matrix adds the other broken specs, artifacts and events.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from lightgate.errors import sentence
from lightgate.image.addresses import RegistryAddress
from lightgate.spec.parser import parse_spec
from tests.component import images
from tests.component.artifacts import ARTIFACTS, IMAGES
from tests.support.builders import reasons_of
from tests.workflow.world import APP, SPEC, World, spec

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
HOME = RegistryAddress("123456789012", "us-east-1")
EVENTS = Path(__file__).parents[3] / "events"


def event(name: str = "ecr-push", **detail: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    found["detail"].update(detail)
    return found


def push_of(world: World, **detail: object) -> dict[str, Any]:
    return event(**{"image-digest": world.digest, **detail})


def receive(world: World, pushed: dict[str, Any]) -> list[str]:
    started: list[str] = world.functions.call("receive_push", pushed)["started"]
    return started


def executions(world: World) -> dict[str, str]:
    """The status of each execution."""
    found = world.cloud.client("stepfunctions").list_executions(stateMachineArn=world.machine.arn)[
        "executions"
    ]
    return {execution["name"]: execution["status"] for execution in found}


def test_a_push_releases_the_app_that_watches_it(world: World) -> None:
    [name] = receive(world, push_of(world))

    assert executions(world) == {name: "SUCCEEDED"}
    content = world.message().content
    assert content["digest"] == world.digest
    assert content["reason"] == "push of crops-backend:latest"
    for metric in ("lightgateReleasesStarted", "lightgateReleaseOk", "lightgateLeadTimeSeconds"):
        assert metric in world.functions.log
    assert name.startswith(f"{APP}-{world.digest.removeprefix('sha256:')[:12]}-")


def test_a_push_reads_only_the_specs_that_have_changed_since_the_last_one(world: World) -> None:
    for number in range(25):
        world.put_spec(spec(repository=f"other-{number}"), app=f"other-{number}")
    reads: list[str] = []
    world.cloud.faults.watch(
        lambda call: (
            reads.append(call)
            if call.startswith("ssm.Get") and world.functions.running == "receive_push"
            else None
        )
    )

    receive(world, push_of(world, **{"repository-name": "of-nobody"}))
    assert reads == ["ssm.GetParameters"] * 3

    receive(world, push_of(world, **{"repository-name": "of-nobody"}))
    assert reads == ["ssm.GetParameters"] * 3

    world.put_spec(spec(repository="other"), app="other-7")
    receive(world, push_of(world, **{"repository-name": "of-nobody"}))
    assert reads == ["ssm.GetParameters"] * 4


def test_a_repeated_event_starts_nothing(world: World) -> None:
    pushed = push_of(world)
    first = receive(world, pushed)

    again = receive(world, pushed)

    assert (len(first), again) == (1, [])
    assert len(executions(world)) == len(world.messages()) == 1


def test_another_push_of_the_same_image_is_a_release_of_its_own(world: World) -> None:
    receive(world, push_of(world))

    receive(world, {**push_of(world), "id": "another"})

    assert len(executions(world)) == 2


def test_each_app_that_watches_the_repository_is_released(world: World) -> None:
    world.put_spec(spec(serviceName="crops-staging", tags=["*"]), app="crops-staging")
    world.put_spec(spec(tags=["v*"]), app="crops-tagged")
    world.put_spec(spec(repository="elsewhere"), app="elsewhere")
    world.lightsail.add("crops-staging")

    names = receive(world, push_of(world))

    assert sorted(name.rpartition("-")[0].rpartition("-")[0] for name in names) == [
        "crops-backend",
        "crops-staging",
    ]
    assert set(executions(world)) == set(names)
    assert world.lightsail.serving("crops-staging") == 1


def test_a_repeat_after_half_of_the_apps_were_started_starts_the_others(world: World) -> None:
    world.put_spec(spec(serviceName="crops-staging"), app="crops-staging")
    world.lightsail.add("crops-staging")
    world.cloud.faults.lose_answer("stepfunctions.StartExecution")
    with pytest.raises(OSError, match="Read timeout"):
        receive(world, push_of(world))

    receive(world, push_of(world))

    assert len(executions(world)) == 2


@pytest.mark.representatives(1)
@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"repository": "elsewhere"})])
def test_a_broken_spec_that_does_not_name_it_stops_no_other_app(world: World, text: str) -> None:
    world.put_spec(text, app="broken")

    [name] = receive(world, push_of(world))

    assert name.startswith(APP)


def test_an_unwatched_push_starts_nothing_and_is_logged_once(world: World) -> None:
    started = receive(world, push_of(world, **{"repository-name": "elsewhere"}))

    assert started == []
    assert executions(world) == {}
    [line] = [json.loads(line) for line in world.functions.log.splitlines() if "watches" in line]
    assert (line["repository"], line["tag"]) == ("elsewhere", "latest")


@pytest.mark.parametrize(
    ("ignored", "errors"),
    [
        (event("ecr-push-pin"), 0),
        (event("ecr-push-untagged"), 0),
        (event(**{"action-type": "DELETE"}), 0),
        (event(result="FAILURE"), 0),
        ({}, 1),
        ({"detail": "PUSH", "state": "of nothing", "release": 7}, 1),
        (event(**{"image-digest": "sha256:short"}), 1),
        ({**event(), "account": None}, 1),
    ],
)
def test_only_a_new_tagged_image_starts_a_release(
    world: World, ignored: dict[str, Any], errors: int
) -> None:
    assert receive(world, ignored) == []
    assert executions(world) == {}
    assert world.functions.log.count('"level":"ERROR"') == errors


ELSEWHERE = [
    {"account": "999999999999"},
    {"region": "eu-central-1"},
    {"account": "999999999999", "region": "eu-central-1"},
]


@pytest.mark.parametrize("origin", ELSEWHERE, ids=["account", "region", "both"])
def test_a_push_of_another_account_or_region_starts_nothing_and_is_logged(
    world: World, origin: dict[str, str]
) -> None:
    assert receive(world, push_of(world) | origin) == []
    assert executions(world) == {}
    [line] = [json.loads(line) for line in world.functions.log.splitlines() if "another" in line]
    assert line["level"] == "WARNING"
    assert origin.items() <= line.items()


ANY_TAG = spec(tags=["*"])


@pytest.mark.representatives(5)
@pytest.mark.parametrize("document", ARTIFACTS.values(), ids=ARTIFACTS)
def test_an_artifact_that_is_no_image_starts_nothing_and_is_logged(
    world: World, document: dict[str, Any]
) -> None:
    digest = images.push_artifact(world.cloud, APP, "v2", document)

    assert receive(world, push_of(world, **{"image-tag": "v2", "image-digest": digest})) == []
    assert executions(world) == {}
    [line] = [json.loads(line) for line in world.functions.log.splitlines() if "artifact" in line]
    assert (line["tag"], line["digest"]) == ("v2", digest)


@pytest.mark.parametrize("kind", ["sig", "att", "sbom"])
def test_a_tag_of_cosign_starts_nothing_whatever_it_stands_for(world: World, kind: str) -> None:
    world.put_spec(ANY_TAG)
    tag = f"sha256-{'a' * 64}.{kind}"

    assert receive(world, push_of(world, **{"image-tag": tag})) == []


def test_an_artifact_is_not_refused_for_a_broken_spec(world: World) -> None:
    world.put_spec(spec(stage="prodution"))
    digest = images.push_artifact(world.cloud, APP, "v2", ARTIFACTS["cosign signature"])

    assert receive(world, push_of(world, **{"image-tag": "v2", "image-digest": digest})) == []
    assert world.messages() == []


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        ("arm64", "Lightsail runs amd64 only"),
        ("", "Lightsail runs amd64 only"),
        (None, "has no linux/amd64 variant"),
    ],
)
def test_an_image_that_cannot_run_is_refused_with_a_message(
    world: World, architecture: str | None, words: str
) -> None:
    if architecture is None:
        digest = images.push_artifact(world.cloud, APP, "v2", IMAGES["index for arm64 alone"])
    else:
        digest = images.push(world.cloud, APP, "v2", name="v2", architecture=architecture)

    receive(world, push_of(world, **{"image-tag": "v2", "image-digest": digest}))

    content = world.message().content
    assert content["status"] == "REFUSED"
    assert words in " ".join(content["reasons"])


@pytest.mark.representatives(1)
@pytest.mark.parametrize("code", ["ServerException", "AccessDeniedException"])
def test_a_push_whose_manifest_cannot_be_read_is_released(world: World, code: str) -> None:
    world.cloud.faults.refuse("ecr.BatchGetImage", code)

    receive(world, push_of(world))

    assert world.message().content["status"] == "SUCCEEDED"


def test_an_artifact_that_was_not_recognised_at_once_ends_without_a_message(world: World) -> None:
    digest = images.push_artifact(world.cloud, APP, "v2", ARTIFACTS["cosign signature"])
    world.cloud.faults.refuse("ecr.BatchGetImage", "ServerException")

    [name] = receive(world, push_of(world, **{"image-tag": "v2", "image-digest": digest}))

    assert executions(world) == {name: "SUCCEEDED"}
    assert world.messages() == []
    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}


@pytest.mark.parametrize("request_", [{"tag": "chart"}, {"digest": ...}])
def test_an_artifact_that_is_released_by_hand_is_refused(
    world: World, request_: dict[str, Any]
) -> None:
    digest = images.push_artifact(world.cloud, APP, "chart", ARTIFACTS["helm chart"])

    world.release({"app": APP} | {k: digest if v is ... else v for k, v in request_.items()})

    [reason] = world.message().content["reasons"]
    assert f"{APP}@{digest} is no container image (application/vnd.cncf.helm.config" in reason


def test_an_image_is_released_though_an_artifact_has_taken_its_tag(world: World) -> None:
    pushed = push_of(world)
    images.push(world.cloud, APP, "keeps-the-image")
    images.push_artifact(world.cloud, APP, "latest", ARTIFACTS["buildkit cache"])

    receive(world, pushed)

    assert world.message().content["digest"] == world.digest


def broken(text: str) -> str:
    """A spec with a stray comma, which is no JSON."""
    return text.removesuffix("}") + ",}"


BROKEN_SPECS = {
    "stray comma": broken(json.dumps(SPEC)),
    "byte order mark": "\ufeff" + json.dumps(SPEC),
    "comment": json.dumps(SPEC, indent=1).replace('"tags"', '// the tags\n "tags"'),
    "cut off": json.dumps(SPEC, indent=1)[:300],
    "single quotes": repr(SPEC),
    "utf-16": json.dumps(SPEC).encode("utf-16-le").decode("utf-8"),
    "json in json": json.dumps(json.dumps(SPEC)),
    "yaml": "serviceName: crops-backend\nrepository: crops-backend\ntags: [latest]\n",
    "two commas": json.dumps(SPEC).replace(", ", ",, ", 1),
    "another spelling": json.dumps(spec(repository=None, Repository=APP)),
    "misspelt": json.dumps(spec(repository=None, repositry=APP)),
    "address with a tag": json.dumps(spec(repository=f"{HOST}/{APP}:latest")),
    "upper case": json.dumps(spec(repository="Crops-Backend")),
    "another region": json.dumps(
        spec(repository=f"{HOST}/{APP}".replace("us-east-1", "eu-west-1"))
    ),
    "tag with its repository": json.dumps(spec(tags=[f"{APP}:latest"])),
    "repository twice": json.dumps(SPEC).replace("{", '{"repository": "elsewhere", ', 1),
    "repository in a list": json.dumps(spec(repository=[APP])),
}


@pytest.mark.representatives(5)
@pytest.mark.parametrize("text", BROKEN_SPECS.values(), ids=BROKEN_SPECS)
def test_a_push_to_the_repository_of_a_broken_spec_is_refused_with_a_message(
    world: World, text: str
) -> None:
    world.put_spec(text)

    [name] = receive(world, push_of(world))

    assert executions(world) == {name: "FAILED"}
    message = world.message()
    assert message.attributes["app"] == APP
    assert message.attributes["status"] == message.content["status"] == "REFUSED"
    assert message.content["reasons"] == [
        *map(sentence, reasons_of(lambda: parse_spec(text, HOME)))
    ]
    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}


@pytest.mark.parametrize("stage", ["production", "staging"])
def test_the_refusal_of_a_broken_spec_reaches_those_who_filter_by_stage(
    world: World, stage: str
) -> None:
    world.put_spec(broken(json.dumps(spec(stage=stage))))

    receive(world, push_of(world))

    assert world.message().attributes["stage"] == stage


@pytest.mark.representatives(5)
@pytest.mark.parametrize("text", BROKEN_SPECS.values(), ids=BROKEN_SPECS)
def test_a_broken_spec_leaves_the_pushes_to_other_repositories_alone(
    world: World, text: str
) -> None:
    world.put_spec(text)

    assert receive(world, push_of(world, **{"repository-name": "weather"})) == []
    assert executions(world) == {}


def test_a_broken_spec_leaves_tags_alone_that_it_does_not_watch(world: World) -> None:
    world.put_spec(broken(json.dumps(SPEC)))

    assert receive(world, push_of(world, **{"image-tag": "nightly"})) == []


def put_secure(world: World, document: object = SPEC) -> None:
    ssm = world.cloud.client("ssm")
    ssm.delete_parameter(Name=f"/lightgate/apps/{APP}")
    ssm.put_parameter(
        Name=f"/lightgate/apps/{APP}", Value=json.dumps(document), Type="SecureString"
    )


def test_a_spec_in_a_secure_string_is_refused_with_what_to_do(world: World) -> None:
    put_secure(world)

    receive(world, push_of(world))

    content = world.message().content
    assert content["status"] == "REFUSED"
    [reason] = content["reasons"]
    assert f"/lightgate/apps/{APP} is a SecureString" in reason
    assert "--type String" in reason


def test_an_encrypted_spec_is_known_by_the_repository_of_its_last_release(world: World) -> None:
    world.put_spec(spec(repository="team/crops"))
    images.create_repository(world.cloud, "team/crops")
    digest = images.push(world.cloud, "team/crops", "latest")
    pushed = {"repository-name": "team/crops", "image-digest": digest}
    receive(world, event(**pushed))
    assert world.message().content["status"] == "SUCCEEDED"
    # As SSM encrypts it, nothing of the text can be read.
    world.put_spec("AQICAHhSomeCipherTextThatNobodyReadsHere==")

    receive(world, {**event(**pushed), "id": "another"})
    receive(world, {**push_of(world), "id": "of the app's own name"})

    assert world.message().content["status"] == "REFUSED"


@pytest.mark.parametrize("text", ["{", "", "[]", "7", '{"serviceName": "weather"}'])
def test_a_spec_that_names_no_repository_is_found_by_the_name_of_app_or_service(
    world: World, text: str
) -> None:
    world.put_spec(text or " ", app="weather")

    [name] = receive(world, push_of(world, **{"repository-name": "weather"}))

    assert name.startswith("weather-")
    assert world.message().content["status"] == "REFUSED"


def test_a_push_to_the_repository_named_like_the_service_of_a_broken_spec_is_refused(
    world: World,
) -> None:
    world.put_spec('{"serviceName": "weather",}', app="forecasts")

    receive(world, push_of(world, **{"repository-name": "weather"}))

    assert world.message().content["app"] == "forecasts"


def test_a_parameter_whose_name_no_app_can_have_is_refused_with_a_message(world: World) -> None:
    world.put_spec(SPEC, app="Crops_Backend")
    world.cloud.client("ssm").delete_parameter(Name=f"/lightgate/apps/{APP}")

    receive(world, push_of(world))

    content = world.message().content
    assert content["status"] == "REFUSED"
    assert 'app: "Crops_Backend" is not valid' in " ".join(content["reasons"])


def test_an_address_in_the_own_registry_releases_the_push(world: World) -> None:
    world.put_spec(spec(repository=f"{HOST}/{APP}"))

    receive(world, push_of(world))

    assert world.message().content["status"] == "SUCCEEDED"
