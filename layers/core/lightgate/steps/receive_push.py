"""ReceivePush: an image arrived in ECR; start a release for each app that watches it."""

from lightgate.aws.clients import reaching
from lightgate.aws.ssm import SpecText
from lightgate.errors import RefusedError, RequestError, SpecError, UnreachableError
from lightgate.image.config import artifact_type
from lightgate.image.tags import is_artifact_tag
from lightgate.names import execution_name
from lightgate.operations.metrics import releases_started
from lightgate.release.request import Push, parse_push, push_request
from lightgate.runtime import Json, Runtime
from lightgate.spec.broken import remains_of
from lightgate.spec.parser import parse_app_name, parse_spec


def receive_push(event: Json, runtime: Runtime) -> Json:
    """The names of the executions that this event started; none if it came before."""
    try:
        push = parse_push(event)
    except RequestError as error:
        # A retry would not help, so it does not belong in the dead-letter queue.
        runtime.logger.error("this is not an event of an ECR push", reasons=error.reasons)
        return {"started": []}
    if push is None:
        return {"started": []}
    if runtime.home.is_foreign(event):
        runtime.logger.warning(
            "this push is of another account or region and starts nothing",
            account=event.get("account"),
            region=event.get("region"),
        )
        return {"started": []}
    watching = [spec.app for spec in runtime.apps.all() if _watches(spec, push, runtime)]
    if not watching:
        runtime.logger.info("no app watches this push", repository=push.repository, tag=push.tag)
    elif (kind := _artifact(push, runtime)) is not None:
        runtime.logger.info(
            "the push is an artifact and not an image, so it starts nothing",
            repository=push.repository,
            tag=push.tag,
            digest=push.digest,
            kind=kind,
        )
        watching = []
    started = []
    for app in watching:
        name = execution_name(app, push.digest, push.event_id)
        if runtime.executions.start(name, push_request(app, push)):
            started.append(name)
    releases_started(len(started), runtime)
    return {"started": started}


def _artifact(push: Push, runtime: Runtime) -> str | None:
    """The kind of artifact that was pushed; None for an image, or if ECR cannot be read.

    Admit then checks it again.
    """
    if is_artifact_tag(push.tag):
        return push.tag
    try:
        with reaching("ECR"):
            image = {"imageDigest": push.digest}
            return artifact_type(runtime.registry.manifest(push.repository, image))
    except (RefusedError, UnreachableError) as error:
        runtime.logger.warning("the pushed manifest cannot be read", why=str(error))
        return None


def _watches(text: SpecText, push: Push, runtime: Runtime) -> bool:
    """Whether the push is for the app.

    A broken spec, or a parameter whose name no app can have, still counts where its repository
    can be told: the release ends as REFUSED and subscribers hear why, instead of a push that does
    nothing.
    """
    try:
        spec = parse_spec(text.text, runtime.own_registry)
        parse_app_name(text.app)
    except SpecError as error:
        concerned = _may_watch(text, push, runtime)
        runtime.logger.warning(
            "an app is broken", app=text.app, reasons=error.reasons, concerned=concerned
        )
        return concerned
    return spec.watches(push.repository, push.tag)


def _may_watch(text: SpecText, push: Push, runtime: Runtime) -> bool:
    """Whether the push would be for the app if its spec were not broken.

    The repository that the text still names decides. Without one it is the repository of the last
    release, or the name of the app or the service. Any other push is left alone, so that a broken
    spec is not reported with each push of the account: Reconcile reports it once.
    """
    remains = remains_of(text.text)
    if not remains.may_watch(push.tag):
        return False
    if remains.repositories:
        return push.repository in remains.repositories
    last = runtime.releases.last_known(text.app)
    return push.repository in ((last.repository,) if last else (text.app, remains.service))
