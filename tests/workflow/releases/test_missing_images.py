"""An old version whose image is gone is not deployed again, and people hear which image that is.

How the images are looked up has its tests in tests/component/test_image_stores.py.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from lightgate.aws.dynamodb import as_values
from lightgate.names import pin_tag
from tests.component import images
from tests.component.cloud import ACCOUNT, REGION
from tests.component.lightsail_service import PINNED
from tests.workflow.release_machine import Ended
from tests.workflow.releases.test_by_hand import DONE, command_course
from tests.workflow.reporting_gates import released, told_plan
from tests.workflow.world import APP, Json, World, spec

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
BAD = "Internal Server Error"


def reference(digest: str) -> str:
    return f"{REGISTRY}/{APP}:{pin_tag(digest)}"


def delete(world: World, digest: str) -> None:
    """As a lifecycle policy does: the image with all its tags."""
    world.cloud.client("ecr").batch_delete_image(
        repositoryName=APP, imageIds=[{"imageDigest": digest}]
    )


class Versions:
    """The world with the good versions 2, 3 and 4, each of an image of its own; 4 serves."""

    def __init__(self, world: World, *, index: bool = False) -> None:
        self.world = world
        self.pushed: dict[int, str] = {}
        self.runs: dict[int, str] = {}
        world.put_spec(spec(verification={"watchSeconds": 0, "answersNeeded": 1}))
        for version in (2, 3, 4):
            digest = self.push(f"image-{version}", index=index)
            self.pushed[version] = digest
            assert self.release().status == "SUCCEEDED"
            assert world.lightsail.serving(APP) == version
        world.messages()

    def push(self, name: str, *, index: bool = False) -> str:
        if not index:
            return images.push(self.world.cloud, APP, "latest", name=name)
        digest = images.push(self.world.cloud, APP, None, name=name)
        self.runs[len(self.runs) + 2] = digest
        # With a tag that stays, as the engine deletes an image with its last one.
        for tag in (name, "latest"):
            pushed = images.push_index(self.world.cloud, APP, tag, {"amd64": digest}, name=name)
        return pushed

    def release(self, **request: Any) -> Ended:
        self.world.lightsail.courses.append(released())
        return self.world.release(**request)

    def fail(self, before: Callable[[], object] = lambda: None) -> Ended:
        """Version 5 answers badly."""
        self.push("image-5")
        self.world.site.bad = {5: BAD}
        self.world.functions.before("roll_back", before)
        self.world.lightsail.courses.append(released())
        return self.release()

    def edit(self, version: int, changes: Mapping[str, str]) -> None:
        """Let containers of the version have other images."""

        def changed(one: Any) -> Any:
            web = one.containers["web"]
            others = {name: replace(web, image=image) for name, image in changes.items()}
            return replace(one, containers={**one.containers, **others})

        self.world.lightsail.services[APP].change(
            lambda service: replace(
                service,
                deployments=[
                    changed(one) if one.version == version else one for one in service.deployments
                ],
            )
        )

    @property
    def content(self) -> Json:
        """The final message; one about the start may come before it."""
        [*_, final] = self.world.messages()
        return final.content

    def image_of(self, version: int) -> str:
        return self.world.lightsail.deployment(APP, version).containers["web"].image


@pytest.fixture
def versions(world: World) -> Versions:
    return Versions(world)


# RollBack.


def test_a_rollback_takes_the_newest_good_version_that_still_has_its_image(
    versions: Versions,
) -> None:
    delete(versions.world, versions.pushed[4])

    ended = versions.fail()

    assert ended.error == "ROLLED_BACK"
    assert versions.world.lightsail.serving(APP) == 6
    assert versions.image_of(6) == versions.image_of(3)
    content = versions.content
    told = " ".join(content["reasons"])
    missing = reference(versions.pushed[4])
    assert f"Version 4 cannot be deployed again: {missing} of migrate and web" in told
    assert "is not in ECR any more" in told


@pytest.mark.slow
def test_an_older_rollback_target_is_recorded_as_the_source(versions: Versions) -> None:
    delete(versions.world, versions.pushed[4])
    versions.fail()
    versions.world.messages()
    versions.world.site.bad = {7: BAD}
    versions.world.lightsail.courses.append(released())

    versions.release()

    assert versions.image_of(8) == versions.image_of(3)


def test_a_rollback_is_impossible_if_no_good_version_has_its_image(versions: Versions) -> None:
    for digest in versions.pushed.values():
        delete(versions.world, digest)
    versions.edit(1, {"web": reference(versions.pushed[2])})

    ended = versions.fail()

    assert ended.error == "FAILED"
    assert versions.world.lightsail.serving(APP) == 5
    told = " ".join(versions.content["reasons"])
    for version in (2, 3, 4):
        assert f"Version {version} cannot be deployed again: " in told


@pytest.mark.slow
def test_an_older_version_is_not_taken_if_it_cannot_work_with_the_database(
    versions: Versions,
) -> None:
    """Version 5 drops a column, so only it is a safe target of version 6, and its image goes."""
    world = versions.world
    image = versions.push("image-5")
    world.release(course=released(told_plan("crops.0002_size", effect="breaking")))
    versions.push("image-6")
    world.site.bad = {6: BAD}
    delete(world, image)
    world.messages()

    assert versions.release().error == "FAILED"
    assert world.lightsail.serving(APP) == 6
    content = versions.content
    assert "Version 5 cannot be deployed again: " in " ".join(content["reasons"])
    assert '"rollbackTo": 4, "allowDestructive": true' in " ".join(content["nextSteps"])


@pytest.mark.representatives(1)
@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_an_image_that_ecr_says_nothing_of_is_not_missing(
    versions: Versions, code: str, by_hand: bool
) -> None:
    def refuse() -> None:
        versions.world.cloud.faults.refuse("ecr.BatchGetImage", code, times=1 if by_hand else 9)

    if by_hand:
        refuse()
        assert versions.release(rollbackTo=3).status == "SUCCEEDED"
    else:
        assert versions.fail(refuse).error == "ROLLED_BACK"
        assert versions.image_of(6) == versions.image_of(4)

    warnings = " ".join(versions.content["warnings"])
    assert "Whether these images still exist is unknown" in warnings
    assert f"ECR answers {code}" in warnings


@pytest.mark.slow
def test_a_decision_whose_answer_is_lost_is_the_same_though_the_image_is_back(
    versions: Versions,
) -> None:
    """The first run passes version 4 over. When RollBack runs again, its image is there."""
    world = versions.world
    delete(world, versions.pushed[4])
    versions.push("image-5")
    world.site.bad = {5: BAD}
    world.functions.fail("roll_back", "after")

    def bring_back() -> None:
        images.push(world.cloud, APP, pin_tag(versions.pushed[4]), name="image-4")

    world.functions.before("roll_back", bring_back, call=2)
    world.lightsail.courses.append(released())

    assert versions.release().error == "ROLLED_BACK"

    assert versions.image_of(6) == versions.image_of(3)
    made = [one for record in world.records().values() for one in record.get("versions", [])]
    [back] = [one for one in made if one["version"] == 6]
    assert back["digest"] == versions.pushed[3]


@pytest.mark.slow
def test_the_start_message_says_that_the_live_image_is_deleted(
    versions: Versions,
) -> None:
    world = versions.world
    delete(world, versions.pushed[4])
    versions.push("image-5")

    versions.release()

    start, final = world.messages()
    assert start.attributes["status"] == "STARTED"
    assert "Automatic rollback to version 4 is not available" in start.content["text"]
    assert f"{reference(versions.pushed[4])} of migrate and web is not in ECR" in start.text
    assert final.content["status"] == "SUCCEEDED"


# Images with several platforms.


def age(versions: Versions) -> None:
    """Let the versions be of an earlier Lightgate, which knew an image by its index."""
    world = versions.world
    for version, index in versions.pushed.items():
        [image] = world.cloud.client("ecr").batch_get_image(
            repositoryName=APP, imageIds=[{"imageDigest": versions.runs[version]}]
        )["images"]
        world.cloud.client("ecr").put_image(
            repositoryName=APP,
            imageManifest=image["imageManifest"],
            imageManifestMediaType=images.MANIFEST,
            imageTag=pin_tag(index),
        )
        versions.edit(version, dict.fromkeys(("web", "migrate"), reference(index)))
    runs = {digest: version for version, digest in versions.runs.items()}
    for item in world.items():
        outcome = as_values(item).get("outcome", {})
        for past in outcome.get("versions", []):
            past["digest"] = versions.pushed[runs[past["digest"]]]
            del past["specDigest"]
        if outcome:
            item["outcome"] = {"S": json.dumps(outcome)}
            world.table.client.put_item(TableName=world.table.name, Item=item)


@pytest.mark.slow
@pytest.mark.parametrize("is_there", [True, False])
def test_a_version_recorded_by_its_index_can_be_rolled_back_to(
    world: World, is_there: bool
) -> None:
    """A lifecycle policy deletes an index that has lost its last tag."""
    versions = Versions(world, index=True)
    age(versions)
    if not is_there:
        delete(world, versions.pushed[4])

    assert versions.fail().error == "ROLLED_BACK"
    assert versions.image_of(6) == reference(versions.pushed[4])
    gone = f"the index {versions.pushed[4]} is gone"
    assert (gone in " ".join(versions.content["warnings"])) is not is_there


# rollbackTo, and a command beside what serves.


def test_a_rollback_by_hand_to_a_version_without_its_image_is_refused_before_anything_happens(
    versions: Versions,
) -> None:
    delete(versions.world, versions.pushed[2])
    before = versions.world.lightsail.deployments(APP)
    snapshots = versions.world.instance.snapshots()

    ended = versions.release(rollbackTo=2)

    assert ended.error == "REFUSED"
    assert versions.world.lightsail.deployments(APP) == before
    assert versions.world.instance.snapshots() == snapshots
    told = " ".join(versions.content["reasons"])
    assert (
        f"rollbackTo: version 2 cannot be deployed again: {reference(versions.pushed[2])}" in told
    )
    assert "These good versions still have their images, the newest first: 3" in told


@pytest.mark.slow
def test_no_override_restores_a_deleted_image(versions: Versions) -> None:
    for version in (2, 3):
        delete(versions.world, versions.pushed[version])

    ended = versions.release(rollbackTo=3, allowDestructive=True)

    assert ended.error == "REFUSED"
    assert "No other earlier good version" in " ".join(versions.content["reasons"])


def test_an_image_that_is_deleted_during_the_snapshot_is_not_deployed(versions: Versions) -> None:
    world = versions.world
    world.functions.before("deploy", lambda: delete(world, versions.pushed[3]))

    ended = versions.release(rollbackTo=3)

    assert ended.error == "REFUSED"
    assert world.lightsail.serving(APP) == 4
    assert "is not in ECR any more" in " ".join(versions.content["reasons"])


def test_a_version_from_a_public_image_can_be_rolled_back_to(
    world: World,
) -> None:
    world.release(course=released())
    world.messages()

    ended = world.release(rollbackTo=1, allowDestructive=True)

    assert ended.status == "SUCCEEDED"
    assert PINNED in " ".join(world.message().content["warnings"])


def test_a_command_is_refused_if_the_live_version_cannot_be_deployed_again_beside_it(
    versions: Versions,
) -> None:
    world = versions.world
    delete(world, versions.pushed[4])
    world.lightsail.courses.append(command_course((160, told_plan()), (190, DONE)))
    command = ["python", "manage.py", "check"]

    ended = world.release(digest=versions.pushed[3], command=command)

    assert ended.error == "REFUSED"
    assert world.lightsail.serving(APP) == 4
    assert "TakeSnapshot" not in ended.states
    told = " ".join(versions.content["reasons"])
    assert f"command: version 4 cannot be deployed again: {reference(versions.pushed[4])}" in told
