"""Build the request for a deployment, with its secrets. Only Deploy and RollBack need it.

The request must not be returned from a step, logged or stored. The notes may.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lightgate.aws.clients import reaching
from lightgate.deployment.compiler import ImageSource, check_size, compile_deployment
from lightgate.deployment.one_off_command import compile_app, compile_command, waiting_for_command
from lightgate.deployment.pinning import other_images
from lightgate.deployment.redeploy import Redeployment, redeploy
from lightgate.deployment.status import Service
from lightgate.errors import RefusalCode, RefusedError, UnreachableError, joined
from lightgate.names import (
    CHECKED,
    COMMAND_CONTAINER,
    RELEASE_VARIABLE,
    ROLLBACK_VARIABLE,
    STACK_VARIABLE,
    UNCHECKED,
    pin_tag,
    rollback_marker,
)
from lightgate.operations.gate_channel import open_gate_channels
from lightgate.operations.kept_images import refuse_without_images
from lightgate.records.version import VersionRecord
from lightgate.release.release import Release, ReleaseKind, UsedSpec
from lightgate.rollback.reversal_policy import reversal_release
from lightgate.rollback.version_history import listed_records
from lightgate.runtime import Runtime
from lightgate.spec.keys import AppSpec, SecretReference
from lightgate.spec.parser import parse_spec
from lightgate.spec.warnings.secrets import warnings_of_values


def build_deployment(release: Release, service: Service, runtime: Runtime) -> Redeployment:
    """The deployment of the release, and the notes for its message.

    Raises:
        RefusedError: an image, a secret or the spec is missing or wrong.
    """
    match release.kind:
        case ReleaseKind.IMAGE:
            return _image(release, runtime)
        case ReleaseKind.ROLLBACK:
            mode, version = UNCHECKED if release.allow_destructive else CHECKED, release.rollback_to
            refuse_without_images(service, version or 0, release.app, "rollbackTo", runtime)
            return build_rollback(release, version or 0, release.spec, release.id, mode, runtime)
        case ReleaseKind.COMMAND:
            return _command(release, service, runtime)


def build_rollback(
    release: Release,
    version: int,
    used: UsedSpec | None,
    marker: str,
    mode: str,
    runtime: Runtime,
) -> Redeployment:
    """The deployment of an old version, with the current values of its secrets.

    The spec by which the version was deployed names the secrets; all other values stay. If that
    spec is unknown (`used` is None), all values stay.

    Raises:
        SpecReplacedError: the spec of then was deleted and stored again.
    """
    listed = runtime.lightsail.listed(release.service, version)
    markers = {RELEASE_VARIABLE: marker, ROLLBACK_VARIABLE: mode}
    if stack := runtime.settings.stack:
        markers[STACK_VARIABLE] = stack
    if used is None:
        return redeploy(release.service, listed, markers, {})
    spec = _spec(release.app, used, runtime)
    values = _secrets(spec, runtime)
    again = redeploy(release.service, listed, markers, _by_container(spec, values))
    return replace(again, notes=(*again.notes, *warnings_of_values(values)))


def notes_again(release: Release, service: Service, runtime: Runtime) -> Sequence[str]:
    """The notes of a deployment that exists, if the answer with its notes is lost."""
    match release.kind:
        case ReleaseKind.IMAGE:
            return _image_notes_again(release, runtime)
        case ReleaseKind.ROLLBACK:
            version = release.rollback_to or 0
            return rollback_notes_again(release, version, release.spec, runtime)
        case ReleaseKind.COMMAND:
            ours = service.deployment_of(release.id)
            served = [
                one.version
                for one in service.deployments
                if one.state in ("ACTIVE", "INACTIVE") and ours and one.version < ours.version
            ]
            past = _past(release.app, service, max(served), runtime) if served else None
            if not served or (past and past.spec and past.digest):
                return ()
            return rollback_notes_again(release, max(served), None, runtime)


def rollback_notes_again(
    release: Release, version: int, used: UsedSpec | None, runtime: Runtime
) -> Sequence[str]:
    """The same for a version that was deployed again, compared with the current secrets."""
    try:
        again = build_rollback(release, version, used, release.id, CHECKED, runtime)
    except RefusedError as error:
        # The deployment exists, so a refusal now is only a note.
        why = joined(error.reasons)
        return [f"Whether its secrets have changed could not be found out again: {why}"]
    return again.notes


def _image_notes_again(release: Release, runtime: Runtime) -> Sequence[str]:
    """The warnings of today's secrets; none if they cannot be read. The deployment stays ours."""
    try:
        with reaching("the store of the spec or of a secret"):
            spec = _own_spec(release, runtime)
            return _image_notes(spec, _secrets(spec, runtime))
    except (RefusedError, UnreachableError) as error:
        runtime.logger.warning("the secrets cannot be checked again", why=str(error))
        return ()


def _image(release: Release, runtime: Runtime) -> Redeployment:
    spec = _own_spec(release, runtime)
    values = _secrets(spec, runtime)
    request = compile_deployment(
        spec,
        _source(spec, release.digest or "", runtime),
        release.id,
        values,
        stack=runtime.settings.stack,
        mailboxes=open_gate_channels(release, runtime),
        allow_destructive=release.allow_destructive,
    )
    return Redeployment(request=request, notes=_image_notes(spec, values))


def _image_notes(spec: AppSpec, values: Mapping[SecretReference, str]) -> tuple[str, ...]:
    return (*other_images(spec), *warnings_of_values(values))


def _command(release: Release, service: Service, runtime: Runtime) -> Redeployment:
    serving = service.current
    if serving is None:
        raise RefusedError(
            "command: no version is live, so there is no app to run it beside",
            code=RefusalCode.NOTHING_LIVE,
        )
    refuse_without_images(service, serving.version, release.app, "command", runtime)
    spec = _own_spec(release, runtime)
    beside = _known(release.app, service, serving.version, runtime)
    container = compile_command(
        spec,
        release.command or (),
        _source(spec, release.digest or "", runtime),
        release.id,
        _secrets(spec, runtime),
        stack=runtime.settings.stack,
        mailbox=open_gate_channels(release, runtime)[COMMAND_CONTAINER],
        allow_destructive=release.allow_destructive,
        beside=beside.spec if beside is not None else None,
    )
    if beside is not None:
        # Compiled again, because the programs of its gates are then smaller.
        source = _source(beside.spec, beside.digest, runtime)
        secrets = _secrets(beside.spec, runtime)
        app = compile_app(
            beside.spec,
            source,
            release.id,
            secrets,
            stack=runtime.settings.stack,
            code=beside.code,
        )
        served = Redeployment(request=app, notes=())
    else:
        served = build_rollback(release, serving.version, None, release.id, UNCHECKED, runtime)
    containers = {**served.request["containers"], COMMAND_CONTAINER: container}
    request = {**served.request, "containers": containers}
    check_size(request)
    return Redeployment(request=request, notes=served.notes)


def build_reversal(
    release: Release, call: Sequence[str], target: VersionRecord, runtime: Runtime
) -> Redeployment:
    """The old version, all of which waits for the command that reverses the release's migrations.

    Raises:
        RefusedError: an image, a secret or a spec is missing or has changed, or it is too large.
    """
    marker, stack = rollback_marker(release.id), runtime.settings.stack
    spec, old = _own_spec(release, runtime), _spec(release.app, _known_spec(target), runtime)
    beside = waiting_for_command(old)
    app = compile_app(
        beside,
        _pinned_source(old, target.digest or "", runtime),
        marker,
        _secrets(old, runtime),
        stack=stack,
        code=target.code,
        schema_check=CHECKED,
    )
    container = compile_command(
        spec,
        tuple(call),
        _pinned_source(spec, release.digest or "", runtime),
        marker,
        _secrets(spec, runtime),
        stack=stack,
        mailbox=open_gate_channels(reversal_release(release), runtime)[COMMAND_CONTAINER],
        allow_destructive=True,
        beside=beside,
        restores=release.id,
    )
    request = {**app, "containers": {**app["containers"], COMMAND_CONTAINER: container}}
    check_size(request)
    return Redeployment(request=request, notes=())


def _known_spec(target: VersionRecord) -> UsedSpec:
    """The spec by which the version was deployed.

    Raises:
        RefusedError: it is not on record.
    """
    if target.spec is None:
        raise RefusedError(
            f"the spec of version {target.version} is not on record", code=RefusalCode.ROLLBACK
        )
    return target.spec


@dataclass(frozen=True, slots=True)
class _Known:
    """The spec and the image of a version, and the release that first deployed its code."""

    spec: AppSpec
    digest: str
    code: str | None


def _known(app: str, service: Service, version: int, runtime: Runtime) -> _Known | None:
    """The spec, the image and the code of a version, if spec and image are known."""
    past = _past(app, service, version, runtime)
    if past is None or past.spec is None or past.digest is None:
        return None
    return _Known(_spec(app, past.spec, runtime), past.digest, past.code)


def _past(app: str, service: Service, version: int, runtime: Runtime) -> VersionRecord | None:
    return listed_records(runtime.releases.versions(app), service).get(version)


def _spec(app: str, used: UsedSpec, runtime: Runtime) -> AppSpec:
    return parse_spec(runtime.apps.read_again(app, used).text)


def _own_spec(release: Release, runtime: Runtime) -> AppSpec:
    """The spec by which the release was admitted."""
    if release.spec is None:
        raise RefusedError(
            "app: this release was admitted by an older version of Lightgate, which did not record "
            "the text of its spec. The spec may have changed since then. Start the release again.",
            code=RefusalCode.UPDATED,
        )
    return _spec(release.app, release.spec, runtime)


def _source(spec: AppSpec, digest: str, runtime: Runtime) -> ImageSource:
    """The image, pinned, so that a node that is launched later runs the same."""
    registry = runtime.registry
    pushed = registry.manifest(spec.repository, {"imageDigest": digest})
    manifest = registry.runnable(spec.repository, pushed)
    config = registry.config(spec.repository, manifest)
    reference = registry.pin(spec.repository, manifest, pin_tag(manifest.digest))
    return ImageSource(reference=reference, config=config)


def _pinned_source(spec: AppSpec, digest: str, runtime: Runtime) -> ImageSource:
    """The image as it was pinned before."""
    registry = runtime.registry
    pushed = registry.manifest(spec.repository, {"imageDigest": digest})
    manifest = registry.runnable(spec.repository, pushed)
    reference = registry.pinned(spec.repository, manifest, pin_tag(manifest.digest))
    return ImageSource(reference=reference, config=registry.config(spec.repository, manifest))


def _secrets(spec: AppSpec, runtime: Runtime) -> Mapping[SecretReference, str]:
    return runtime.secrets.resolve(
        reference
        for container in spec.containers.values()
        for reference in container.secrets.values()
    )


def _by_container(
    spec: AppSpec, values: Mapping[SecretReference, str]
) -> Mapping[str, Mapping[str, str]]:
    return {
        name: {variable: values[reference] for variable, reference in container.secrets.items()}
        for name, container in spec.containers.items()
    }
