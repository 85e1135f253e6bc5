"""Images as a registry keeps them, without layers: nothing here is ever run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.component.cloud import Cloud

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def create_repository(cloud: Cloud, name: str) -> None:
    """A repository from which every service may pull."""
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName=name)
    let_everybody_pull(ecr, name)


def let_everybody_pull(ecr: Any, name: str) -> None:
    actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": actions}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    ecr.set_repository_policy(repositoryName=name, policyText=json.dumps(policy))


def push(
    cloud: Cloud,
    repository: str,
    tag: str | None,
    *,
    name: str = "v1",
    command: Sequence[str] = ("gunicorn", "crops.wsgi"),
    architecture: str = "amd64",
) -> str:
    """Push an image and return its digest; `name` makes it differ from others."""
    config = _encoded(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": list(command), "Env": [f"NAME={name}"]},
        }
    )
    cloud.blobs.add(digest_of(config), config)
    descriptor = {"mediaType": CONFIG, "size": len(config), "digest": digest_of(config)}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor, "layers": []}
    return put(cloud, repository, tag, manifest, MANIFEST)


def push_index(
    cloud: Cloud, repository: str, tag: str, digests: Mapping[str, str], *, name: str = "index"
) -> str:
    """Push a multi-platform index over images that were pushed before."""
    manifests = [
        {
            "mediaType": MANIFEST,
            "digest": digest,
            "platform": {"os": "linux", "architecture": architecture},
        }
        for architecture, digest in digests.items()
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, "name": name}
    return put(cloud, repository, tag, index, INDEX)


def push_artifact(
    cloud: Cloud, repository: str, tag: str, manifest: Mapping[str, Any], *, name: str = ""
) -> str:
    """Push something of which the manifest says what it is; `name` makes it differ from others."""
    named = {**manifest, "annotations": {"name": name}}
    return put(cloud, repository, tag, named, manifest["mediaType"])


def put(
    cloud: Cloud, repository: str, tag: str | None, manifest: Mapping[str, Any], media_type: str
) -> str:
    text = _encoded(manifest)
    tagged = {"imageTag": tag} if tag else {}
    cloud.client("ecr").put_image(
        repositoryName=repository,
        imageManifest=text.decode(),
        imageManifestMediaType=media_type,
        imageDigest=digest_of(text),
        **tagged,
    )
    return digest_of(text)


def digest_of(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
