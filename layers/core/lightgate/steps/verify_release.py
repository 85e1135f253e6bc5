"""VerifyRelease: check the health of the live version."""

from functools import partial

from lightgate.deployment.pinning import why_other_images, without_command
from lightgate.deployment.status import Service, Status
from lightgate.errors import RefusedError
from lightgate.image.addresses import ImageAddress
from lightgate.names import COMMAND_CONTAINER, pin_tag
from lightgate.operations.check_health import Subject, new_version, old_version, watch_health
from lightgate.release.release import Release, ReleaseKind
from lightgate.rollback.reversal_policy import needs_reversal
from lightgate.rollback.version_history import listed_records
from lightgate.runtime import Runtime
from lightgate.spec.parser import parse_spec
from lightgate.state import State
from lightgate.verification.health import WatchStatus
from lightgate.verification.verified import Verified


def verify_release(state: State, runtime: Runtime) -> Verified:
    """The health of the new version, or of the previous one that Lightsail kept live.

    WATCHING asks for another check. GOOD, FAILED and REPLACED are final. SKIPPED: nothing was
    verified, with the reason.
    """
    release, deployment = state.admitted.release, state.created
    version, previous = deployment.version, deployment.previous_version
    before = state.verification.watch if state.verification is not None else None
    try:
        # A command runs beside a version that only the list shows.
        following = None if release.kind is ReleaseKind.COMMAND else release.id
        read = partial(
            runtime.lightsail.service, release.service, release.service_since, following=following
        )
        service = read()
        is_own = service.serves_own(version, release.id)
        if deployment.status is Status.ACTIVE:
            subject = _new_one(release, version, previous, service, runtime)
        elif is_own and release.kind is ReleaseKind.COMMAND and previous is not None:
            subject = _old_one(release, version, previous, service, runtime)
        elif is_own:
            return _skipped(
                f"Version {version} is live although its gate failed.",
                needs_rollback=release.kind is ReleaseKind.IMAGE,
            )
        elif previous is None:
            return _skipped("No version was live before.")
        elif not service.serves(previous):
            return _skipped(f"Version {previous}, the previous version, is no longer live.")
        else:
            subject = _old_one(release, previous, previous, service, runtime)
    except RefusedError as error:
        return _skipped(_sentence(error))
    found = watch_health(subject, service, before, runtime, read)
    is_new = subject.version == version
    if is_new and found.status is WatchStatus.GOOD:
        try:
            listed = runtime.lightsail.service(release.service, release.service_since)
            why = _why_other_images(release, version, previous, listed, runtime)
        except RefusedError as error:
            why = f"Whether it runs the image of this release is unknown: {error}."
        if why is not None:
            return _skipped(why)
    # The person who started a rollback or a command decides about the next step.
    needs_rollback = (
        found.status is WatchStatus.FAILED and is_new and release.kind is ReleaseKind.IMAGE
    )
    if not is_new and found.status is not WatchStatus.WATCHING:
        needs_rollback = needs_reversal(release, deployment)
    return Verified(
        status=found.status,
        version=subject.version,
        watch=found.watched,
        needs_rollback=needs_rollback,
        poll_seconds=found.poll_seconds,
    )


def _sentence(error: RefusedError) -> str:
    """The reason without its prefix `app: `, as it becomes a sentence of the message."""
    why = str(error)
    text = why.removeprefix("app: ")
    return why if text == why else text[:1].upper() + text[1:]


def _skipped(reason: str, *, needs_rollback: bool = False) -> Verified:
    return Verified(
        status=WatchStatus.SKIPPED, version=None, reason=reason, needs_rollback=needs_rollback
    )


def _new_one(
    release: Release, version: int, previous: int | None, service: Service, runtime: Runtime
) -> Subject:
    """The version of this release: one that has served before needs no watch period."""
    if release.kind is ReleaseKind.COMMAND and previous is not None:
        return _old_one(release, version, previous, service, runtime)
    spec = parse_spec(runtime.apps.read_again(release.app, release.spec).text)
    if release.kind is ReleaseKind.IMAGE:
        return new_version(version, spec, marker=release.id, digest=release.digest)
    return old_version(
        version, spec, service, digest=release.digest if release.spec is not None else None
    )


def _why_other_images(
    release: Release, version: int, previous: int | None, service: Service, runtime: Runtime
) -> str | None:
    """Why the version may not run what the release has deployed; None if it does.

    Raises:
        RefusedError: the tag that is deployed does not name the image of the release any more.
    """
    shown = service.deployment_of(release.id)
    if shown is None or shown.version != version:
        return f"The container service does not list version {version} of this release."
    if release.kind is ReleaseKind.IMAGE:
        pushed = _pinned(release, release.repository, runtime)
        spec = parse_spec(runtime.apps.read_again(release.app, release.spec).text)
        containers = spec.containers.items()
        return why_other_images(shown, {name: each.image or pushed for name, each in containers})
    before = release.rollback_to if release.kind is ReleaseKind.ROLLBACK else previous
    source = None if before is None else service.version_of(before)
    if source is None:
        return f"Version {before}, whose images are needed for the comparison, is not listed."
    if release.kind is ReleaseKind.COMMAND:
        command = {COMMAND_CONTAINER: _pinned(release, release.repository, runtime)}
        return why_other_images(shown, {**without_command(source), **command})
    # The version may be older than the repository that the spec of today names.
    for image in {each for each in without_command(source).values() if _is_pin_of(release, each)}:
        _pinned(release, ImageAddress.read(image).path, runtime)
    return why_other_images(shown, without_command(source))


def _is_pin_of(release: Release, image: str) -> bool:
    return release.digest is not None and image.endswith(f":{pin_tag(release.digest)}")


def _pinned(release: Release, repository: str, runtime: Runtime) -> str:
    """The image of the release as it is deployed from this repository.

    Raises:
        RefusedError: its tag names another image, or none.
    """
    registry, digest = runtime.registry, release.digest or ""
    manifest = registry.manifest(repository, {"imageDigest": digest})
    return registry.pinned(repository, registry.runnable(repository, manifest), pin_tag(digest))


def _old_one(
    release: Release, version: int, original: int, service: Service, runtime: Runtime
) -> Subject:
    """A version with the content of `original`, by the spec of then if that is on record."""
    past = listed_records(runtime.releases.versions(release.app), service).get(original)
    used = past.spec if past is not None else None
    spec = parse_spec(runtime.apps.read_again(release.app, used or release.spec).text)
    return old_version(
        version, spec, service, digest=past.digest if past is not None and used else None
    )
