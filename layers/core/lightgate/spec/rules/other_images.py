"""The images of the containers: only a digest names another image than the pushed one."""

import re
from collections.abc import Set

from lightgate.image.addresses import ImageAddress, RegistryAddress
from lightgate.json_reader import shown
from lightgate.spec.keys import runs_migrate
from lightgate.spec.rules.under_check import SpecUnderCheck

_IMAGE_STORE_LABEL = r":(?P<service>[a-z0-9-]+)\.(?P<label>[a-z0-9-]+)\.(?P<number>latest|\d+)"


def check_images(checked: SpecUnderCheck) -> Set[str]:
    """Another image than the pushed one is meant only if its digest says which one.

    The public endpoint and the migrations need the pushed image: otherwise a release of one
    image would succeed with another one. So would one of a spec in which every container has
    another.

    Returns the containers whose image is not certainly another one.
    """
    _check_labels(checked)
    spec = checked.spec
    others = [name for name, container in spec.containers.items() if container.image is not None]
    if (
        others
        and len(others) == len(spec.containers)
        and not any(_role(checked, name) for name in others)
    ):
        keys = ("image", "command", "manage", "dependsOn")
        if all(checked.was_read("containers", "*", key) for key in keys):
            checked.report(
                "all have another image, so none runs the image that is pushed; remove the "
                "image of each container that runs the app",
                "containers",
            )
    return {
        name
        for name in others
        if not _is_certainly_another(checked, name, spec.containers[name].image or "")
    }


def _check_labels(checked: SpecUnderCheck) -> None:
    """A label means the pushed image, so two labels would silently become one image."""
    service = checked.spec.service
    seen: dict[str, str] = {}
    for name in checked.spec.containers:
        place = ("containers", name, "image")
        image = checked.root.at(*place).value
        label = _label(image)
        if label is None or label["service"] != service:
            continue
        first = next(iter(seen), label["label"])
        if label["number"] != "latest":
            checked.report(
                f"{shown(image)} is one fixed image of the image store, and Lightgate deploys "
                f"the image that was pushed to ECR; write :{service}.{label['label']}.latest, "
                "which means the pushed image, or remove the image",
                *place,
            )
        if label["label"] not in seen and seen:
            checked.report(
                f"{shown(image)} and :{service}.{first}.latest of {seen[first]} are two "
                "images, and each label means the image that was pushed; remove the image of "
                "every container that runs the pushed image, and name another image by its "
                "digest",
                *place,
            )
        seen.setdefault(label["label"], name)


def _is_certainly_another(checked: SpecUnderCheck, name: str, text: str) -> bool:
    """Report what is wrong with the image, and tell whether it is another than the pushed one."""
    spec, place = checked.spec, ("containers", name, "image")
    if text.startswith(":"):
        checked.report(
            f"{shown(text)} is not in this service's image store; allowed is "
            f":{spec.service}.LABEL.latest, which means the pushed image, or another image "
            "with its digest",
            *place,
        )
        return False
    if (role := _role(checked, name)) is not None:
        endpoint = spec.public_endpoint
        is_endpoint = endpoint is not None and endpoint.container == name
        other = ", or name a container of the app in publicEndpoint" if is_endpoint else ""
        checked.report(
            f"{shown(text)} is another image; {name} {role}, and such a container always runs "
            f"the image that was pushed; remove the image{other}",
            *place,
        )
        return False
    if (image := ImageAddress.read(text)).digest is None:
        registry = RegistryAddress.of_address(text)
        is_ours = registry is not None and checked.home in (None, registry)
        is_own = image.path == spec.repository and (is_ours or not image.host)
        checked.report(_no_digest(text, image, is_own=is_own), *place)
        return not is_own and checked.was_read("repository")
    return True


def _role(checked: SpecUnderCheck, name: str) -> str | None:
    """Why the container must run the pushed image, if it must."""
    endpoint, container = checked.spec.public_endpoint, checked.spec.containers[name]
    if endpoint is not None and endpoint.container == name:
        return "is the container of publicEndpoint"
    if checked.spec.runs_to_an_end(name):
        return "is waited for until it ends"
    if container.manage or runs_migrate(container.command or ()):
        return "migrates"
    return None


def _label(image: object) -> re.Match[str] | None:
    return re.fullmatch(_IMAGE_STORE_LABEL, image) if isinstance(image, str) else None


def is_pushed_image(image: str | None, service: str | None) -> bool:
    """Whether the image is a label of the service's own image store: it means the pushed image.

    While the service is unknown, that may be true of every label.
    """
    label = _label(image)
    return label is not None and service in (None, label["service"])


def _no_digest(text: str, image: ImageAddress, *, is_own: bool) -> str:
    if is_own:
        return (
            f"{shown(text)} names the app's own repository, and its tag {image.tag or 'latest'} "
            "need not be the image that was pushed; remove the image, and the container runs the "
            "image that was pushed"
        )
    return (
        f"{shown(text)} can become another image at any time; allowed is another image than the "
        f"pushed one only with its digest; write {text}@sha256:… with the digest that "
        f"docker buildx imagetools inspect {text} prints"
    )
