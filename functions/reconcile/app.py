"""Reconcile: look for what no event has told of, and go on with it.

Events of ECR and of Step Functions are best effort. This finds the image whose push was
never heard of, and the release that ended without anybody noticing.
"""

from datetime import timedelta

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.app_spec.spec import AppSpec
from lightgate.aws.parameters import SpecText
from lightgate.cleaning import clean_up, start_next
from lightgate.errors import RefusedError, SpecError
from lightgate.image import PushedImage, newest_watched
from lightgate.release import execution_name
from lightgate.requests import broken_spec_request, missed_request
from lightgate.runtime import Json, Runtime, run
from lightgate.spec_parser.broken import remains_of
from lightgate.spec_parser.parser import parse_app_name, parse_spec

# So long an event of ECR may be under way before its push counts as missed.
_PATIENCE = timedelta(minutes=5)


def handler(event: Json, context: LambdaContext) -> Json:
    return run(reconcile, event, context)


def reconcile(_event: Json, runtime: Runtime) -> Json:
    """The names of the executions that this look started; none if nothing was missed.

    Every app is looked at for itself: trouble with one does not keep the others waiting.
    Safe to repeat, and to run beside itself.
    """
    started, troubled = [], []
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
    runtime.metrics.add_metric("lightgateMissedPushes", MetricUnit.Count, len(started))
    return {"started": started, "troubled": troubled}


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


def _finish_what_ended(app: str, runtime: Runtime) -> None:
    holder = runtime.turns.read(app).holder
    if holder is None:
        start_next(app, runtime)
    elif (ended := runtime.executions.ended(holder.execution)) is not None:
        clean_up(app, ended, runtime)


def _is_missed(app: str, image: PushedImage, runtime: Runtime) -> bool:
    """Whether nothing is on record of the image: it was never released, refused or passed over."""
    if image.pushed_at + _PATIENCE > runtime.now():
        return False
    return not runtime.records.knows_image(app, image.digest)


def _release(app: str, spec: AppSpec, image: PushedImage, runtime: Runtime) -> str | None:
    name = execution_name(app, image.digest, f"missed {image.pushed_at.isoformat()}")
    request = missed_request(app, spec.repository, image)
    return name if runtime.executions.start(name, request) else None
