"""Tags of images, as a repository has them."""

from dataclasses import dataclass
from datetime import datetime

from lightgate.patterns import pattern

# cosign, which gives its signatures the configuration of an image.
_COSIGN_TAG = pattern(r"sha256-[0-9a-f]{64}\.(?:sig|att|sbom)")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedImage:
    """An image as the registry lists it, under all its tags."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedImage:
    """An image under the tag by which an app watches it, pushed then or later."""

    digest: str
    tag: str
    pushed_at: datetime


def is_artifact_tag(tag: str) -> bool:
    """Whether the tag itself says that it stands for a signature, an attestation or an SBOM."""
    return _COSIGN_TAG.fullmatch(tag) is not None
