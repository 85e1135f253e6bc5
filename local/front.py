"""The one endpoint of the local cloud: Lightsail, everything else, and what AWS is stricter about.

    python -m local.front --port PORT --engine URL --lightsail URL [--snapshot-seconds SECONDS]

Prints one JSON line with its endpoint when it listens. Every client comes here: the functions,
the AWS CLI, `sam deploy`, the demo.
"""

import argparse
import asyncio
import json
import logging
import signal
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import aiohttp
from aiohttp import web
from botocore.exceptions import ClientError

from local import strict
from local.clients import client_for
from local.processes import LOOPBACK
from local.proxy import Answer, client_session, forward
from local.push_events import Deliverer, Push
from local.snapshots import SnapshotTimes, form_of
from local.taken_names import TakenNames, executed_change_set

_LIGHTSAIL = "Lightsail_20161128."
_ECR = "AmazonEC2ContainerRegistry_V20150921."
_LARGEST_BODY = 1 << 30  # an image layer comes in one piece

logger = logging.getLogger(__name__)


class Front:
    """The request handler and what it needs for its life."""

    def __init__(self, engine: str, lightsail: str, snapshot_takes: timedelta) -> None:
        self._engine = engine
        self._lightsail = lightsail
        self._deliverer = Deliverer(lambda service: client_for(service, engine))
        self._ecr = client_for("ecr", engine)
        self._names = TakenNames(client_for("cloudformation", engine))
        self._rds = client_for("rds", engine)
        self._snapshots = SnapshotTimes(snapshot_takes)
        # The event loop keeps only weak references to tasks.
        self._deliveries: set[asyncio.Task[int]] = set()

    async def session(self, _: web.Application) -> AsyncIterator[None]:
        async with client_session() as self._session:
            yield

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        operation = request.headers.get("X-Amz-Target", "")
        refusal = strict.unsigned(request.method, request.path, request.headers, request.query)
        if refusal is None:
            refusal = await self._refusal(request.path, operation, body)
        if refusal is not None:
            return _refused(refusal)
        upstream = self._lightsail if operation.startswith(_LIGHTSAIL) else self._engine
        try:
            answer = await forward(self._session, upstream, request, body)
        except aiohttp.ClientError as error:
            logger.warning("%s %s: %s", request.method, request.path, error)
            return _refused(strict.Refusal(503, "ServiceUnavailable", str(error)))
        refusal = strict.missing_object(request.method, request.query, answer.status, answer.body)
        if refusal is not None:
            return _refused(refusal)
        if operation == f"{_ECR}GetDownloadUrlForLayer" and answer.status == 200:
            return _reachable_layer(answer, body, request.host)
        if not operation and request.path == "/" and answer.status == 200:
            answer = answer.saying(self._snapshots.answer(body, answer.body))
        if push := pushed_image(request.method, request.path, operation, body, answer):
            self._announce(push)
        return answer.response()

    async def _refusal(self, path: str, operation: str, body: bytes) -> strict.Refusal | None:
        if operation == "AmazonSSM.PutParameter":
            return strict.parameter(_json_object(body))
        if operation == f"{_ECR}PutImage":
            wanted = _json_object(body)
            return strict.image(wanted, await asyncio.to_thread(self._digest_of_tag, wanted))
        if operation == "AWSStepFunctions.StartExecution":
            return strict.execution(_json_object(body))
        if path != "/" or operation:
            return None
        if (change_set := executed_change_set(body)) is not None:
            return await asyncio.to_thread(self._names.refusal, change_set)
        form = form_of(body)
        if form.get("Action") in strict.SNAPSHOTS:
            status, cluster = await asyncio.to_thread(self._database_of, form)
            if (refusal := strict.snapshot(form, status, cluster)) is not None:
                return refusal
        return strict.query(form) or self._snapshots.refusal(body)

    def _database_of(self, form: Mapping[str, str]) -> tuple[str | None, str | None]:
        """The status of the database that a snapshot is asked of, and its cluster."""
        try:
            if form["Action"] == "CreateDBClusterSnapshot":
                name = form.get("DBClusterIdentifier", "")
                [cluster] = self._rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
                return cluster["Status"], None
            name = form.get("DBInstanceIdentifier", "")
            [found] = self._rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        except (ClientError, ValueError):
            return None, None  # no such database: the engine's own answer says so
        return found["DBInstanceStatus"], found.get("DBClusterIdentifier")

    def _digest_of_tag(self, wanted: dict[str, Any]) -> str | None:
        if not wanted.get("imageTag"):
            return None
        try:
            found = self._ecr.batch_get_image(
                repositoryName=wanted.get("repositoryName", ""),
                imageIds=[{"imageTag": wanted["imageTag"]}],
            )
        except ClientError:
            return None  # no such repository: the engine's own answer says so
        return next((image["imageId"]["imageDigest"] for image in found["images"]), None)

    def _announce(self, push: Push) -> None:
        delivery = asyncio.create_task(asyncio.to_thread(self._deliverer.deliver, push))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)


def pushed_image(
    method: str, path: str, operation: str, body: bytes, answer: Answer
) -> Push | None:
    """The push that this exchange was, if it was one that succeeded."""
    if method == "PUT" and path.startswith("/v2/") and "/manifests/" in path:
        if answer.status != 201:
            return None
        repository, _, reference = path.removeprefix("/v2/").rpartition("/manifests/")
        return _push(
            repository=repository,
            tag="" if ":" in reference else reference,
            digest=answer.headers["Docker-Content-Digest"],
            manifest=_json_object(body),
        )
    if operation == f"{_ECR}PutImage" and answer.status == 200:
        wanted = _json_object(body)
        image = _json_object(answer.body)["image"]
        return _push(
            repository=wanted["repositoryName"],
            tag=wanted.get("imageTag", ""),
            digest=image["imageId"]["imageDigest"],
            manifest=_json_object(wanted["imageManifest"].encode()),
        )
    return None


def _push(*, repository: str, tag: str, digest: str, manifest: dict[str, Any]) -> Push:
    return Push(
        repository=repository,
        tag=tag,
        digest=digest,
        manifest_media_type=manifest.get("mediaType", ""),
        artifact_media_type=manifest.get("config", {}).get("mediaType", ""),
    )


def _reachable_layer(answer: Answer, body: bytes, host: str) -> web.Response:
    """The engine names a host of AWS; the layer is here."""
    wanted = _json_object(body)
    layer = _json_object(answer.body)
    path = f"/v2/{wanted['repositoryName']}/blobs/{wanted['layerDigest']}"
    layer["downloadUrl"] = f"http://{host}{path}"
    return web.Response(body=json.dumps(layer), content_type="application/x-amz-json-1.1")


def _json_object(body: bytes) -> dict[str, Any]:
    """The body as an object; an empty one if it is none, for the engine to complain about."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _refused(refusal: strict.Refusal) -> web.Response:
    return web.Response(
        status=refusal.status,
        body=refusal.body(),
        content_type=refusal.format.value,
        headers={"x-amzn-ErrorType": refusal.code},
    )


async def serve(port: int, engine: str, lightsail: str, snapshot_takes: timedelta) -> None:
    """Serve until TERM."""
    ended = asyncio.Event()
    # The first process of a PID namespace is not ended by a signal that it does not handle.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    front = Front(engine, lightsail, snapshot_takes)
    application = web.Application(client_max_size=_LARGEST_BODY)
    application.cleanup_ctx.append(front.session)
    application.router.add_route("*", "/{path:.*}", front.handle)
    # A compressed body is passed on compressed: its signature covers the bytes.
    runner = web.AppRunner(application, auto_decompress=False, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, port)
    await site.start()
    host, bound, *_ = runner.addresses[0]
    print(json.dumps({"endpoint": f"http://{host}:{bound}"}), flush=True)
    try:
        await ended.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.front", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--lightsail", required=True)
    parser.add_argument("--snapshot-seconds", type=float, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    takes = timedelta(seconds=options.snapshot_seconds)
    asyncio.run(serve(options.port, options.engine, options.lightsail, takes))


if __name__ == "__main__":
    main()
