"""Where the images of a deployment are kept: ECR, and the store of each container service."""

from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, reaching
from lightgate.errors import RefusedError, UnreachableError
from lightgate.image.addresses import ImageAddress, RegistryAddress
from lightgate.image.config import INDEX_TYPES, MANIFEST_TYPES, Manifest, platform_digest
from lightgate.patterns import pattern

_STORED = pattern(r":(?P<service>[a-z0-9-]+)\.[a-z0-9-]+\.(?P<number>\w+)")
# An image that was archived is the latter.
_GONE = {"ImageNotFound", "ImageInaccessible"}


class ImageStores:
    """`home` is the only registry that is asked; None asks none."""

    def __init__(self, ecr: Any, lightsail: Any, home: RegistryAddress | None) -> None:  # noqa: ANN401
        self._ecr, self._lightsail, self._home = ecr, lightsail, home

    def why_gone(self, image: str, pushed: str | None, *, may_be_index: bool = False) -> str | None:
        """Why the image cannot be pulled any more, or is another one by now; None if it is there.

        `pushed` is the digest for which Lightgate made the tag of the image, if it made one: the
        tag points to that image. It may be the digest of an index: then the tag points to the image
        in it that Lightsail runs.

        Raises:
            UnreachableError: that could not be found out.
        """
        if stored := _STORED.fullmatch(image):
            return self._why_not_stored(image, stored["service"], stored["number"])
        registry = RegistryAddress.of_address(image)
        if registry is None or registry != self._home:
            raise UnreachableError("it is not in the private registry of this account and region")
        address = ImageAddress.read(image)
        wanted = {"imageTag": address.tag or "latest"}
        if address.digest:
            wanted = {"imageDigest": address.digest}
        found = self._found(address.path, wanted)
        if found is None:
            return "is not in ECR any more"
        if pushed is not None and not self._is_of(found, address.path, pushed, may_be_index):
            return f"points to {found.digest} now, and not to {pushed}"
        runs = _runs(found)
        if runs is not None and self._found(address.path, {"imageDigest": runs}) is None:
            return f"lacks its image {runs} in ECR"
        return None

    def _is_of(self, found: Manifest, repository: str, digest: str, may_be_index: bool) -> bool:
        """Whether the image is the one with this digest, or the one in that index that runs."""
        if found.digest == digest:
            return True
        if not may_be_index:
            return False
        index = self._found(repository, {"imageDigest": digest})
        if index is None:
            raise UnreachableError(
                f"the index {digest} is gone, which would tell whose image it is"
            )
        return _runs(index) == found.digest

    @reaching("Lightsail")
    def _why_not_stored(self, image: str, service: str, number: str) -> str | None:
        answer = self._lightsail.get_container_images(serviceName=service)
        kept = [str(each["image"]) for each in answer["containerImages"]]
        is_kept = image in kept
        if number == "latest":
            is_kept = any(each.startswith(image.removesuffix(number)) for each in kept)
        return None if is_kept else f"is not in the store of {service} any more"

    @reaching("ECR")
    def _found(self, repository: str, image: dict[str, str]) -> Manifest | None:
        try:
            answer = self._ecr.batch_get_image(
                repositoryName=repository,
                imageIds=[image],
                acceptedMediaTypes=[*MANIFEST_TYPES, *INDEX_TYPES],
            )
        except ClientError as error:
            if error_code(error) == "RepositoryNotFoundException":
                return None
            raise
        for found in answer.get("images", []):
            return Manifest(
                digest=found["imageId"]["imageDigest"],
                text=found["imageManifest"],
                media_type=found.get("imageManifestMediaType") or MANIFEST_TYPES[0],
            )
        codes = {str(failure.get("failureCode")) for failure in answer.get("failures", [])}
        if codes & _GONE:
            return None
        raise UnreachableError(f"ECR answers {', '.join(sorted(codes)) or 'nothing'}")


def _runs(manifest: Manifest) -> str | None:
    """The image in an index that Lightsail runs; None for a single image, or without such a one."""
    try:
        return platform_digest(manifest)
    except RefusedError:
        return None
