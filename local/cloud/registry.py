"""`docker build` and `docker push` without Docker, for images of one layer."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import urllib3

from local.cloud.clients import client_for
from local.cloud.errors import LocalCloudError

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_BLOB = "application/octet-stream"
_NOT_IN_AN_IMAGE = {"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """The image's CMD, ENTRYPOINT, ENV and WORKDIR."""

    cmd: Sequence[str] = ()
    entrypoint: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/app"
    architecture: str = "amd64"


@dataclass(frozen=True, slots=True)
class Image:
    """The bytes that a push sends. The same input gives the same bytes."""

    manifest: bytes
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        return _digest(self.manifest)


def build(folders: Sequence[Path], config: ImageConfig) -> Image:
    """An image with the files of `folders` under /app. Later folders overwrite earlier ones.

    It has no base image, because the emulator's nodes have Python and the installed packages.
    """
    tar = _tar(_merged(folders))
    layer = gzip.compress(tar, mtime=0)
    return _image(layer, _encoded(_configuration(config, layer_id=_digest(tar))))


def _image(layer: bytes, configuration: bytes) -> Image:
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _descriptor(_CONFIG, configuration),
        "layers": [_descriptor(_LAYER, layer)],
    }
    blobs = {_digest(blob): blob for blob in (configuration, layer)}
    return Image(_encoded(manifest), blobs)


def push(registry_url: str, repository: str, tag: str, image: Image) -> str:
    """Push to an existing repository as a Docker client does, and return the digest.

    The manifest is the last request, so an interrupted push creates no image.
    """
    # As `aws ecr get-login-password | docker login` does: the token is "AWS:password" in base64.
    token = client_for("ecr", registry_url).get_authorization_token()
    login = f"Basic {token['authorizationData'][0]['authorizationToken']}"
    uploads = f"/v2/{repository}/blobs/uploads/"
    with urllib3.PoolManager(timeout=60, retries=False) as http:

        def request(method: str, path: str, body: bytes, content_type: str) -> str:
            headers = {"Authorization": login, "Content-Type": content_type}
            url = urljoin(registry_url, path)
            answer = http.request(method, url, body=body, headers=headers, redirect=False)
            if answer.status >= 400:
                said = f"{answer.status} {answer.data.decode()}"
                raise LocalCloudError(f"the registry refused {method} {path}: {said}")
            return answer.headers.get("Location", "")

        for digest, blob in image.blobs.items():
            location = request("POST", uploads, b"", _BLOB)
            separator = "&" if "?" in location else "?"
            request("PUT", f"{location}{separator}digest={quote(digest)}", blob, _BLOB)
        path = f"/v2/{repository}/manifests/{quote(tag)}"
        request("PUT", path, image.manifest, _MANIFEST)
    return image.digest


def _merged(folders: Sequence[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            inside = path.relative_to(folder)
            if path.is_file() and not _NOT_IN_AN_IMAGE.intersection(inside.parts):
                files[inside.as_posix()] = path
    return files


def _tar(files: Mapping[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            content = files[name].read_bytes()
            # A fresh entry has no owner and no time, so the layer depends on the content alone.
            entry = tarfile.TarInfo(f"app/{name}")
            entry.size = len(content)
            entry.mode = 0o755 if files[name].stat().st_mode & 0o100 else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _configuration(config: ImageConfig, layer_id: str) -> dict[str, Any]:
    return {
        "architecture": config.architecture,
        "os": "linux",
        "created": _EPOCH,
        "config": {
            "Cmd": list(config.cmd) or None,
            "Entrypoint": list(config.entrypoint) or None,
            "Env": [f"{name}={value}" for name, value in config.env.items()],
            "WorkingDir": config.working_dir,
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_id]},
        "history": [{"created": _EPOCH, "created_by": "COPY . /app"}],
    }


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "size": len(blob), "digest": _digest(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _encoded(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
