"""Reconcile: find pushes and ended releases whose events never came.

ECR and Step Functions deliver events on a best-effort basis. On a schedule, this step starts the
release of a missed push, ends abandoned releases, sends unsent messages, removes old pin tags and
what stopped rehearsals have left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lightgate.aws.ssm import SpecText
from lightgate.errors import MissingError, RefusedError, SpecError, UnreachableError
from lightgate.image.config import Manifest, artifact_type
from lightgate.image.tags import PushedImage, is_artifact_tag
from lightgate.names import execution_name, start_of
from lightgate.operations.check_subscribers import check_subscribers
from lightgate.operations.check_tags import Checked, check_tags
from lightgate.operations.metrics import missed_pushes, releases_held, service_load
from lightgate.operations.recover_abandoned import (
    ended_holder,
    ended_release,
    recover_abandoned,
    send_message,
    start_waiting_release,
)
from lightgate.operations.remove_old_pins import Watched, remove_old_pins
from lightgate.operations.sweep_rehearsals import sweep_rehearsals
from lightgate.release.lock import Lock
from lightgate.release.lock_rules import next_to_start, whole_seconds
from lightgate.release.request import broken_spec_request, missed_request
from lightgate.release.tag_changes import Change, changes, dealt_with
from lightgate.runtime import Json, Runtime
from lightgate.spec.broken import remains_of
from lightgate.spec.keys import AppSpec
from lightgate.spec.parser import parse_app_name, parse_spec

# An event of ECR may take this long before its push counts as missed.
_EVENT_DELAY = timedelta(minutes=5)


def reconcile(_event: Json, runtime: Runtime) -> Json:
    """The names of the executions that this run started; none if nothing was missed.

    An error of one app or one message does not stop the others: it is logged, and the app is
    returned under `troubled`. Idempotent, also while another run is in progress.
    """
    started: list[str] = []
    troubled: list[str] = []
    began, stack = runtime.now(), runtime.settings.stack_id
    held, watched, apps = _Held(), list[Watched | None](), list[str]()
    try:
        last_run = runtime.tag_checks.last_run(stack)
        for text in runtime.apps.all():
            apps.append(text.app)
            try:
                name = _reconcile_app(text, last_run, watched, runtime)
                held.add(runtime.locks.read(text.app), runtime.now())
            except RefusedError as error:
                runtime.logger.warning("an app is broken", app=text.app, reasons=error.reasons)
                watched.append(None)
            except Exception:
                runtime.logger.exception("an app could not be reconciled", app=text.app)
                troubled.append(text.app)
            else:
                started += [name] if name is not None else []
        if not troubled:
            runtime.tag_checks.ran(stack, began)
            _remove_old_pins(watched, runtime)
    finally:
        _sweep_rehearsals(apps, runtime)
        # Last, because SNS may not answer before this function times out.
        troubled += _send_owed_messages(runtime)
        check_subscribers(runtime)
    missed_pushes(len(started), runtime)
    releases_held(held.waiting, held.longest.total_seconds(), runtime)
    return {"started": started, "troubled": list(dict.fromkeys(troubled))}


def _sweep_rehearsals(apps: Sequence[str], runtime: Runtime) -> None:
    """The log has an error if AWS refuses it, and so the alarm ErrorAlarm tells of it."""
    try:
        sweep_rehearsals(apps, runtime)
    except Exception:
        runtime.logger.exception("what rehearsals have left could not be removed")


def _remove_old_pins(watched: Sequence[Watched | None], runtime: Runtime) -> None:
    """Nothing depends on it. A broken spec may name any repository, so then all pins stay."""
    known = [one for one in watched if one is not None]
    if len(known) < len(watched):
        return
    try:
        remove_old_pins(known, runtime)
    except Exception:
        runtime.logger.exception("old pin tags could not be removed")


@dataclass(slots=True)
class _Held:
    """How many releases wait, and for how long the oldest lock has been held."""

    waiting: int = 0
    longest: timedelta = timedelta()

    def add(self, lock: Lock, now: datetime) -> None:
        self.waiting += lock.waiting is not None
        if lock.holder is not None:
            self.longest = max(self.longest, now - start_of(lock.holder.release))


def _send_owed_messages(runtime: Runtime) -> Sequence[str]:
    """Send all unsent messages. Returns the apps for which that failed."""
    troubled = []
    for app, release in runtime.releases.owed_messages():
        try:
            _send_owed_message(app, release, runtime)
        except Exception:
            runtime.logger.exception("a message could not be sent", app=app, release=release)
            troubled.append(app)
    return troubled


def _reconcile_app(
    text: SpecText, last_run: datetime | None, watched: list[Watched | None], runtime: Runtime
) -> str | None:
    try:
        app = parse_app_name(text.app)
        _finish_ended_release(app, runtime)
        spec = parse_spec(text.text, runtime.own_registry)
    except SpecError:
        _report_once(text, runtime)
        raise
    try:
        service_load(app, runtime.lightsail.load(spec.service), runtime)
    except UnreachableError as error:
        runtime.logger.warning("the load of a service is unknown", app=app, why=str(error))
    checked = check_tags(text, spec, runtime, last_run=last_run)
    moving = frozenset(tag for tag in spec.tags if "*" not in tag)
    watched.append(
        Watched(app=app, repository=spec.repository, moving=moving, images=checked.images)
    )
    return _release_missed_push(app, spec, checked, runtime)


def _release_missed_push(app: str, spec: AppSpec, checked: Checked, runtime: Runtime) -> str | None:
    """Release the newest missed push. Older ones are not released any more."""
    listed = changes(checked.check, checked.images)
    if not listed:
        return None
    missed = _newest_missed(app, spec, listed, runtime)
    if isinstance(missed, _NotYet):
        return None
    superseded = [one.image.tag for group in listed for one in group if one is not missed]
    # First, so that the next check does not find these tags again.
    others = dealt_with(checked.check, superseded)
    if not runtime.tag_checks.write(app, others, checked.number) or missed is None:
        return None
    image = missed.image
    runtime.logger.warning(
        "a push was missed", app=app, digest=image.digest, tag=image.tag, superseded=superseded
    )
    name = _release(app, spec, image, superseded, runtime)
    # Admit may have done it already. After a crash before this, the same name is found again.
    runtime.tag_checks.write(app, dealt_with(others, [image.tag]), checked.number + 1)
    return name


class _NotYet:
    """The newest push is so new that its event may still come."""


def _newest_missed(
    app: str, spec: AppSpec, listed: Sequence[Sequence[Change]], runtime: Runtime
) -> Change | _NotYet | None:
    """The newest change, if it is not released yet and no newer release was requested."""
    newest = runtime.locks.read(app).latest
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
        if any(_is_released(app, one, runtime) for one in found):
            return None
        if first.image.pushed_at + _EVENT_DELAY > runtime.now():
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
    """Its manifest; None if ECR has none. The release is then refused with the reason."""
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


def _send_owed_message(app: str, release: str, runtime: Runtime) -> None:
    """Send the message of an ended execution. A running one sends its own message.

    This needs no spec, because the app may be deleted or may never have existed.
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


def _finish_ended_release(app: str, runtime: Runtime) -> None:
    if (ended := ended_holder(app, runtime)) is not None:
        recover_abandoned(app, ended, runtime)
    else:
        start_waiting_release(app, next_to_start(runtime.locks.read(app)), runtime)


def _is_released(app: str, change: Change, runtime: Runtime) -> bool:
    """Whether a release of the push is on record, whatever its outcome.

    A release of the image from before the tag was put on it does not count.
    """
    release = runtime.releases.release_of_image(app, change.image.digest)
    if release is None:
        return False
    return change.is_new or start_of(release) >= whole_seconds(change.image.pushed_at)


def _release(
    app: str, spec: AppSpec, image: PushedImage, superseded: Sequence[str], runtime: Runtime
) -> str | None:
    moment = image.pushed_at.isoformat()
    name = execution_name(app, image.digest, f"missed {image.tag} {moment}")
    request = missed_request(app, spec.repository, image, superseded)
    return name if runtime.executions.start(name, request) else None
