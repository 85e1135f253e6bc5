"""Amazon ECR: the pushed image, and the tag under which it is deployed."""

import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.error import HTTPError

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, reaching
from lightgate.errors import RefusalCode, RefusedError, UnreachableError
from lightgate.image.config import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    ImageConfig,
    Manifest,
    artifact_type,
    config_digest,
    parse_config,
    platform_digest,
)
from lightgate.image.tags import TaggedImage

_TIMEOUT_SECONDS = 20
_IMAGES_ON_PAGE = 1000
_NO_LAYER = ("LayersNotFoundException", "LayerInaccessibleException")
_LARGEST_CONFIG_BYTES = 4 * 1024 * 1024


class Registry:
    """The account's own registry in this region."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3 is untyped
        self._client = client

    def manifest(self, repository: str, image: Mapping[str, str]) -> Manifest:
        """The manifest of `{"imageDigest": …}` or `{"imageTag": …}`.

        Raises:
            RefusedError: there is no such repository or image.
            UnreachableError: ECR says neither that there is one nor that there is none.
        """
        return self._found(repository, image)[0]

    def digest_of_tag(self, repository: str, tag: str) -> str | None:
        """The image that would run under the tag now; None if the tag stands for no image any more.

        It is the digest of the tag itself if none of its images can run.
        """
        try:
            manifest = self.manifest(repository, {"imageTag": tag})
        except RefusedError:
            return None
        return None if artifact_type(manifest) else self.running_digest(repository, manifest)

    def running_digest(self, repository: str, manifest: Manifest) -> str:
        """The digest of the image in it that Lightsail runs; its own one if it can run none."""
        try:
            return self.runnable(repository, manifest).digest
        except RefusedError:
            return manifest.digest

    def tagged_images(self, repository: str) -> Iterator[TaggedImage]:
        """Every image of the repository that has a tag, in no particular order.

        Raises:
            RefusedError: there is no such repository.
        """
        pages = self._client.get_paginator("describe_images").paginate(
            repositoryName=repository,
            filter={"tagStatus": "TAGGED"},
            PaginationConfig={"PageSize": _IMAGES_ON_PAGE},
        )
        try:
            for page in pages:
                for found in page["imageDetails"]:
                    if tags := found.get("imageTags"):
                        yield TaggedImage(
                            digest=found["imageDigest"],
                            tags=tuple(tags),
                            pushed_at=found["imagePushedAt"],
                        )
        except ClientError as error:
            _refuse_if_missing(error, repository)
            raise

    def runnable(self, repository: str, manifest: Manifest) -> Manifest:
        """The manifest of the one image in it that Lightsail can run."""
        digest = platform_digest(manifest)
        if digest is None:
            return manifest
        return self.manifest(repository, {"imageDigest": digest})

    @reaching("GetDownloadUrlForLayer")
    def config(self, repository: str, manifest: Manifest) -> ImageConfig:
        """The configuration of a single image, as `docker inspect` would show it.

        Raises:
            RefusedError: the registry does not have it.
            UnreachableError: it cannot be read. The text of an error may quote the presigned URL.
        """
        digest = config_digest(manifest)
        try:
            url = self._client.get_download_url_for_layer(
                repositoryName=repository, layerDigest=digest
            )["downloadUrl"]
        except ClientError as error:
            if error_code(error) in _NO_LAYER:
                raise RefusedError(
                    f"the repository {repository} does not have the configuration {digest} of the "
                    f"image {manifest.digest}; push the image again",
                    code=RefusalCode.IMAGE,
                ) from error
            raise
        try:
            # The address comes from ECR itself, presigned; it is never the user's.
            with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                return parse_config(answer.read(_LARGEST_CONFIG_BYTES))
        except HTTPError as error:
            error.close()
            raise UnreachableError(f"the download from ECR answers {error.code}") from None

    def pin(self, repository: str, manifest: Manifest, tag: str) -> str:
        """Tag the image, and return the reference by which Lightsail pulls it.

        The tag derives from the digest, so repeating this changes nothing.
        """
        try:
            self._client.put_image(
                repositoryName=repository,
                imageManifest=manifest.text,
                imageManifestMediaType=manifest.media_type,
                imageDigest=manifest.digest,
                imageTag=tag,
            )
        except ClientError as error:
            if error_code(error) not in (
                "ImageAlreadyExistsException",
                "ImageTagAlreadyExistsException",
            ):
                raise
        return self.pinned(repository, manifest, tag)

    def pinned(self, repository: str, manifest: Manifest, tag: str) -> str:
        """The reference by which Lightsail pulls the image under its tag.

        Raises:
            RefusedError: the tag names another image, or none.
        """
        found, registry = self._found(repository, {"imageTag": tag})
        if found.digest != manifest.digest:
            raise RefusedError(
                f"the tag {tag} of {repository} is fixed to another image, {found.digest}; "
                "delete that tag, which belongs to Lightgate, and push again",
                code=RefusalCode.IMAGE,
            )
        region = self._client.meta.region_name
        return f"{registry}.dkr.ecr.{region}.amazonaws.com/{repository}:{tag}"

    def policy(self, repository: str) -> str | None:
        """The repository's own policy as JSON text; None if it has none."""
        try:
            answer = self._client.get_repository_policy(repositoryName=repository)
        except ClientError as error:
            if error_code(error) == "RepositoryPolicyNotFoundException":
                return None
            _refuse_if_missing(error, repository)
            raise
        text: str = answer["policyText"]
        return text

    def lifecycle_policy(self, repository: str) -> str | None:
        """The lifecycle policy of the repository as JSON text; None if it has none."""
        try:
            answer = self._client.get_lifecycle_policy(repositoryName=repository)
        except ClientError as error:
            if error_code(error) == "LifecyclePolicyNotFoundException":
                return None
            _refuse_if_missing(error, repository)
            raise
        text: str = answer["lifecyclePolicyText"]
        return text

    def _found(self, repository: str, image: Mapping[str, str]) -> tuple[Manifest, str]:
        try:
            answer = self._client.batch_get_image(
                repositoryName=repository,
                imageIds=[image],
                acceptedMediaTypes=[*MANIFEST_TYPES, *INDEX_TYPES],
            )
        except ClientError as error:
            _refuse_if_missing(error, repository)
            raise
        if not answer.get("images"):
            [name] = image.values()
            if not answer.get("failures"):
                raise UnreachableError(
                    f"ECR gives no answer about the image {name} of {repository}"
                )
            raise RefusedError(
                f"the repository {repository} has no image {name}", code=RefusalCode.IMAGE
            )
        found = answer["images"][0]
        manifest = Manifest(
            digest=found["imageId"]["imageDigest"],
            text=found["imageManifest"],
            media_type=found.get("imageManifestMediaType") or MANIFEST_TYPES[0],
        )
        return manifest, found["registryId"]


def _refuse_if_missing(error: ClientError, repository: str) -> None:
    if error_code(error) == "RepositoryNotFoundException":
        raise RefusedError(
            f"repository: there is no ECR repository {repository} in this region",
            code=RefusalCode.IMAGE,
        ) from error
