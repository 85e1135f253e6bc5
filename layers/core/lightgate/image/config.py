"""The manifest and the configuration of an image, as far as a release depends on them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightgate.errors import RefusalCode, RefusedError
from lightgate.patterns import pattern

# Lightsail runs amd64 Linux images only (docs/lightsail.md, "Containers").
_ARCHITECTURE = "amd64"
_OPERATING_SYSTEM = "linux"

# Other variables of an image may be secrets.
_LISTENS = pattern(r"(?:PORT|GUNICORN_CMD_ARGS|(?:UVICORN|GRANIAN|UWSGI)_[A-Z0-9_]+)=")

MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
INDEX_TYPES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_IMAGE_CONFIG_TYPES = (
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.oci.image.config.v1+json",
    # Docker 1.10 wrote this for an image, so it says nothing.
    "application/octet-stream",
)
_LAYER_TYPES = ("application/vnd.docker.image.rootfs.", "application/vnd.oci.image.layer.")
# What ECR takes for one, at most as long as that of SHA-512.
_DIGEST = pattern(r"[\w+.-]{1,32}:[0-9a-fA-F]{1,128}", re.ASCII)


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


def artifact_type(manifest: Manifest) -> str | None:
    """The kind of artifact, if the manifest is certainly not an image; None for everything else.

    Signatures, attestations, SBOMs, build caches and charts lie in a repository beside the images
    that they are about, under tags that an app may watch.
    """
    try:
        document = _document(manifest)
    except RefusedError:
        return None
    if manifest.media_type in INDEX_TYPES or "manifests" in document:
        return _artifact_in_index(document.get("manifests"))
    return _artifact_in_manifest(document)


def _artifact_in_manifest(document: Mapping[str, Any]) -> str | None:
    config = document.get("config")
    kind = _text_in(config, "mediaType")
    if kind and kind not in _IMAGE_CONFIG_TYPES:
        return _text_in(document, "artifactType") or kind
    layers = document.get("layers")
    types = [_text_in(layer, "mediaType") for layer in layers] if isinstance(layers, list) else []
    if any(not layer or layer.startswith(_LAYER_TYPES) for layer in types):
        return None
    # An image may have no layers, but then it refers to no other manifest and gives no other type.
    told = _artifact_type_in(document)
    refers = told or ("a referrer of another image" if document.get("subject") else "")
    return next(iter(types), "") or refers or None


def _artifact_in_index(entries: object) -> str | None:
    if not isinstance(entries, list) or not entries:
        return None
    found = [_artifact_in_entry(entry) for entry in entries]
    return found[-1] if all(found) else None


def _artifact_in_entry(entry: object) -> str | None:
    """The kind of artifact in an entry of an index; None if the entry may be an image."""
    kind = _text_in(entry, "mediaType")
    if kind and kind not in (*MANIFEST_TYPES, *INDEX_TYPES):
        return kind
    if told := _artifact_type_in(entry):
        return told
    platform = entry.get("platform") if isinstance(entry, dict) else None
    is_nowhere = _text_in(platform, "os") == _text_in(platform, "architecture") == "unknown"
    return "an attestation" if is_nowhere else None


def _artifact_type_in(document: object) -> str:
    told = _text_in(document, "artifactType")
    return told if told not in _IMAGE_CONFIG_TYPES else ""


def _text_in(document: object, key: str) -> str:
    found = document.get(key) if isinstance(document, dict) else None
    return found if isinstance(found, str) else ""


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
            found = f"{platform.get('os', 'unknown')}/{platform.get('architecture', 'unknown')}"
            if found == f"{_OPERATING_SYSTEM}/{_ARCHITECTURE}":
                return _digest(entry["digest"])
            platforms.append(found)
    except (KeyError, TypeError, AttributeError):
        raise RefusedError(
            f"the manifest of {manifest.digest} cannot be read", code=RefusalCode.IMAGE
        ) from None
    raise RefusedError(
        f"the image {manifest.digest} has no {_OPERATING_SYSTEM}/{_ARCHITECTURE} variant, which is "
        f"all that Lightsail runs; it has {', '.join(platforms) or 'none'}. Build it with "
        f"docker build --platform {_OPERATING_SYSTEM}/{_ARCHITECTURE}.",
        code=RefusalCode.ARCHITECTURE,
    )


def config_digest(manifest: Manifest) -> str:
    """The digest of the configuration blob that a single image's manifest names."""
    try:
        return _digest(_document(manifest)["config"]["digest"])
    except (KeyError, TypeError):
        raise RefusedError(
            f"the manifest of {manifest.digest} has no configuration", code=RefusalCode.IMAGE
        ) from None


def _digest(found: object) -> str:
    if not isinstance(found, str) or not _DIGEST.fullmatch(found):
        raise TypeError("not a digest")
    return found


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
        raise RefusedError(
            "the configuration of the image cannot be read", code=RefusalCode.IMAGE
        ) from None
    if parsed.architecture != _ARCHITECTURE:
        raise RefusedError(
            f"the image is built for {parsed.architecture}, and Lightsail runs {_ARCHITECTURE} "
            f"only. Build it with docker build --platform {_OPERATING_SYSTEM}/{_ARCHITECTURE}.",
            code=RefusalCode.ARCHITECTURE,
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
        raise RefusedError(
            f"the manifest of {manifest.digest} cannot be read", code=RefusalCode.IMAGE
        )
    return document
