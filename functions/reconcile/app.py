"""Reconcile: look for what no event has told of, and go on with it.

Events of ECR and of Step Functions are best effort. This finds the image whose push was
never heard of, and the release that ended without anybody noticing.
"""

from collections.abc import Sequence
from datetime import timedelta

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.app_spec.spec import AppSpec
from lightgate.aws.parameters import SpecText
from lightgate.cleaning import clean_up, ended_holder, ended_release, send_message, start_next
from lightgate.errors import MissingError, RefusedError, SpecError
from lightgate.image import PushedImage, newest_watched
from lightgate.release import execution_name
from lightgate.requests import broken_spec_request, missed_request
from lightgate.runtime import Json, Runtime, run
from lightgate.spec_parser.broken import remains_of
from lightgate.spec_parser.parser import parse_app_name, parse_spec
from lightgate.subscribers import check_subscribers
from lightgate.turn import next_to_start

# So long an event of ECR may be under way before its push counts as missed.
_PATIENCE = timedelta(minutes=5)


def handler(event: Json, context: LambdaContext) -> Json:
    return run(reconcile, event, context)


def reconcile(_event: Json, runtime: Runtime) -> Json:
    """The names of the executions that this look started; none if nothing was missed.

    Every app and every unsent message is looked at for itself: trouble with one does not keep
    the others waiting, and no message keeps an app waiting. Safe to repeat, and to run beside
    itself.
    """
    started: list[str] = []
    troubled: list[str] = []
    try:
        for text in runtime.apps.all():
            try:
                name = _look_after(text, runtime)
            except RefusedError as error:
                runtime.logger.warning("an app is broken", app=text.app, reasons=error.reasons)
            except Exception:
                runtime.logger.exception("an app could not be looked after", app=text.app)
                troubled.append(text.app)
            else:
                started += [name] if name is not None else []
    finally:
        # Last, as SNS may keep this function waiting until its time is over.
        troubled += _send_all_that_is_owed(runtime)
        check_subscribers(runtime)
    runtime.metrics.add_metric("lightgateMissedPushes", MetricUnit.Count, len(started))
    return {"started": started, "troubled": list(dict.fromkeys(troubled))}


def _send_all_that_is_owed(runtime: Runtime) -> Sequence[str]:
    """The apps of which a message could not be sent."""
    troubled = []
    for app, release in runtime.records.owed_messages():
        try:
            _send_what_is_owed(app, release, runtime)
        except Exception:
            runtime.logger.exception("a message could not be sent", app=app, release=release)
            troubled.append(app)
    return troubled


def _look_after(text: SpecText, runtime: Runtime) -> str | None:
    try:
        app = parse_app_name(text.app)
        _finish_what_ended(app, runtime)
        spec = parse_spec(text.text, runtime.own_registry)
    except SpecError:
        _report_once(text, runtime)
        raise
    newest = newest_watched(runtime.registry.tagged_images(spec.repository), spec.tags)
    if not newest or not all(_is_missed(app, image, runtime) for image in newest):
        return None
    image = newest[0]
    runtime.logger.warning("a push was missed", app=app, digest=image.digest, tag=image.tag)
    return _release(app, spec, image, runtime)


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
    record = runtime.records.get(app, release)
    if record.execution is None:
        raise MissingError(f"the record of release {release} names no execution")
    ended = ended_release(release, record.execution, runtime)
    if ended is None:
        return
    if record.outcome is None:
        clean_up(app, ended, runtime)
    else:
        send_message(app, record.outcome, runtime)


def _finish_what_ended(app: str, runtime: Runtime) -> None:
    if (ended := ended_holder(app, runtime)) is not None:
        clean_up(app, ended, runtime)
    else:
        start_next(app, next_to_start(runtime.turns.read(app)), runtime)


def _is_missed(app: str, image: PushedImage, runtime: Runtime) -> bool:
    """Whether nothing is on record of the image: it was never released, refused or passed over."""
    if image.pushed_at + _PATIENCE > runtime.now():
        return False
    return not runtime.records.knows_image(app, image.digest)


def _release(app: str, spec: AppSpec, image: PushedImage, runtime: Runtime) -> str | None:
    name = execution_name(app, image.digest, f"missed {image.pushed_at.isoformat()}")
    request = missed_request(app, spec.repository, image)
    return name if runtime.executions.start(name, request) else None
