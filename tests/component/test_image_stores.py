"""Whether the image of an old version can still be pulled, and is still the same."""

import pytest

from lightgate.aws.image_stores import ImageStores
from lightgate.errors import UnreachableError
from lightgate.image.addresses import RegistryAddress
from lightgate.names import pin_tag
from tests.component import images
from tests.component.cloud import ACCOUNT, REGION, Cloud

APP = "crops-backend"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
GONE = "is not in ECR any more"


@pytest.fixture
def stores(cloud: Cloud) -> ImageStores:
    cloud.client("ecr").create_repository(repositoryName=APP)
    home = RegistryAddress(ACCOUNT, REGION)
    return ImageStores(cloud.client("ecr"), cloud.client("lightsail"), home)


def delete(cloud: Cloud, digest: str) -> None:
    """As a lifecycle policy does: the image with all its tags."""
    cloud.client("ecr").batch_delete_image(repositoryName=APP, imageIds=[{"imageDigest": digest}])


def pinned(cloud: Cloud) -> tuple[str, str]:
    """An image with its pin tag: its digest, and its address by the tag."""
    digest = images.push(cloud, APP, "latest", name="v1")
    images.push(cloud, APP, pin_tag(digest), name="v1")
    return digest, f"{REGISTRY}/{APP}:{pin_tag(digest)}"


def index(cloud: Cloud) -> tuple[str, str]:
    """An index with its pin tag, and the image in it that Lightsail runs."""
    amd64 = images.push(cloud, APP, None, name="amd64")
    pushed = images.push_index(cloud, APP, "latest", {"amd64": amd64})
    images.push_index(cloud, APP, pin_tag(pushed), {"amd64": amd64})
    return pushed, amd64


def test_an_image_is_there_until_it_is_deleted(cloud: Cloud, stores: ImageStores) -> None:
    digest, by_tag = pinned(cloud)
    addresses = (by_tag, f"{REGISTRY}/{APP}@{digest}")
    before = [stores.why_gone(address, digest) for address in addresses]

    delete(cloud, digest)

    assert before == [None, None]
    assert [stores.why_gone(address, digest) for address in addresses] == [GONE, GONE]


def test_a_pin_tag_that_points_to_another_image_counts_as_missing(
    cloud: Cloud, stores: ImageStores
) -> None:
    digest, by_tag = pinned(cloud)
    other = images.push(cloud, APP, pin_tag(digest), name="somebody-else")

    assert stores.why_gone(by_tag, digest) == f"points to {other} now, and not to {digest}"
    assert stores.why_gone(by_tag, None) is None


def test_a_repository_that_was_deleted_has_no_image(cloud: Cloud, stores: ImageStores) -> None:
    _, by_tag = pinned(cloud)
    cloud.client("ecr").delete_repository(repositoryName=APP, force=True)

    assert stores.why_gone(by_tag, None) == GONE


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", None])
def test_an_image_that_ecr_says_nothing_of_is_not_missing(
    cloud: Cloud, stores: ImageStores, code: str | None
) -> None:
    _, by_tag = pinned(cloud)
    if code is not None:
        cloud.faults.refuse("ecr.BatchGetImage", code)
    else:
        empty = {"images": [], "failures": []}
        cloud.faults.change_answers("ecr.BatchGetImage", lambda answer: answer.update(empty))

    with pytest.raises(UnreachableError, match=f"ECR answers {code or 'nothing'}"):
        stores.why_gone(by_tag, None)


def test_the_image_in_an_index_may_be_gone_as_well(cloud: Cloud, stores: ImageStores) -> None:
    pushed, amd64 = index(cloud)
    address = f"{REGISTRY}/{APP}:{pin_tag(pushed)}"
    before = stores.why_gone(address, pushed)

    delete(cloud, amd64)

    assert before is None
    assert stores.why_gone(address, pushed) == f"lacks its image {amd64} in ECR"


def test_an_image_that_is_known_by_its_index_is_found_in_it(
    cloud: Cloud, stores: ImageStores
) -> None:
    pushed, amd64 = index(cloud)
    images.push(cloud, APP, "of-an-earlier-lightgate", name="amd64")
    address = f"{REGISTRY}/{APP}:of-an-earlier-lightgate"

    assert stores.why_gone(address, pushed, may_be_index=True) is None
    points = f"points to {amd64} now, and not to {pushed}"
    assert stores.why_gone(address, pushed) == points
    delete(cloud, pushed)
    with pytest.raises(UnreachableError, match=f"the index {pushed} is gone"):
        stores.why_gone(address, pushed, may_be_index=True)


@pytest.mark.parametrize(
    "image",
    [
        *("nginx:1.27", "public.ecr.aws/nginx/nginx:1.27"),
        f"210987654321.dkr.ecr.{REGION}.amazonaws.com/x:1",
        f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/x:1",
    ],
)
def test_an_image_of_another_registry_is_unknown(stores: ImageStores, image: str) -> None:
    with pytest.raises(UnreachableError, match="not in the private registry of this account"):
        stores.why_gone(image, None)


@pytest.mark.parametrize(
    ("image", "kept", "is_there"),
    [
        (f":{APP}.web.3", [f":{APP}.web.3"], True),
        (f":{APP}.web.3", [f":{APP}.web.33", f":{APP}.web.4"], False),
        (f":{APP}.web.3", [], False),
        (f":{APP}.web.latest", [f":{APP}.web.4"], True),
        (f":{APP}.web.latest", [f":{APP}.webs.4"], False),
    ],
)
def test_an_image_in_the_store_of_a_service_is_found_there(
    cloud: Cloud, stores: ImageStores, image: str, kept: list[str], is_there: bool
) -> None:
    cloud.lightsail.add(APP)
    shown = {"containerImages": [{"image": each} for each in kept]}
    cloud.faults.change_answers("lightsail.GetContainerImages", lambda a: a.update(shown))

    gone = f"is not in the store of {APP} any more"
    assert stores.why_gone(image, None) == (None if is_there else gone)


def test_a_store_that_is_not_shown_is_not_empty(cloud: Cloud, stores: ImageStores) -> None:
    cloud.faults.refuse("lightsail.GetContainerImages", "ThrottlingException")

    with pytest.raises(UnreachableError, match="Lightsail answers ThrottlingException"):
        stores.why_gone(f":{APP}.web.3", None)
