"""Which of the tags under which Lightgate has deployed images may be removed."""

from collections.abc import Collection, Sequence

from lightgate.image.tags import TaggedImage
from lightgate.names import pin_tag


def old_pins(
    images: Sequence[TaggedImage], deployed: Collection[str], moving: Collection[str]
) -> list[TaggedImage]:
    """The images whose own pin tag may be removed, the oldest first.

    `deployed` are the references of all images that a container service shows. ECR deletes an image
    with its last tag, so another tag has to stay. It does not count if it is among `moving`, the
    tags that a push may take away at any moment.
    """
    needed = {reference.rpartition(":")[2] for reference in deployed}
    old = [
        image
        for image in images
        if (pin := pin_tag(image.digest)) in image.tags
        and pin not in needed
        and not {*image.tags} <= {pin, *moving}
    ]
    return sorted(old, key=lambda image: image.pushed_at)
