"""What the registry says of an image, as far as a release depends on it."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lightgate.app_spec.spec import matches
from lightgate.errors import RefusedError
from lightgate.release import PIN_TAG_PREFIX

# Lightsail runs amd64 Linux images only (lightsail-facts.md, section 1).
ARCHITECTURE = "amd64"
OPERATING_SYSTEM = "linux"

# Other variables of an image may be secrets.
_LISTENS = re.compile(r"(?:PORT|GUNICORN_CMD_ARGS|(?:UVICORN|GRANIAN|UWSGI)_[A-Z0-9_]+)=")

MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
INDEX_TYPES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An image's manifest as the registry keeps it, byte for byte."""

    digest: str
    text: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """The part of an image's configuration that decides what a container runs.

    `environment` has only the variables that tell a server where to listen.
    """

    command: tuple[str, ...]
    entrypoint: tuple[str, ...]
    architecture: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedImage:
    """An image as the registry lists it, under all its tags."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedImage:
    """An image under the tag by which an app watches it."""

    digest: str
    tag: str
    pushed_at: datetime


def newest_watched(images: Iterable[TaggedImage], patterns: Sequence[str]) -> Sequence[PushedImage]:
    """What was pushed last under a tag which one of the patterns allows.

    More than one if they came in the same second, which is all that ECR says of it. A tag
    of Lightgate's own is nobody's push.
    """
    watched = [
        PushedImage(digest=image.digest, tag=tag, pushed_at=image.pushed_at)
        for image in images
        for tag in image.tags
        if not tag.startswith(PIN_TAG_PREFIX) and any(matches(tag, p) for p in patterns)
    ]
    last = max((image.pushed_at for image in watched), default=None)
    return sorted(
        (image for image in watched if image.pushed_at == last),
        key=lambda image: (image.digest, image.tag),
    )


def platform_digest(manifest: Manifest) -> str | None:
    """For a multi-platform index, the digest of the image that Lightsail can run.

    None says that the manifest is a single image itself.

    Raises:
        RefusedError: it is an index without such an image, or no manifest at all.
    """
    document = _document(manifest)
    if manifest.media_type not in INDEX_TYPES and "manifests" not in document:
        return None
    platforms = []
    try:
        for entry in document.get("manifests") or ():
            platform = entry.get("platform") or {}
            found = f"{platform.get('os')}/{platform.get('architecture')}"
            if found == f"{OPERATING_SYSTEM}/{ARCHITECTURE}":
                return str(entry["digest"])
            platforms.append(found)
    except (KeyError, TypeError, AttributeError):
        raise RefusedError(f"the manifest of {manifest.digest} cannot be read") from None
    raise RefusedError(
        f"the image {manifest.digest} has no {OPERATING_SYSTEM}/{ARCHITECTURE} variant, which is "
        f"all that Lightsail runs; it has {', '.join(platforms) or 'none'}. Build it with "
        f"docker build --platform {OPERATING_SYSTEM}/{ARCHITECTURE}."
    )


def config_digest(manifest: Manifest) -> str:
    """The digest of the configuration blob that a single image's manifest names."""
    try:
        return str(_document(manifest)["config"]["digest"])
    except (KeyError, TypeError):
        raise RefusedError(f"the manifest of {manifest.digest} names no configuration") from None


def parse_config(blob: bytes | str) -> ImageConfig:
    """The configuration in an image's configuration blob.

    Raises:
        RefusedError: the blob is none, or the image is for a platform that Lightsail
            does not run.
    """
    try:
        document = json.loads(blob)
        config: Mapping[str, Any] = document.get("config") or {}
        parsed = ImageConfig(
            command=_argv(config.get("Cmd")),
            entrypoint=_argv(config.get("Entrypoint")),
            architecture=str(document.get("architecture") or "an unknown architecture"),
            environment=_environment(config.get("Env")),
        )
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise RefusedError("the image's configuration is not one that can be read") from None
    if parsed.architecture != ARCHITECTURE:
        raise RefusedError(
            f"the image is built for {parsed.architecture}, and Lightsail runs {ARCHITECTURE} "
            f"only. Build it with docker build --platform {OPERATING_SYSTEM}/{ARCHITECTURE}."
        )
    return parsed


def _argv(found: object) -> tuple[str, ...]:
    if not isinstance(found, list | None) or not all(isinstance(word, str) for word in found or ()):
        raise TypeError("not a list of strings")
    words = tuple(found or ())
    # Half of a surrogate pair is valid in JSON and can be given to no process.
    "".join(words).encode()
    return words


def _environment(found: object) -> Mapping[str, str]:
    """Only advice is given by it, so it is no reason to refuse an image."""
    words = found if isinstance(found, list) else []
    return dict(
        word.split("=", 1) for word in words if isinstance(word, str) and _LISTENS.match(word)
    )


def _document(manifest: Manifest) -> dict[str, Any]:
    try:
        document = json.loads(manifest.text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise RefusedError(f"the manifest of {manifest.digest} cannot be read")
    return document
