"""A registry that speaks as much of the Docker registry API as a pull needs."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"
HOST = "000000000000.dkr.ecr.us-east-1.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Pushed:
    """An image in the registry, as a deployment may name it."""

    tagged: str
    by_digest: str
    digest: str


class Registry:
    """Serves images from memory on a free port."""

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                kind, body = registry.find(self.path)
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def find(self, path: str) -> tuple[str, bytes]:
        _, _, rest = path.partition("/v2/")
        if "/manifests/" in rest:
            return self.manifests.get(rest.replace("/manifests/", ":"), ("", b"no manifest"))
        blob = self.blobs.get(rest.rpartition("/")[2])
        return ("application/octet-stream", blob) if blob is not None else ("", b"no blob")

    def push(
        self,
        repository: str,
        tag: str,
        *layers: Mapping[str, str],
        architecture: str = "amd64",
        in_index: bool = False,
        compress: bool = True,
        **config: object,
    ) -> Pushed:
        packed = [gzip.compress(_tar(files)) if compress else _tar(files) for files in layers]
        document = {
            "architecture": architecture,
            "os": "linux",
            "config": {"WorkingDir": "/app", **config},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"digest": self._blob(json.dumps(document).encode())},
            "layers": [{"digest": self._blob(layer)} for layer in packed],
        }
        digest = self._manifest(repository, MANIFEST, manifest)
        if in_index:
            other = {
                "digest": "sha256:" + "0" * 64,
                "platform": {"os": "linux", "architecture": "arm64"},
            }
            wanted = {"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}}
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [other, wanted]}
            digest = self._manifest(repository, INDEX, index)
        self.manifests[f"{repository}:{tag}"] = self.manifests[f"{repository}:{digest}"]
        name = f"{HOST}/{repository}"
        return Pushed(f"{name}:{tag}", f"{name}@{digest}", digest)

    def _blob(self, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    def _manifest(self, repository: str, kind: str, document: object) -> str:
        text = json.dumps(document).encode()
        digest = "sha256:" + hashlib.sha256(text).hexdigest()
        self.manifests[f"{repository}:{digest}"] = kind, text
        return digest

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _tar(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            member.mode = 0o755
            archive.addfile(member, io.BytesIO(content.encode()))
    return packed.getvalue()
