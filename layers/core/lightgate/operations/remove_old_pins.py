"""Remove the tags under which images were deployed, once no container service lists them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightgate.image.old_pins import old_pins
from lightgate.image.tags import TaggedImage
from lightgate.names import pin_tag
from lightgate.release.lock import Lock
from lightgate.runtime import Runtime

# In one run. The next one goes on.
_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The tagged images that an app watches. `moving` are the tags that pushes take away."""

    app: str
    repository: str
    moving: frozenset[str]
    images: Sequence[TaggedImage]


def remove_old_pins(every_app: Sequence[Watched], runtime: Runtime) -> Sequence[str]:
    """The tags that were removed. `every_app` has to have all apps of the stack.

    A rollback deploys only versions that a service lists, so no other image needs its pin. While a
    release of the repository is in progress, its pin may not be in a deployment yet: then all stay.

    Raises:
        UnreachableError: AWS did not show everything that this depends on.
    """
    removed: list[str] = []
    for repository in dict.fromkeys(one.repository for one in every_app):
        watching = [one for one in every_app if one.repository == repository]
        removed += _in_repository(repository, watching, runtime)
    return removed


def _in_repository(repository: str, watching: Sequence[Watched], runtime: Runtime) -> Sequence[str]:
    moving = frozenset[str]().union(*(one.moving for one in watching))
    images = watching[-1].images
    if not old_pins(images, (), moving):
        return ()
    locks = _locks(watching, runtime)
    if any(lock.holder or lock.abandoned for lock in locks.values()):
        return ()
    if not runtime.pins.are_of_stack(repository, runtime.settings.stack):
        return ()
    deployed = runtime.pins.deployed()
    removed: list[str] = []
    for image in old_pins(images, deployed, moving)[:_MOST]:
        tag = pin_tag(image.digest)
        # Its other tag may be gone by now, or a release may have begun with it.
        now = runtime.pins.image(repository, tag)
        if now.digest != image.digest or not old_pins([now], deployed, moving):
            continue
        if _locks(watching, runtime) != locks:
            break
        runtime.pins.remove(repository, tag)
        removed.append(tag)
    if removed:
        runtime.logger.info("old pin tags are removed", repository=repository, tags=removed)
    return removed


def _locks(watching: Sequence[Watched], runtime: Runtime) -> Mapping[str, Lock]:
    return {one.app: runtime.locks.read(one.app) for one in watching}
