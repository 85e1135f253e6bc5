"""Check that the images of an old version still exist before it is deployed again.

A lifecycle policy, or a person, may have deleted one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightgate.deployment.status import Deployment, Service
from lightgate.errors import RefusalCode, RefusedError, UnreachableError
from lightgate.names import COMMAND_CONTAINER, pin_tag
from lightgate.records.version import VersionRecord
from lightgate.rollback.version_history import listed_records
from lightgate.runtime import Runtime

_COMMAND_FIRST = (
    "A command is deployed together with the live version, so release another image first, or roll "
    "back to a version whose images still exist. "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The deleted images of a version, and those of unknown state, each with the reason."""

    gone: Sequence[str]
    unknown: Sequence[str]

    @property
    def notes(self) -> Sequence[str]:
        if not self.unknown:
            return ()
        return (f"Whether these images still exist is unknown: {'; '.join(self.unknown)}.",)


class KeptImages:
    """Looks up the images of versions, each image once."""

    def __init__(self, past: Mapping[int, VersionRecord], runtime: Runtime) -> None:
        self._past, self._runtime = past, runtime
        self._answers: dict[tuple[str, str | None, bool], tuple[str | None, str | None]] = {}

    def of(self, shown: Deployment) -> Kept:
        gone, unknown = [], []
        for image, containers in _by_image(shown).items():
            why_gone, why_unknown = self._ask(image, *self._pushed(image, shown))
            if why_gone is not None:
                gone.append(f"{image} of {containers} {why_gone}")
            if why_unknown is not None:
                unknown.append(f"{image} of {containers} ({why_unknown})")
        return Kept(gone=gone, unknown=unknown)

    def _pushed(self, image: str, shown: Deployment) -> tuple[str | None, bool]:
        """The digest for which Lightgate made the tag, and whether it may be that of an index."""
        known = self._past.get(shown.version)
        digest = known.digest if known is not None else None
        is_pin = digest is not None and image.endswith(f":{pin_tag(digest)}")
        # Only an earlier Lightgate took the digest of an index, and it recorded no known spec.
        return digest if is_pin else None, known is not None and known.spec is None

    def _ask(
        self,
        image: str,
        pushed: str | None,
        may_be_index: bool,
    ) -> tuple[str | None, str | None]:
        asked = (image, pushed, may_be_index)
        if asked not in self._answers:
            try:
                stores = self._runtime.image_stores
                why_gone = stores.why_gone(image, pushed, may_be_index=may_be_index)
                self._answers[asked] = why_gone, None
            except UnreachableError as error:
                self._answers[asked] = None, str(error)
        return self._answers[asked]


def app_images(shown: Deployment) -> Mapping[str, str]:
    """The images of the app in this version, without that of a command."""
    return {name: one for name, one in shown.images.items() if name != COMMAND_CONTAINER}


def refuse_without_images(
    service: Service, version: int, app: str, member: str, runtime: Runtime
) -> Kept:
    """The state of the images of the version.

    Raises:
        RefusedError: an image is gone. The reason names the good versions that have all of theirs.
    """
    past = listed_records(runtime.releases.versions(app), service)
    kept = KeptImages(past, runtime)
    # A version that is not listed any more is refused when it is deployed.
    listed = [kept.of(one) for one in service.deployments if one.version == version]
    found = listed[0] if listed else Kept(gone=(), unknown=())
    if not found.gone:
        return found
    serving = service.current.version if service.current is not None else None
    others = [
        one.version
        for one in sorted(service.deployments, key=lambda one: one.version, reverse=True)
        if one.version not in (version, serving)
        and one.has_served
        and one.version in past
        and past[one.version].is_good
        and not kept.of(one).gone
    ]
    raise RefusedError(
        f"{member}: version {version} cannot be deployed again: {'; '.join(found.gone)}. "
        f"{_COMMAND_FIRST if member == 'command' else ''}{_others(others)}",
        code=RefusalCode.ROLLBACK,
    )


def _others(versions: Sequence[int]) -> str:
    if not versions:
        return "No other earlier good version has all of its images. Push an image that works."
    numbers = ", ".join(map(str, versions))
    return f"These good versions still have their images, the newest first: {numbers}."


def _by_image(shown: Deployment) -> Mapping[str, str]:
    """The names of the containers of each image, as a phrase."""
    found: dict[str, list[str]] = {}
    for name, image in app_images(shown).items():
        found.setdefault(image, []).append(name)
    return {image: " and ".join(sorted(names)) for image, names in found.items()}
