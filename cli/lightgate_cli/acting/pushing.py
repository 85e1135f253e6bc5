"""A push by hand: whether it would start a release, the push itself, and its release."""

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lightgate.errors import RefusedError
from lightgate.image.config import config_digest
from lightgate.names import start_of
from lightgate.records.wording import called
from lightgate.release.lock import Pause
from lightgate.release.request import is_tag
from lightgate.spec.keys import AppSpec
from lightgate_cli.acting.docker import PLATFORM, Docker, LocalImage, login_of
from lightgate_cli.acting.following import Followed
from lightgate_cli.acting.live import require_status
from lightgate_cli.acting.start import require_spec
from lightgate_cli.connection import Connection
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading.app_status import AppStatus, Live

# Events of ECR come within seconds. A missed push is found by Reconcile, in 20 minutes.
_LONGEST_START = timedelta(minutes=2)
_POLL = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to push, and what is there now. `digest` is what the tag names now, if anything.

    `newest` is the app's newest release before the push.
    """

    app: str
    repository: str
    tag: str
    digest: str | None
    live: Live | None
    newest: str | None
    paused: Pause | None = None


def target_of_push(app: str, tag: str | None, connection: Connection) -> Target:
    """Raises CommandError if a push with this tag cannot start a release."""
    spec = require_spec(app, connection)
    named = watched_tag(app, tag, spec)
    _, status = require_status(app, connection)
    digest = _tagged(spec.repository, named, connection)
    if digest is not None and _is_immutable(spec.repository, connection):
        raise _immutable(app, spec.repository, named, digest, status)
    return Target(
        app=app,
        repository=spec.repository,
        tag=named,
        digest=digest,
        live=status.live,
        newest=connection.newest_release(app),
        paused=status.paused,
    )


def watched_tag(app: str, tag: str | None, spec: AppSpec) -> str:
    """The tag to push, which the spec has to watch."""
    watched = ", ".join(spec.tags)
    if tag is None:
        tag = spec.default_tag()
        if tag is None:
            raise CommandError(
                Problem.USAGE,
                f"The spec of {app} has only tag patterns ({watched}), so there is no default tag.",
                hint="Give a tag that one of them matches with --tag.",
            )
    if not is_tag(tag):
        raise CommandError(
            Problem.USAGE,
            f"{tag} is no image tag: letters, digits, _, . and - are allowed, 128 at most.",
        )
    if not spec.watches(spec.repository, tag):
        raise CommandError(
            Problem.IGNORED,
            f"The spec of {app} ignores the tag {tag}: it watches {watched}.",
            hint=f"Push a watched tag, or add {tag} to tags in the spec.",
        )
    return tag


def push_image(
    target: Target, folder: Path, image: str | None, docker: Docker, connection: Connection
) -> str:
    """Build or take the image and push it. The digest that the tag names then.

    Raises:
        CommandError: docker failed, or the push of this image would start no release.
    """
    login = login_of(connection)
    name = f"{login.host}/{target.repository}:{target.tag}"
    if image is None:
        docker.build(folder, name)
    found = docker.image(image or name)
    if found.platform != PLATFORM:
        raise CommandError(
            Problem.USAGE,
            f"The image {image or name} is for {found.platform}; Lightsail runs {PLATFORM} only.",
            hint=f"Build it with docker build --platform {PLATFORM}.",
        )
    _refuse_if_live(target, found, connection)
    if image is not None:
        docker.tag(image, name)
    docker.log_in(login)
    docker.push(name)
    digest = _tagged(target.repository, target.tag, connection)
    if digest is None:
        raise CommandError(
            Problem.UNREADABLE,
            f"ECR does not show {target.repository}:{target.tag} after the push.",
        )
    if digest == target.digest:
        raise CommandError(
            Problem.IGNORED,
            f"The tag {target.tag} named this image already, so the push starts no release.",
            hint=f"To release it: lightgate release {target.app} --tag {target.tag}",
        )
    return digest


def release_of_push(target: Target, digest: str, connection: Connection) -> Followed:
    """Wait for the release that the push starts.

    Raises:
        CommandError: none has started within two minutes.
    """
    until = time.monotonic() + _LONGEST_START.total_seconds()
    while time.monotonic() < until:
        release = connection.releases.release_of_image(target.app, digest)
        if release is not None and _is_new(release, target.newest):
            record = connection.releases.get(target.app, release)
            if record.execution is not None:
                return Followed(app=target.app, execution=record.execution, release=release)
        time.sleep(_POLL.total_seconds())
    raise CommandError(
        Problem.NOT_STARTED,
        f"The image is pushed, and no release of it has started within "
        f"{_LONGEST_START // timedelta(minutes=1)} minutes.",
        hint="Lightgate finds a missed push within 20 minutes. To see why it is not live: "
        f"lightgate explain {target.app} {target.tag}",
    )


def _is_new(release: str, newest: str | None) -> bool:
    return newest is None or (release != newest and start_of(release) >= start_of(newest))


def _refuse_if_live(target: Target, image: LocalImage, connection: Connection) -> None:
    live = target.live
    if live is None or live.digest is None:
        return
    if image.id in {live.digest, _config_of(target.repository, live.digest, connection)}:
        raise CommandError(
            Problem.IGNORED,
            f"This image is live already: {called(live.tag, live.digest)}, version {live.version}. "
            "Nothing was pushed.",
            hint="To release it again, for a changed spec or secret: "
            f"lightgate release {target.app} --digest {live.digest}",
        )


def _config_of(repository: str, digest: str, connection: Connection) -> str | None:
    """The digest of the image's configuration, which docker takes for its id."""
    try:
        manifest = connection.registry.manifest(repository, {"imageDigest": digest})
        return config_digest(manifest)
    except RefusedError:
        return None


def _tagged(repository: str, tag: str, connection: Connection) -> str | None:
    """The digest that the tag names; None if there is no such tag."""
    client = connection.client("ecr")
    try:
        found = client.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except client.exceptions.ImageNotFoundException:
        return None
    except client.exceptions.RepositoryNotFoundException as error:
        raise CommandError(
            Problem.NOT_FOUND,
            f"There is no repository {repository} in this account and region.",
            hint=f"Create it: aws ecr create-repository --repository-name {repository}",
        ) from error
    # The local cloud has an empty list for a tag that does not exist.
    return next((str(image["imageDigest"]) for image in found["imageDetails"]), None)


def _is_immutable(repository: str, connection: Connection) -> bool:
    answer = connection.client("ecr").describe_repositories(repositoryNames=[repository])
    return bool(answer["repositories"][0].get("imageTagMutability") == "IMMUTABLE")


def _immutable(app: str, repository: str, tag: str, digest: str, status: AppStatus) -> CommandError:
    is_live = status.live is not None and status.live.digest == digest
    what = "is live already" if is_live else "exists already"
    return CommandError(
        Problem.IGNORED,
        f"{repository}:{tag} {what}, and the tags of this repository are immutable.",
        hint=f"Push another tag. To release this image: lightgate release {app} --tag {tag}",
    )
