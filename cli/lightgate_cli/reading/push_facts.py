"""Reads what became of a push: its releases, its image, and what Lightgate has watched."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lightgate.aws.clients import code_of
from lightgate.errors import LightgateError
from lightgate.image.config import artifact_type
from lightgate.image.tags import TaggedImage, is_artifact_tag
from lightgate.names import is_digest
from lightgate.records.release_record import ReadableRecord, RecordKind
from lightgate.spec.keys import AppSpec
from lightgate_cli.connection import AWS_ERRORS, Connection
from lightgate_cli.reading.app_status import has_digest, record_of
from lightgate_cli.reading.explaining import PushFacts
from lightgate_cli.reading.finding import is_digest_like
from lightgate_cli.reading.gather import read_history, read_spec

_MOST = 200


def read_push(app: str, asked: str, connection: Connection) -> PushFacts:
    with ThreadPoolExecutor() as pool:
        read = read_spec(app, connection)
        recorded = pool.submit(read_history, app, _MOST, connection)
        locked = pool.submit(connection.locks.read, app)
        seen = pool.submit(_image, read.spec, asked, connection)
        checked = pool.submit(connection.tag_checks.read, app)
        ran = pool.submit(connection.tag_checks.last_run, connection.stack_id)
        history, lock = recorded.result(), locked.result()
        image, image_unread, artifact = seen.result()
        check, _ = checked.result()
    records = [
        one
        for one in (history.records if history is not None else ())
        if one.kind is not RecordKind.REHEARSAL
    ]
    live = history.live if history is not None else None
    live_unread = history.live_unread if history is not None else None
    live_record = record_of(records, live)
    if live_unread is not None:
        live_record = _live_by_record(records)
        live = live_record.release if live_record is not None else None
    known = check.tags.get(asked) if check is not None else None
    return PushFacts(
        app=app,
        asked=asked,
        now=connection.now(),
        spec=read.spec,
        spec_problem=read.problem,
        releases=_of_push(asked, records),
        others=records,
        lock=lock,
        live=live,
        live_record=live_record,
        live_unread=live_unread,
        image=image,
        image_unread=image_unread,
        artifact=artifact,
        is_baseline=known is not None
        and image is not None
        and known.changed_after is None
        and image.digest.removeprefix("sha256:").startswith(known.digest),
        reconciles=connection.parameters.get("ReconcileState") != "DISABLED",
        reconciled_at=ran.result(),
    )


def _of_push(asked: str, records: Sequence[ReadableRecord]) -> Sequence[ReadableRecord]:
    own = [one for one in records if one.caused_by is None]
    return [one for one in own if one.tag == asked] or [
        one for one in own if is_digest_like(asked) and has_digest(one, asked)
    ]


def _live_by_record(records: Sequence[ReadableRecord]) -> ReadableRecord | None:
    """The release that has made the version that was live when the last release ended."""
    newest = next((one for one in records if one.live or one.is_down), None)
    live = newest.live if newest is not None else None
    made = (one for one in records if live is not None and one.version == live.version)
    return next(made, None)


def _image(
    spec: AppSpec | None, asked: str, connection: Connection
) -> tuple[TaggedImage | None, str | None, str | None]:
    """The image in the repository, why it could not be read, and the kind of one that is none."""
    if spec is None:
        return None, None, None
    key = "imageDigest" if is_digest(asked) else "imageTag"
    try:
        image = _described(spec.repository, {key: asked}, connection)
        if image is None:
            return None, None, None
        if is_artifact_tag(asked):
            return image, None, "a signature"
        manifest = connection.registry.manifest(spec.repository, {"imageDigest": image.digest})
        return image, None, artifact_type(manifest)
    except (LightgateError, *AWS_ERRORS) as error:
        return None, str(error) if isinstance(error, LightgateError) else code_of(error), None


def _described(
    repository: str, image: Mapping[str, str], connection: Connection
) -> TaggedImage | None:
    client = connection.client("ecr")
    try:
        answer: Mapping[str, Any] = client.describe_images(
            repositoryName=repository, imageIds=[image]
        )
    except (
        client.exceptions.ImageNotFoundException,
        client.exceptions.RepositoryNotFoundException,
    ):
        return None
    found = next(iter(answer["imageDetails"]), None)
    if found is None:
        return None
    return TaggedImage(
        digest=found["imageDigest"],
        tags=tuple(found.get("imageTags", ())),
        pushed_at=found["imagePushedAt"],
    )
