"""Manifests of what lies in a repository beside images, as the usual tools write them."""

from typing import Any

type Json = dict[str, Any]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CACHE_CONFIG = "application/vnd.buildkit.cacheconfig.v0"
DIGEST = f"sha256:{'b' * 64}"


def descriptor(media_type: str, **more: object) -> Json:
    return {"mediaType": media_type, "size": 2, "digest": DIGEST, **more}


def manifest(config: str, *layers: str, **more: object) -> Json:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(config),
        "layers": [descriptor(layer) for layer in layers],
        **more,
    }


def index(*entries: Json, media_type: str = INDEX) -> Json:
    return {"schemaVersion": 2, "mediaType": media_type, "manifests": list(entries)}


def platform(system: str, architecture: str, **more: object) -> Json:
    return descriptor(MANIFEST, platform={"os": system, "architecture": architecture}, **more)


SUBJECT = descriptor(MANIFEST)
ATTESTATION = platform(
    "unknown", "unknown", annotations={"vnd.docker.reference.type": "attestation-manifest"}
)

ARTIFACTS: dict[str, Json] = {
    "cosign signature": manifest(CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json"),
    "cosign attestation": manifest(CONFIG, "application/vnd.dsse.envelope.v1+json"),
    "cosign sbom": manifest(CONFIG, "text/spdx+json"),
    "sigstore bundle": manifest(
        EMPTY,
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        artifactType="application/vnd.dev.sigstore.bundle.v0.3+json",
        subject=SUBJECT,
    ),
    "notation signature": manifest(
        "application/vnd.cncf.notary.signature", "application/jose+json", subject=SUBJECT
    ),
    "sbom of oras": manifest(EMPTY, "application/json", artifactType="application/spdx+json"),
    "referrer without layers": manifest(CONFIG, subject=SUBJECT),
    "attestation of buildx": manifest(CONFIG, "application/vnd.in-toto+json"),
    "attestations alone": index(ATTESTATION, ATTESTATION),
    "list of referrers": index(
        descriptor(MANIFEST, artifactType="application/vnd.cncf.notary.signature")
    ),
    "buildkit cache": manifest(CACHE_CONFIG, LAYER, LAYER),
    "buildkit cache as an index": index(descriptor(LAYER), descriptor(CACHE_CONFIG)),
    "helm chart": manifest(
        "application/vnd.cncf.helm.config.v1+json",
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    ),
    "soci index": manifest("application/vnd.amazon.soci.index.v1+json", "application/octet-stream"),
}
IMAGES: dict[str, Json] = {
    "oci image": manifest(CONFIG, LAYER),
    "docker image": manifest(DOCKER_CONFIG, "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    "image without layers": manifest(CONFIG),
    "image with a zstd layer": manifest(CONFIG, "application/vnd.oci.image.layer.v1.tar+zstd"),
    "image with a foreign layer": manifest(
        DOCKER_CONFIG, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    ),
    "image with something beside its layers": manifest(CONFIG, LAYER, "text/spdx+json"),
    "image that refers to another": manifest(CONFIG, LAYER, subject=SUBJECT),
    "image that names its own type": manifest(CONFIG, artifactType=CONFIG),
    "image of docker 1.10": manifest("application/octet-stream", LAYER),
    "layer without a type": manifest(CONFIG) | {"layers": [{"digest": DIGEST}]},
    "config without a type": {"config": {"digest": DIGEST}, "layers": []},
    "index with attestations": index(platform("linux", "amd64"), ATTESTATION),
    "index for arm64 alone": index(platform("linux", "arm64"), ATTESTATION),
    "docker list": index(platform("linux", "arm64"), media_type=DOCKER_LIST),
    "index without platforms": index(descriptor(MANIFEST)),
    "empty index": index(),
    "nothing": {},
    "manifests that are none": {"manifests": [5]},
    "layers that are none": {"config": descriptor(CONFIG), "layers": 5},
}
