"""The one endpoint of the local cloud: `python -m local.cloud.gateway --help`.

Every client calls it: the functions, the AWS CLI, `sam deploy`, the demo. It forwards Lightsail
calls to the emulator and all others to the engine, and refuses what AWS would refuse.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web
from botocore.exceptions import ClientError

from local.cloud import aws_rules
from local.cloud.clients import client_for
from local.cloud.cloudformation_names import UsedNames
from local.cloud.ecr_events import Deliverer, Push
from local.cloud.postgres import Database
from local.cloud.processes import LOOPBACK
from local.cloud.proxy import Answer, client_session, forward
from local.cloud.rds_delay import SnapshotTimes
from local.cloud.rds_servers import CARRIED_OUT, DatabaseServers, Server

_LIGHTSAIL = "Lightsail_20161128."
_ECR = "AmazonEC2ContainerRegistry_V20150921."
_LARGEST_BODY = 1 << 30  # an image layer comes in one piece

logger = logging.getLogger(__name__)


class Gateway:
    """The request handler."""

    def __init__(
        self,
        engine: str,
        lightsail: str,
        snapshot_takes: timedelta,
        databases: DatabaseServers,
    ) -> None:
        self._engine = engine
        self._lightsail = lightsail
        self._deliverer = Deliverer(lambda service: client_for(service, engine))
        self._ecr = client_for("ecr", engine)
        self._names = UsedNames(client_for("cloudformation", engine))
        self._rds = client_for("rds", engine)
        self._snapshots = SnapshotTimes(snapshot_takes)
        self._databases = databases
        # The event loop keeps only weak references to tasks.
        self._deliveries: set[asyncio.Task[int]] = set()

    async def session(self, _: web.Application) -> AsyncIterator[None]:
        async with client_session() as self._session:
            yield

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        operation = request.headers.get("X-Amz-Target", "")
        refusal = aws_rules.unsigned(request.method, request.path, request.headers, request.query)
        if refusal is None:
            refusal = await self._refusal(request.path, operation, body)
        if refusal is not None:
            return _refused(refusal)
        upstream = self._lightsail if operation.startswith(_LIGHTSAIL) else self._engine
        try:
            answer = await forward(self._session, upstream, request, body)
        except aiohttp.ClientError as error:
            logger.warning("%s %s: %s", request.method, request.path, error)
            return _refused(aws_rules.Refusal(503, "ServiceUnavailable", str(error)))
        refusal = aws_rules.missing_object(
            request.method, request.query, answer.status, answer.body
        )
        if refusal is not None:
            return _refused(refusal)
        if operation == f"{_ECR}GetDownloadUrlForLayer" and answer.status == 200:
            return _reachable_layer(answer, body, request.host)
        if not operation and request.path == "/" and answer.status == 200:
            answer = await self._answer_of_rds(_form(body), answer)
        if push := pushed_image(request.method, request.path, operation, body, answer):
            self._announce(push)
        return answer.response()

    async def _refusal(self, path: str, operation: str, body: bytes) -> aws_rules.Refusal | None:
        if operation == "AmazonSSM.PutParameter":
            return aws_rules.parameter(_json_object(body))
        if operation == f"{_ECR}PutImage":
            wanted = _json_object(body)
            return aws_rules.image(wanted, await asyncio.to_thread(self._digest_of_tag, wanted))
        if operation == "AWSStepFunctions.StartExecution":
            return aws_rules.execution(_json_object(body))
        if path != "/" or operation:
            return None
        form = _form(body)
        if form.get("Action") == "ExecuteChangeSet":
            return await asyncio.to_thread(self._names.refusal, form)
        if form.get("Action") in aws_rules.SNAPSHOTS:
            status, cluster = await asyncio.to_thread(self._database_of, form)
            if (refusal := aws_rules.snapshot(form, status, cluster)) is not None:
                return refusal
        if form.get("Action") == "RestoreDBInstanceFromDBSnapshot":
            progress = self._snapshots.progress(form.get("DBSnapshotIdentifier", ""))
            return aws_rules.restore(form) or self._databases.refusal(form, progress)
        if form.get("Action") == "DeleteDBInstance":
            return aws_rules.deletion(form) or self._databases.refusal(form, 1)
        return aws_rules.query(form) or self._snapshots.refusal(form)

    async def _answer_of_rds(self, form: Mapping[str, str], answer: Answer) -> Answer:
        if form.get("Action") in CARRIED_OUT:
            await asyncio.to_thread(self._databases.carry_out, form, answer.body)
        shown = self._snapshots.answer(form, answer.body)
        return answer.with_body(self._databases.answer(shown))

    def _database_of(self, form: Mapping[str, str]) -> tuple[str | None, str | None]:
        """The status of the database in a request for a snapshot, and its cluster."""
        try:
            if form["Action"] == "CreateDBClusterSnapshot":
                name = form.get("DBClusterIdentifier", "")
                [cluster] = self._rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
                return cluster["Status"], None
            name = form.get("DBInstanceIdentifier", "")
            [found] = self._rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
        except (ClientError, ValueError):
            return None, None  # the engine itself refuses a database that does not exist
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
            return None  # the engine itself refuses a repository that does not exist
        return next((image["imageId"]["imageDigest"] for image in found["images"]), None)

    def _announce(self, push: Push) -> None:
        delivery = asyncio.create_task(asyncio.to_thread(self._deliverer.deliver, push))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)


def pushed_image(
    method: str, path: str, operation: str, body: bytes, answer: Answer
) -> Push | None:
    """The push that this request was, if it was one and succeeded."""
    if method == "PUT" and path.startswith("/v2/") and "/manifests/" in path:
        if answer.status != 201:
            return None
        repository, _, tag = path.removeprefix("/v2/").rpartition("/manifests/")
        digest, manifest = answer.headers["Docker-Content-Digest"], _json_object(body)
    elif operation == f"{_ECR}PutImage" and answer.status == 200:
        wanted = _json_object(body)
        repository, tag = wanted["repositoryName"], wanted.get("imageTag", "")
        digest = _json_object(answer.body)["image"]["imageId"]["imageDigest"]
        manifest = _json_object(wanted["imageManifest"].encode())
    else:
        return None
    return Push(
        repository=repository,
        tag="" if ":" in tag else tag,
        digest=digest,
        manifest_media_type=manifest.get("mediaType", ""),
        artifact_media_type=manifest.get("config", {}).get("mediaType", ""),
    )


def _reachable_layer(answer: Answer, body: bytes, host: str) -> web.Response:
    """Replace the download URL: the engine's has a host name of AWS."""
    wanted, layer = _json_object(body), _json_object(answer.body)
    path = f"/v2/{wanted['repositoryName']}/blobs/{wanted['layerDigest']}"
    layer["downloadUrl"] = f"http://{host}{path}"
    return web.Response(body=json.dumps(layer), content_type="application/x-amz-json-1.1")


def _form(body: bytes) -> Mapping[str, str]:
    """The parameters of a call in AWS's query protocol; none for any other body."""
    if not body.startswith(b"Action=") and b"&Action=" not in body:
        return {}
    return dict(parse_qsl(body.decode("utf-8", "replace")))


def _json_object(body: bytes) -> dict[str, Any]:
    """The body as an object, or an empty one: the engine itself refuses a broken body."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _refused(refusal: aws_rules.Refusal) -> web.Response:
    return web.Response(
        status=refusal.status,
        body=refusal.body(),
        content_type=refusal.format.value,
        headers={"x-amzn-ErrorType": refusal.code},
    )


async def serve(port: int, gateway: Gateway) -> None:
    """Serve until TERM."""
    ended = asyncio.Event()
    # A PID namespace's first process ignores every signal that it does not handle.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    application = web.Application(client_max_size=_LARGEST_BODY)
    application.cleanup_ctx.append(gateway.session)
    application.router.add_route("*", "/{path:.*}", gateway.handle)
    # A compressed body is forwarded compressed, because the signature covers its bytes.
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
    parser = argparse.ArgumentParser(prog="python -m local.cloud.gateway", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--lightsail", required=True)
    parser.add_argument("--snapshot-seconds", type=float, default=0)
    parser.add_argument("--database-port", type=int, help="of the PostgreSQL behind an instance")
    parser.add_argument("--database-data", type=Path, help="the directory with its data")
    parser.add_argument("--restored-port", type=int, action="append", default=[])
    parser.add_argument("--restored-data", type=Path, default=Path("restored"))
    parser.add_argument("--restore-seconds", type=float, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    source = None
    if options.database_port is not None:
        source = Server(Database(options.database_port), options.database_data)
    databases = DatabaseServers(
        source,
        options.restored_port,
        options.restored_data,
        timedelta(seconds=options.restore_seconds),
    )
    takes = timedelta(seconds=options.snapshot_seconds)
    gateway = Gateway(options.engine, options.lightsail, takes, databases)
    with contextlib.closing(databases):
        asyncio.run(serve(options.port, gateway))


if __name__ == "__main__":
    main()
