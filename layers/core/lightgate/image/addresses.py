"""Addresses of images and repositories, and what to write if a bare name belongs in their place.

ECR reports a push by the repository's bare name, which never equals an address. Each function
whose name ends in `_hint` answers with the advice that ends an error, or None if it recognizes
nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from lightgate.json_reader import Node, shown

type Hint = Callable[[str], str | None]

_REPOSITORY_PATTERN = r"(?:[a-z0-9]+(?:[._-]+[a-z0-9]+)*/)*[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
# Plain, FIPS and dual-stack addresses of a private registry.
_ECR_HOST = (
    r"[0-9]{12}[.]dkr[.-]ecr(?:-fips)?[.][a-z0-9-]+[.]"
    r"(?:amazonaws[.]com(?:[.]cn)?|amazonaws[.]eu|on[.]aws|on[.]amazonwebservices[.]com[.]cn)"
)
# The name of a repository may have dots, too: only these hosts count as registries.
_OTHER_REGISTRY = (
    r"(?:localhost|(?:[^/]+[.])?(?:amazonaws[.]com(?:[.]cn)?|amazonaws[.]eu|on[.]aws|ecr[.]aws"
    r"|amazonwebservices[.]com[.]cn|docker[.](?:io|com)|ghcr[.]io|github[.]com|quay[.]io|gcr[.]io"
    r"|pkg[.]dev|azurecr[.]io|gitlab[.]com|microsoft[.]com|k8s[.]io|digitalocean[.]com|fly[.]io"
    r"|heroku[.]com|redhat[.](?:io|com)|nvcr[.]io|lscr[.]io|scw[.]cloud|ocir[.]io|icr[.]io"
    r"|jfrog[.]io|cloudsmith[.]io))(?:/|$)"
)
REPOSITORY = rf"(?:{_ECR_HOST}/|(?!{_OTHER_REGISTRY})){_REPOSITORY_PATTERN}"

_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
# As Docker reads it: a first part with a dot or a port is a host.
IMAGE = (
    r"(?:(?:localhost|[A-Za-z0-9-]+(?:[.][A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:[0-9]+/))"
    r"(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    rf"(?::{_TAG})?(?:@{_DIGEST})?"
)
SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"


def bare_name(node: Node, pattern: str, allowed: str, longest: int, hint: Hint) -> str:
    """A name which matches `pattern`; anything else is refused with what the hint says to write."""
    text = node.value
    if isinstance(text, str) and not re.fullmatch(pattern, text) and (advice := hint(text)):
        node.problem(f"{shown(text)} is not valid; allowed is {allowed}; {advice}")
        return text
    return node.string(pattern, allowed, longest)


@dataclass(frozen=True, slots=True)
class RegistryAddress:
    """A private ECR registry: each account has one in each region."""

    account: str
    region: str

    @classmethod
    def of_arn(cls, arn: str) -> Self | None:
        """The registry beside the resource with this ARN."""
        parts = arn.split(":")
        return cls(parts[4], parts[3]) if len(parts) > 5 and parts[3] and parts[4] else None

    @classmethod
    def of_address(cls, address: str) -> Self | None:
        """The registry in the address of a repository or an image; None if it names none."""
        if not re.match(rf"{_ECR_HOST}/", address):
            return None
        account, _, rest = address.partition(".")
        return cls(account, re.sub(r"^dkr[.-]ecr(?:-fips)?[.]", "", rest).partition(".")[0])


def without_registry(address: str) -> str:
    """The bare name of the repository that the address or the name stands for."""
    return re.sub(rf"^{_ECR_HOST}/", "", address)


@dataclass(frozen=True, slots=True)
class ImageAddress:
    """An image reference, taken apart. `host` is empty for Docker Hub."""

    host: str
    path: str
    tag: str | None
    digest: str | None

    @classmethod
    def read(cls, text: str) -> "ImageAddress":
        rest, _, digest = text.partition("@")
        host, slash, path = rest.partition("/")
        if not slash or not ("." in host or ":" in host or host == "localhost"):
            host, path = "", rest
        path, _, tag = path.partition(":")
        return cls(host, path, tag or None, digest or None)


def repository_hint(text: str) -> str | None:
    name = repository_in(text)
    if name is None:
        return None
    if re.match(rf"(?:{SCHEME})?{_OTHER_REGISTRY}", text.strip().lower()) and not re.match(
        rf"(?:{SCHEME})?{_ECR_HOST}/", text.strip().lower()
    ):
        return (
            f"write {name} if that is its name in ECR: Lightgate receives the pushes to private "
            "ECR repositories of its own account and region, and no others"
        )
    return f"write {name}"


def repository_in(text: str) -> str | None:
    """The bare repository name that somebody who wrote this address most likely means."""
    address = text.strip().lower()
    if arn := re.fullmatch(r"arn:[\w-]*:ecr(?:-public)?:[\w-]*:\d*:repository/(.+)", address):
        address = arn[1]
    elif page := re.search(r"/ecr/repositories/(?:private|public)/\d+/([^?#]+)", address):
        address = re.sub(r"/_/.*", "", page[1])
    else:
        address = _without_host(re.split(r"[?#]", address)[0])
    address = re.sub(r"@.*", "", address)
    # Everything after a colon in the last part is a tag.
    parent, slash, last = address.strip("/").rpartition("/")
    name = re.sub(r"/{2,}", "/", f"{parent}{slash}{last.partition(':')[0]}").strip("/.")
    name = re.sub(r"\s+", "-", name)
    return name if re.fullmatch(rf"(?!{_OTHER_REGISTRY}){_REPOSITORY_PATTERN}", name) else None


def _without_host(address: str) -> str:
    is_url = re.match(SCHEME, address) is not None
    address = re.sub(rf"^{SCHEME}(?:[^/@]*@)?", "", address)
    host, slash, path = address.lstrip("/").partition("/")
    has_port = re.fullmatch(r"[^/:]+:[0-9]+", host) is not None
    if not slash or not (is_url or has_port or re.match(_OTHER_REGISTRY, f"{host}/")):
        return address
    if host == "public.ecr.aws":
        # The first part is the alias of the registry.
        return path.partition("/")[2]
    if host.startswith("hub.docker."):
        return re.sub(r"^(?:r|_)/", "", path)
    return path


def tag_hint(text: str) -> str | None:
    found = text.strip()
    if re.search(_DIGEST.replace("{64}", "+"), found):
        return (
            "a push is watched by its tag, and a digest never moves; to release one digest, start "
            'an execution with {"app": …, "digest": …}'
        )
    if re.search(r"[\[\]?^$()|+{}]", found):
        return "only * is a wildcard, and stands for any part of a tag, such as v*"
    tag = re.split(r"[:/]", found)[-1]
    if re.fullmatch(r"[A-Za-z0-9_*][A-Za-z0-9_.*-]{0,127}", tag):
        return f"write {tag}: a tag stands without its repository"
    return None


def one_tag_hint(text: str) -> str | None:
    """For a place that takes one tag and no pattern."""
    tag = re.split(r"[:/]", text.strip())[-1]
    if "@" in text or not re.fullmatch(_TAG, tag):
        return None
    return f"write {tag}: a tag stands without its repository"


def digest_hint(text: str) -> str | None:
    found = re.search(_DIGEST, text.strip().lower())
    return f"write {found[0]}" if found else None


def image_hint(text: str) -> str | None:
    if arn := re.fullmatch(r"arn:[\w-]*:ecr:([\w-]+):(\d+):repository/(\S+)", text.strip()):
        region, account, name = arn.groups()
        return f"write {account}.dkr.ecr.{region}.amazonaws.com/{name}@sha256:…, with its digest"
    bare = re.sub(rf"^{SCHEME}(?:[^/@]*@)?", "", text.strip()).strip("/")
    name, at, digest = bare.partition("@")
    if at and re.fullmatch(IMAGE, name) and not re.fullmatch(_DIGEST, digest):
        return (
            "a digest is sha256: and 64 hexadecimal digits, as "
            f"docker buildx imagetools inspect {name} prints it"
        )
    host, slash, path = bare.partition("/")
    rest, colon, tag = path.partition(":") if slash else host.partition(":")
    lowered = (
        f"{host.lower()}/{rest.lower()}{colon}{tag}" if slash else f"{rest.lower()}{colon}{tag}"
    )
    if not re.fullmatch(IMAGE, lowered):
        return None
    return f"write {lowered}" if "@" in lowered else f"write {lowered}@sha256:…, with its digest"
