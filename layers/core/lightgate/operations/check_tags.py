"""Check the watched tags of an app, and record the images that they name now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from lightgate.aws.clients import reaching
from lightgate.aws.ssm import SpecText
from lightgate.errors import MissingError, RefusedError, UnreachableError
from lightgate.image.tags import TaggedImage
from lightgate.release.request import ReleaseRequest
from lightgate.release.tag_changes import TagCheck, WatchedTags, check, dealt_with, watch_of
from lightgate.runtime import Runtime
from lightgate.spec.keys import AppSpec

_ATTEMPTS = 3
# Ten pages. Admit has a minute for all that it does.
_MOST_IN_PASSING = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A check that is on record under its number, and the images that it has seen."""

    check: TagCheck
    number: int
    images: Sequence[TaggedImage]


def check_tags(
    text: SpecText, spec: AppSpec, runtime: Runtime, *, last_run: datetime | None = None
) -> Checked:
    """Check the tags of the app.

    `last_run` is when this stack last checked all its apps, None if it never has. An app or a tag
    that it has not seen then begins with what is there now. A push after the spec was stored counts
    as missed even so: its event should have come.

    Raises:
        RefusedError: there is no such repository.
        UnreachableError: others have checked at the same time, again and again.
    """
    return _check(text, spec, runtime, last_run=last_run)


def note_tags(request: ReleaseRequest, text: SpecText, spec: AppSpec, runtime: Runtime) -> None:
    """Check the tags for a release that begins, which has dealt with its own tag.

    Later changes are then known to be newer than this release. The release does not depend on it:
    if the check fails, or would take long, the next check of Reconcile knows less.
    """
    tag = request.pushed_tag or request.tag
    if request.command is not None:
        # A command only uses the image: the push of it still needs a release.
        tag = None
    try:
        with reaching("ECR or DynamoDB"):
            _check(text, spec, runtime, tag=tag, digest=request.digest, most=_MOST_IN_PASSING)
    except (MissingError, RefusedError, UnreachableError) as error:
        runtime.logger.warning("the tags could not be checked", app=text.app, why=str(error))


def _check(
    text: SpecText,
    spec: AppSpec,
    runtime: Runtime,
    *,
    last_run: datetime | None = None,
    tag: str | None = None,
    digest: str | None = None,
    most: int | None = None,
) -> Checked:
    stored_at = text.stored_at
    watch = watch_of(
        spec, stack=runtime.settings.stack_id, version=text.version, stored_at=stored_at
    )
    was_stored_since = last_run is not None and last_run < stored_at
    for _ in range(_ATTEMPTS):
        # In this order: whatever changes after the read is seen now, or by the next check.
        last, number = runtime.tag_checks.read(text.app)
        at = runtime.now()
        images = list(islice(runtime.registry.tagged_images(spec.repository), most))
        if most is not None and len(images) == most:
            raise UnreachableError(f"{spec.repository} has {most} tagged images or more")
        if last is not None and not _is_same_parameter(text, last.watch, runtime):
            last = None
        missed_since = stored_at if was_stored_since else None
        found = check(last, watch, images, at, missed_since=missed_since)
        if tag is not None:
            found = dealt_with(found, [tag], digest)
        if runtime.tag_checks.write(text.app, found, number):
            return Checked(check=found, number=number + 1, images=images)
    raise UnreachableError(f"the tags of {text.app} were checked by others {_ATTEMPTS} times")


def _is_same_parameter(text: SpecText, watch: WatchedTags, runtime: Runtime) -> bool:
    """Whether the app has been there since. One that was removed and stored again begins anew."""
    known = (watch.spec_version, watch.spec_stored_at)
    if (text.version, text.stored_at) == known:
        return True
    if text.version <= watch.spec_version:
        return False
    try:
        return runtime.apps.read(text.app, watch.spec_version).stored_at == watch.spec_stored_at
    except RefusedError:
        return False
