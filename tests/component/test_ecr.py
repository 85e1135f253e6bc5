import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from botocore.exceptions import ClientError

from lightgate.aws.ecr import Registry
from lightgate.diagnosis.puller import statement
from lightgate.errors import RefusedError, UnreachableError
from lightgate.image.config import ImageConfig
from lightgate.names import pin_tag
from tests.component import images
from tests.component.cloud import Cloud

REPOSITORY = "crops-backend"


@pytest.fixture
def registry(cloud: Cloud) -> Registry:
    cloud.client("ecr").create_repository(repositoryName=REPOSITORY)
    return Registry(cloud.client("ecr"))


def tags(cloud: Cloud, digest: str) -> list[str]:
    found = cloud.client("ecr").describe_images(
        repositoryName=REPOSITORY, imageIds=[{"imageDigest": digest}]
    )
    return sorted(found["imageDetails"][0]["imageTags"])


def test_an_image_is_found_by_its_tag_and_by_its_digest(cloud: Cloud, registry: Registry) -> None:
    digest = images.push(cloud, REPOSITORY, "latest")

    by_tag = registry.manifest(REPOSITORY, {"imageTag": "latest"})

    assert by_tag == registry.manifest(REPOSITORY, {"imageDigest": digest})
    assert by_tag.digest == digest == images.digest_of(by_tag.text.encode())
    assert by_tag.media_type == images.MANIFEST
    assert registry.runnable(REPOSITORY, by_tag) == by_tag, "a single image is runnable itself"


def test_the_amd64_image_of_an_index_is_runnable(cloud: Cloud, registry: Registry) -> None:
    amd64 = images.push(cloud, REPOSITORY, None, name="amd64")
    arm64 = images.push(cloud, REPOSITORY, None, name="arm64", architecture="arm64")
    images.push_index(cloud, REPOSITORY, "latest", {"arm64": arm64, "amd64": amd64})

    index = registry.manifest(REPOSITORY, {"imageTag": "latest"})

    assert index.media_type == images.INDEX
    assert registry.runnable(REPOSITORY, index).digest == amd64


def test_an_index_without_amd64_is_refused(cloud: Cloud, registry: Registry) -> None:
    arm64 = images.push(cloud, REPOSITORY, None, architecture="arm64")
    images.push_index(cloud, REPOSITORY, "latest", {"arm64": arm64})
    index = registry.manifest(REPOSITORY, {"imageTag": "latest"})

    with pytest.raises(RefusedError, match=r"no linux/amd64 variant.*linux/arm64"):
        registry.runnable(REPOSITORY, index)


def test_the_configuration_says_what_the_image_runs(cloud: Cloud, registry: Registry) -> None:
    images.push(cloud, REPOSITORY, "latest", command=["gunicorn", "crops.wsgi"])
    manifest = registry.manifest(REPOSITORY, {"imageTag": "latest"})

    assert registry.config(REPOSITORY, manifest) == ImageConfig(
        command=("gunicorn", "crops.wsgi"), entrypoint=(), architecture="amd64"
    )


def test_a_pin_is_one_more_tag_of_the_same_image_and_holds_when_the_pushed_tag_moves_on(
    cloud: Cloud, registry: Registry
) -> None:
    digest = images.push(cloud, REPOSITORY, "latest", name="v1")
    manifest = registry.manifest(REPOSITORY, {"imageTag": "latest"})
    pinned = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}:{pin_tag(digest)}"

    for _ in ("the first time", "again"):
        assert registry.pin(REPOSITORY, manifest, pin_tag(digest)) == pinned
        assert tags(cloud, digest) == ["latest", pin_tag(digest)]
    images.push(cloud, REPOSITORY, "latest", name="v2")

    assert registry.manifest(REPOSITORY, {"imageTag": pin_tag(digest)}).digest == digest


@pytest.mark.parametrize("code", ["ImageAlreadyExistsException", "ImageTagAlreadyExistsException"])
def test_a_pin_that_is_there_already_is_good_under_both_of_its_errors(
    cloud: Cloud, registry: Registry, code: str
) -> None:
    images.push(cloud, REPOSITORY, "pinned")
    manifest = registry.manifest(REPOSITORY, {"imageTag": "pinned"})
    cloud.faults.refuse("ecr.PutImage", code)

    assert registry.pin(REPOSITORY, manifest, "pinned").endswith(f"/{REPOSITORY}:pinned")


def test_a_pin_that_is_fixed_to_another_image_is_refused(cloud: Cloud) -> None:
    cloud.client("ecr").create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    registry = Registry(cloud.client("ecr"))
    other = images.push(cloud, REPOSITORY, "lightgate-taken", name="other")
    images.push(cloud, REPOSITORY, "latest")
    manifest = registry.manifest(REPOSITORY, {"imageTag": "latest"})

    with pytest.raises(RefusedError, match=f"lightgate-taken .* fixed to another image, {other}"):
        registry.pin(REPOSITORY, manifest, "lightgate-taken")


@pytest.mark.parametrize("image", [{"imageTag": "v9"}, {"imageDigest": f"sha256:{'0' * 64}"}])
def test_a_missing_image_is_refused_by_its_name(registry: Registry, image: dict[str, str]) -> None:
    [name] = image.values()

    with pytest.raises(RefusedError, match=f"{REPOSITORY} has no image {name}"):
        registry.manifest(REPOSITORY, image)


def test_a_missing_repository_is_refused_by_its_name(registry: Registry) -> None:
    with pytest.raises(RefusedError, match="there is no ECR repository elsewhere"):
        registry.manifest("elsewhere", {"imageTag": "latest"})


def test_any_other_error_passes(cloud: Cloud, registry: Registry) -> None:
    cloud.faults.refuse("ecr.BatchGetImage", "ServerException")

    with pytest.raises(ClientError, match="ServerException"):
        registry.manifest(REPOSITORY, {"imageTag": "latest"})


def test_an_image_whose_configuration_ecr_does_not_have_is_refused(
    cloud: Cloud, registry: Registry
) -> None:
    missing = f"sha256:{'a' * 64}"
    document = {"schemaVersion": 2, "config": {"digest": missing}, "layers": []}
    images.put(cloud, REPOSITORY, "latest", document, images.MANIFEST)
    manifest = registry.manifest(REPOSITORY, {"imageTag": "latest"})

    with pytest.raises(RefusedError, match=f"does not have the configuration {missing}"):
        registry.config(REPOSITORY, manifest)


class _Forbidden(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(403)

    def log_message(self, *_: object) -> None:  # type: ignore[override]
        """Say nothing."""


@pytest.fixture
def forbidden_url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Forbidden) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/blob"
        server.shutdown()
        thread.join()


def test_an_expired_download_address_passes_and_is_tried_again(
    cloud: Cloud, registry: Registry, forbidden_url: str
) -> None:
    images.push(cloud, REPOSITORY, "latest")
    manifest = registry.manifest(REPOSITORY, {"imageTag": "latest"})
    cloud.blobs.move_to(forbidden_url)

    with pytest.raises(UnreachableError, match="403") as caught:
        registry.config(REPOSITORY, manifest)
    assert caught.value.__context__ is None


def test_a_tag_leads_to_the_image_it_points_to_now(cloud: Cloud, registry: Registry) -> None:
    images.push(cloud, REPOSITORY, "latest", name="v1")
    newer = images.push(cloud, REPOSITORY, "latest", name="v2")

    assert registry.digest_of_tag(REPOSITORY, "latest") == newer
    assert registry.digest_of_tag(REPOSITORY, "gone") is None


def test_every_tagged_image_is_listed_with_its_tags(cloud: Cloud, registry: Registry) -> None:
    first = images.push(cloud, REPOSITORY, "v1", name="v1")
    images.push(cloud, REPOSITORY, "latest", name="v1")
    second = images.push(cloud, REPOSITORY, "v2", name="v2")
    images.push(cloud, REPOSITORY, None, name="untagged")

    listed = {image.digest: image.tags for image in registry.tagged_images(REPOSITORY)}

    assert listed == {first: ("v1", "latest"), second: ("v2",)}


def test_the_images_of_an_unknown_repository_are_refused(registry: Registry) -> None:
    with pytest.raises(RefusedError, match="there is no ECR repository elsewhere"):
        list(registry.tagged_images("elsewhere"))


def test_the_policy_of_a_repository_is_what_was_set_and_none_by_itself(
    cloud: Cloud, registry: Registry
) -> None:
    before = registry.policy(REPOSITORY)
    allowed = json.loads(statement("arn:aws:iam::170441448102:role/puller"))
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    cloud.client("ecr").set_repository_policy(repositoryName=REPOSITORY, policyText=policy)

    found = registry.policy(REPOSITORY)

    assert before is None
    assert found is not None
    assert json.loads(found) == json.loads(policy)


def test_the_policy_of_a_missing_repository_is_refused_by_its_name(registry: Registry) -> None:
    with pytest.raises(RefusedError, match="there is no ECR repository elsewhere"):
        registry.policy("elsewhere")


def test_an_empty_answer_does_not_say_that_there_is_no_image(
    cloud: Cloud, registry: Registry
) -> None:
    images.push(cloud, REPOSITORY, "latest")
    cloud.faults.change_answers("ecr.BatchGetImage", lambda answer: answer.update(images=[]))

    with pytest.raises(UnreachableError, match="ECR gives no answer"):
        registry.manifest(REPOSITORY, {"imageTag": "latest"})
    with pytest.raises(UnreachableError):
        registry.digest_of_tag(REPOSITORY, "latest")


def test_tagged_images_are_read_1000_at_a_time(cloud: Cloud, registry: Registry) -> None:
    sizes = []
    cloud.see = lambda params, **_: sizes.append(params["maxResults"])

    list(registry.tagged_images(REPOSITORY))

    assert sizes == [1000]
