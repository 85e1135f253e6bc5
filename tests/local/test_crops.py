"""The example app as images that go wrong before any of their code runs."""

import asyncio
import re
from pathlib import Path

import pytest

from lightgate.errors import RefusedError
from lightgate.image.config import parse_config
from local.cloud import account as furnishing
from local.cloud import registry
from local.demo import crops
from local.lightsail.node.images import Image, ImagePullError, ImageStore
from tests.local.conftest import Account
from tests.support import local_cloud


def pulled(account: Account, image: registry.Image, directory: Path) -> Image:
    """What a node of the local Lightsail gets when it pulls the pushed image."""
    uri = furnishing.create_repository(account.client("ecr"), "crops-images")
    digest = registry.push(account.url, "crops-images", "any", image)

    async def pull() -> Image:
        store = ImageStore(account.url, directory)
        try:
            private = re.sub(r"^[^/]+", "000000000000.dkr.ecr.us-east-1.amazonaws.com", uri)
            return await store.pull(f"{private}@{digest}")
        finally:
            await store.close()

    return asyncio.run(pull())


def test_a_release_can_be_pulled(account: Account, tmp_path: Path) -> None:
    assert (pulled(account, crops.image("v1"), tmp_path).root / "app" / "manage.py").is_file()


def test_an_unpullable_image_is_taken_by_the_registry_and_by_no_node(
    account: Account, tmp_path: Path
) -> None:
    with pytest.raises(ImagePullError, match="broken image"):
        pulled(account, local_cloud.unpullable_image("v1"), tmp_path)


def test_an_image_for_another_architecture_is_refused_before_anything_is_deployed() -> None:
    image = crops.image("v1", architecture="arm64")

    [config] = [blob for blob in image.blobs.values() if blob.startswith(b"{")]
    with pytest.raises(RefusedError, match="built for arm64, and Lightsail runs amd64 only"):
        parse_config(config)
