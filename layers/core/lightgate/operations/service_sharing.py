"""Which app a container service belongs to. Only that app deploys to it.

A service belongs to the app that got the lock for it last, and stays its own as long as its spec
names the service. So of two apps whose specs name one service only one deploys, and one release at
a time changes a service.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lightgate.deployment.status import Service
from lightgate.errors import RefusalCode, RefusedError, SpecError
from lightgate.names import marked_release
from lightgate.operations.recover_abandoned import ended_holder, try_to_recover
from lightgate.release.lock import Lock
from lightgate.runtime import Runtime
from lightgate.spec.parser import parse_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """The service belongs to the app, as of a transaction with these conditions.

    `after` is the last release of the app from which the service is taken over, if its execution
    has ended without releasing the lock: a function of it may still be running.
    """

    conditions: Sequence[dict[str, Any]]
    after: str | None = None


def tenancy(service: Service, app: str, runtime: Runtime) -> Tenancy:
    """What lets the app deploy to the service.

    Another app has lost it if its spec is gone or names another service, and none of its releases
    is in progress there. A spec that cannot be read is not gone.

    Raises:
        RefusedError: the service belongs to another app.
        UnreachableError: the service has no item yet, and the other apps cannot be listed.
    """
    known = runtime.services.app_of(service.name)
    owner = known or _by_deployment(service, app, runtime)
    belongs = runtime.services.belongs_to(app, service.name, known)
    if owner in (None, app):
        return Tenancy(conditions=[belongs])
    _refuse_if_named(service.name, owner, app, runtime)
    lock, unchanged = _refuse_if_used(service.name, owner, app, runtime)
    return Tenancy(conditions=[belongs, unchanged], after=lock.abandoned)


def _by_deployment(service: Service, app: str, runtime: Runtime) -> str | None:
    """The app of the newest deployment, for a table of an earlier Lightgate without such items."""
    in_progress = {name for name, _ in runtime.releases.owed_messages()} - {app}
    newest = service.newest_release
    if newest is not None and newest.release is not None:
        release = marked_release(newest.release)
        if runtime.releases.find(app, release) is not None:
            return app
        others = {*in_progress, *(text.app for text in runtime.apps.others(app))}
        for other in sorted(others):
            if runtime.releases.find(other, release) is not None:
                return other
    for other in sorted(in_progress):
        _refuse_if_used(service.name, other, app, runtime)
    return None


def _refuse_if_named(service: str, owner: str, app: str, runtime: Runtime) -> None:
    why = ""
    try:
        if parse_spec(runtime.apps.read(owner).text).service != service:
            return
    except SpecError as error:
        why = f" The spec of {owner} cannot be read, and may still name it: {error.reasons[0]}."
    except RefusedError:
        return
    path = runtime.settings.apps_path
    raise RefusedError(
        f"serviceName: {app} deploys to the service {service}, which belongs to the app "
        f"{owner}.{why} Two apps on one service would replace each other. If both apps "
        f"are needed, give {app} its own service in {path}/{app}. If {app} replaces {owner}, "
        f"delete the other spec with aws ssm delete-parameter --name {path}/{owner}. Then release "
        f"{app} again.",
        code=RefusalCode.SERVICE_TAKEN,
    )


def _refuse_if_used(
    service: str, owner: str, app: str, runtime: Runtime
) -> tuple[Lock, dict[str, Any]]:
    """The lock of the owner, with the condition that it does not change."""
    if (ended := ended_holder(owner, runtime)) is not None:
        try_to_recover(owner, ended, runtime)
    lock, unchanged = runtime.locks.unchanged(owner)
    if lock.holder is not None:
        record = runtime.releases.get(owner, lock.holder.release)
        if record.admission is None or record.admission.release.service == service:
            raise RefusedError(
                f"serviceName: {app} deploys to the service {service}, on which the "
                f"release {lock.holder.release} of the app {owner} is in progress. Wait until that "
                f"release has ended, and release {app} again.",
                code=RefusalCode.SERVICE_TAKEN,
            )
    return lock, unchanged
