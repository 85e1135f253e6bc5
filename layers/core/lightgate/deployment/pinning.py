"""Which images run, and whether a reference brings the same image for ever."""

from collections.abc import Mapping

from lightgate.deployment.status import Deployment
from lightgate.names import COMMAND_CONTAINER, PIN_TAG_PREFIX
from lightgate.patterns import pattern
from lightgate.spec.keys import AppSpec

_DIGEST = pattern(r".+@sha256:[0-9a-f]{64}")
_PINNED_TAG = pattern(rf".+:{PIN_TAG_PREFIX}[0-9a-f]{{12}}")
_STORED = pattern(r":[a-z0-9-]+\.[a-z0-9-]+\.(\w+)")
_PRIVATE = pattern(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/.+")


def other_images(spec: AppSpec) -> list[str]:
    """The containers that do not run the pushed image, in whole sentences: a push leaves them."""
    return [
        f"containers.{name}.image: {name} runs {container.image}, whatever image is pushed."
        for name, container in spec.containers.items()
        if container.image is not None
    ]


def why_other_images(shown: Deployment, expected: Mapping[str, str]) -> str | None:
    """Why the deployment runs other images than these, by container; None if it does not."""
    names = sorted(shown.images.keys() | expected.keys())
    wrong = [
        f"{name} runs {shown.images.get(name, 'nothing')}, and not {expected.get(name, 'at all')}"
        for name in names
        if shown.images.get(name) != expected.get(name)
    ]
    if not wrong:
        return None
    return f"Version {shown.version} does not run the images of this release: {'; '.join(wrong)}."


def without_command(shown: Deployment) -> dict[str, str]:
    """The images of the app in a deployment, which may have a person's command beside it."""
    return {name: image for name, image in shown.images.items() if name != COMMAND_CONTAINER}


def why_not_pinned(shown: Deployment) -> str | None:
    """Why deploying this version again might bring another image; None if it cannot.

    An image of somebody else's, from a public registry, is beyond anybody's pinning: it does not
    count, unless there is no other.
    """
    ours = {name: image for name, image in shown.images.items() if _is_private(image)}
    loose = [f"{image} of {name}" for name, image in ours.items() if not is_pinned(image)]
    if loose:
        return f"the tag of the image {', '.join(loose)} may have moved"
    if not any(is_pinned(image) for image in shown.images.values()):
        return "it names none of its images by digest"
    return None


def is_pinned(image: str) -> bool:
    """Whether the reference brings the same image for ever."""
    stored = _STORED.fullmatch(image)
    if stored:
        return stored[1].isdecimal()
    return bool(_DIGEST.fullmatch(image) or _PINNED_TAG.fullmatch(image))


def _is_private(image: str) -> bool:
    return bool(_STORED.fullmatch(image) or _PRIVATE.fullmatch(image))
