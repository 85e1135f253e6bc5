"""Pulls images: from a reference in a deployment to files on disk, through a registry's HTTP API.

A private ECR image is pulled from the registry given at start. Each launch of a node resolves the
tag again, as on Lightsail. The content of a digest is downloaded once.
"""

import asyncio
import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from local.lightsail.node.image_layers import LayerError, unpack_layers

_REFERENCE = re.compile(
    r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/"
    r"(?P<repository>[a-z0-9._/-]+?)"
    r"(?::(?P<tag>\w[\w.-]*))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_MAX_DOCUMENT = 4 * 1024 * 1024
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class ImagePullError(Exception):
    """The image could not be pulled. The message is the reason."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image on disk, and the part of its configuration that a start needs."""

    root: Path
    architecture: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = "/"


def _parse(reference: str) -> tuple[str, str]:
    """Return the repository, and the tag or digest."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ImagePullError(f"{reference}: only private ECR images can be pulled here")
    return found["repository"], found["digest"] or found["tag"] or "latest"


class ImageStore:
    """Pulls images from one registry and keeps them on disk."""

    def __init__(self, registry: str | None, directory: Path) -> None:
        self._registry = registry.rstrip("/") if registry else None
        self._blobs = directory / "blobs"
        self._roots = directory / "roots"
        self._locks: dict[str, asyncio.Lock] = {}
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def pull(self, reference: str) -> Image:
        """Return the image to which the reference refers now."""
        repository, wanted = _parse(reference)
        try:
            manifest = await self._manifest(repository, wanted)
            config_digest = _digest(manifest["config"])
            layers = [_digest(layer) for layer in manifest["layers"]]
            config_file = await self._blob(repository, config_digest)
            config = json.loads(await asyncio.to_thread(config_file.read_bytes))
            root = await self._unpacked(repository, layers)
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise ImagePullError(f"{reference}: {problem}") from problem
        except (KeyError, TypeError, ValueError, AttributeError, LayerError) as problem:
            raise ImagePullError(f"{reference}: broken image: {problem}") from problem
        return _image(config, root)

    async def _manifest(self, repository: str, wanted: str) -> dict[str, Any]:
        document = await self._fetch_manifest(repository, wanted)
        if document.get("mediaType") in _INDEXES or "manifests" in document:
            for entry in document["manifests"]:
                platform = entry.get("platform", {})
                if (platform.get("os"), platform.get("architecture")) == ("linux", "amd64"):
                    return await self._fetch_manifest(repository, _digest(entry))
            raise ValueError("the index has no image for linux/amd64")
        return document

    async def _fetch_manifest(self, repository: str, wanted: str) -> dict[str, Any]:
        accept = ", ".join((*_MANIFESTS, *_INDEXES))
        text = b""
        async with self._get(f"/v2/{repository}/manifests/{wanted}", Accept=accept) as answer:
            while piece := await answer.content.read(_MAX_DOCUMENT):
                text += piece
                if len(text) > _MAX_DOCUMENT:
                    raise ValueError("the manifest is too large")
        if wanted.startswith("sha256:") and not _is_digest_of(wanted, text):
            raise ValueError(f"the registry's answer does not have the digest {wanted}")
        document = json.loads(text)
        if not isinstance(document, dict):
            raise TypeError("the manifest is not a JSON object")
        return document

    async def _unpacked(self, repository: str, layers: list[str]) -> Path:
        """Return the directory in which these layers are unpacked."""
        name = hashlib.sha256("\n".join(layers).encode()).hexdigest()
        async with self._locks.setdefault(name, asyncio.Lock()):
            root = self._roots / name
            if not root.exists():
                files = [await self._blob(repository, digest) for digest in layers]
                unfinished = root.with_suffix(".unfinished")
                await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
                await asyncio.to_thread(unpack_layers, files, unfinished)
                unfinished.rename(root)
            return root

    async def _blob(self, repository: str, digest: str) -> Path:
        async with self._locks.setdefault(digest, asyncio.Lock()):
            path = self._blobs / digest.removeprefix("sha256:")
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                unfinished = path.with_suffix(".unfinished")
                await self._download(f"/v2/{repository}/blobs/{digest}", unfinished, digest)
                unfinished.rename(path)
            return path

    async def _download(self, path: str, target: Path, digest: str) -> None:
        hashed = hashlib.sha256()
        async with self._get(path) as answer:
            with target.open("wb") as file:
                async for piece in answer.content.iter_chunked(1 << 20):
                    hashed.update(piece)
                    file.write(piece)
        if f"sha256:{hashed.hexdigest()}" != digest:
            raise ValueError(f"the registry's answer does not have the digest {digest}")

    @contextlib.asynccontextmanager
    async def _get(self, path: str, **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._registry is None:
            raise ImagePullError("no registry was given at start")
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=300, sock_connect=5, sock_read=30)
            self._session = aiohttp.ClientSession(timeout=timeout)
        async with self._session.get(self._registry + path, headers=headers) as answer:
            if answer.status != 200:
                raise ImagePullError(f"the registry answered {answer.status} for {path}")
            yield answer


def _digest(descriptor: Mapping[str, Any]) -> str:
    digest = descriptor["digest"]
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is not a sha256 digest")
    return digest


def _is_digest_of(digest: str, content: bytes) -> bool:
    return digest == f"sha256:{hashlib.sha256(content).hexdigest()}"


def _image(document: Mapping[str, Any], root: Path) -> Image:
    config = document.get("config") or {}
    pairs = (text.partition("=") for text in config.get("Env") or ())
    return Image(
        root=root,
        architecture=document.get("architecture") or "amd64",
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        environment={name: value for name, _, value in pairs},
        working_directory=config.get("WorkingDir") or "/",
    )
