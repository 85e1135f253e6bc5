"""Reconcile: look for what no event has told of, and go on with it.

Events of ECR and of Step Functions are best effort. This finds the image whose push was
never heard of, and the release that ended without anybody noticing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from lightgate.aws.ssm import SpecText
from lightgate.errors import MissingError, RefusedError, SpecError
from lightgate.image.config import Manifest, artifact_type
from lightgate.image.tags import PushedImage, is_artifact_tag
from lightgate.names import execution_name, start_of
from lightgate.operations.check_subscribers import check_subscribers
from lightgate.operations.check_tags import check_tags
from lightgate.operations.metrics import missed_pushes
from lightgate.operations.recover_abandoned import (
    ended_holder,
    ended_release,
    recover_abandoned,
    send_message,
    start_waiting_release,
)
from lightgate.release.lock import next_to_start, whole_seconds
from lightgate.release.request import broken_spec_request, missed_request
from lightgate.release.tag_changes import Change, changes, dealt_with
from lightgate.runtime import Json, Runtime
from lightgate.spec.app_spec import AppSpec
from lightgate.spec.broken import remains_of
from lightgate.spec.parser import parse_app_name, parse_spec

# So long an event of ECR may be under way before its push counts as missed.
_PATIENCE = timedelta(minutes=5)


def reconcile(_event: Json, runtime: Runtime) -> Json:
    """The names of the executions that this look started; none if nothing was missed.

    Every app and every unsent message is looked at for itself: trouble with one does not keep
    the others waiting, and no message keeps an app waiting. Safe to repeat, and to run beside
    itself.
    """
    started: list[str] = []
    troubled: list[str] = []
    began, stack = runtime.now(), runtime.settings.stack_id
    try:
        last_run = runtime.tag_checks.last_run(stack)
        for text in runtime.apps.all():
            try:
                name = _look_after(text, last_run, runtime)
            except RefusedError as error:
                runtime.logger.warning("an app is broken", app=text.app, reasons=error.reasons)
            except Exception:
                runtime.logger.exception("an app could not be looked after", app=text.app)
                troubled.append(text.app)
            else:
                started += [name] if name is not None else []
        if not troubled:
            runtime.tag_checks.ran(stack, began)
    finally:
        # Last, as SNS may keep this function waiting until its time is over.
        troubled += _send_all_that_is_owed(runtime)
        check_subscribers(runtime)
    missed_pushes(len(started), runtime)
    return {"started": started, "troubled": list(dict.fromkeys(troubled))}


def _send_all_that_is_owed(runtime: Runtime) -> Sequence[str]:
    """The apps of which a message could not be sent."""
    troubled = []
    for app, release in runtime.releases.owed_messages():
        try:
            _send_what_is_owed(app, release, runtime)
        except Exception:
            runtime.logger.exception("a message could not be sent", app=app, release=release)
            troubled.append(app)
    return troubled


def _look_after(text: SpecText, last_run: datetime | None, runtime: Runtime) -> str | None:
    try:
        app = parse_app_name(text.app)
        _finish_what_ended(app, runtime)
        spec = parse_spec(text.text, runtime.own_registry)
    except SpecError:
        _report_once(text, runtime)
        raise
    return _release_what_was_missed(app, spec, text, last_run, runtime)


def _release_what_was_missed(
    app: str, spec: AppSpec, text: SpecText, last_run: datetime | None, runtime: Runtime
) -> str | None:
    """Release the newest missed push. Older ones are not released any more."""
    checked = check_tags(text, spec, runtime, last_run=last_run)
    listed = changes(checked.check, checked.images)
    if not listed:
        return None
    missed = _newest_missed(app, spec, listed, runtime)
    if isinstance(missed, _NotYet):
        return None
    passed_over = [one.image.tag for group in listed for one in group if one is not missed]
    # First, so that the next check does not find them again beside the release.
    others = dealt_with(checked.check, passed_over)
    if not runtime.tag_checks.write(app, others, checked.number) or missed is None:
        return None
    image = missed.image
    runtime.logger.warning(
        "a push was missed", app=app, digest=image.digest, tag=image.tag, passed_over=passed_over
    )
    name = _release(app, spec, image, passed_over, runtime)
    # Admit may have done it already. Cut off before this, the same is found again with its name.
    runtime.tag_checks.write(app, dealt_with(others, [image.tag]), checked.number + 1)
    return name


class _NotYet:
    """The newest push is so new that its event may still come."""


def _newest_missed(
    app: str, spec: AppSpec, listed: Sequence[Sequence[Change]], runtime: Runtime
) -> Change | _NotYet | None:
    """The newest of the changes, if nobody has heard of it, and nothing newer is wished for."""
    newest = runtime.locks.read(app).newest
    for group in listed:
        manifests = {
            one: _manifest(spec, one, runtime)
            for one in group
            if not is_artifact_tag(one.image.tag)
        }
        found = [one for one, manifest in manifests.items() if not _is_artifact(manifest)]
        if not found:
            runtime.logger.info(
                "the push is an artifact and not an image",
                app=app,
                tags=[one.image.tag for one in group],
            )
            continue
        first = found[0]
        if any(_is_heard_of(app, one, runtime) for one in found):
            return None
        if first.image.pushed_at + _PATIENCE > runtime.now():
            return _NotYet()
        if newest is not None and whole_seconds(first.image.pushed_at) < newest.at:
            runtime.logger.warning(
                "a missed push may be older than the newest release, and is not released",
                app=app,
                tags=[one.image.tag for one in found],
                newest=newest.release,
            )
            return None
        if len({_running(spec, manifests[one], one, runtime) for one in found}) > 1:
            runtime.logger.warning(
                "which of these pushes is the newest cannot be told, and none is released",
                app=app,
                tags=[one.image.tag for one in found],
            )
            return None
        return first
    return None


def _manifest(spec: AppSpec, change: Change, runtime: Runtime) -> Manifest | None:
    """Its manifest; None if ECR gives none. Then the release says so."""
    try:
        image = {"imageDigest": change.image.digest}
        return runtime.registry.manifest(spec.repository, image)
    except RefusedError:
        return None


def _is_artifact(manifest: Manifest | None) -> bool:
    return manifest is not None and artifact_type(manifest) is not None


def _running(spec: AppSpec, manifest: Manifest | None, change: Change, runtime: Runtime) -> str:
    """The digest of what would run: `latest` and `v14` may be two indexes around one image."""
    if manifest is None:
        return change.image.digest
    return runtime.registry.running_digest(spec.repository, manifest)


def _report_once(text: SpecText, runtime: Runtime) -> None:
    """Report a broken spec that names no repository of this registry, as no push can report it.

    The name of the execution follows from the text: the same text is reported once.
    """
    if not remains_of(text.text).can_be_pushed_to(runtime.own_registry):
        name = execution_name(text.app, "broken-spec", f"{text.version} {text.text}")
        runtime.executions.start(name, broken_spec_request(text.app))


def _send_what_is_owed(app: str, release: str, runtime: Runtime) -> None:
    """Send the message of a release whose execution has ended without; one that runs sends its own.

    This needs no spec: the app may be gone, or was never there.
    """
    record = runtime.releases.get(app, release)
    if record.execution is None:
        raise MissingError(f"the record of release {release} names no execution")
    ended = ended_release(release, record.execution, runtime)
    if ended is None:
        return
    if record.outcome is None:
        recover_abandoned(app, ended, runtime)
    else:
        send_message(app, record.outcome, runtime)


def _finish_what_ended(app: str, runtime: Runtime) -> None:
    if (ended := ended_holder(app, runtime)) is not None:
        recover_abandoned(app, ended, runtime)
    else:
        start_waiting_release(app, next_to_start(runtime.locks.read(app)), runtime)


def _is_heard_of(app: str, change: Change, runtime: Runtime) -> bool:
    """Whether there is a release of the push on record, however that ended.

    An older image may have been so before this tag was put on it.
    """
    release = runtime.releases.release_of_image(app, change.image.digest)
    if release is None:
        return False
    return change.is_new or start_of(release) >= whole_seconds(change.image.pushed_at)


def _release(
    app: str, spec: AppSpec, image: PushedImage, passed_over: Sequence[str], runtime: Runtime
) -> str | None:
    moment = image.pushed_at.isoformat()
    name = execution_name(app, image.digest, f"missed {image.tag} {moment}")
    request = missed_request(app, spec.repository, image, passed_over)
    return name if runtime.executions.start(name, request) else None
