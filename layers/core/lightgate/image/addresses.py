"""Addresses that people write where a bare name belongs, and what to write instead.

ECR reports a push by the repository's bare name, and RDS knows an instance by its identifier: an
address in their place would be compared with a name, and never match. Each function whose name
ends in `_hint` answers with the advice that ends an error, or None if it recognizes nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

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
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
_LIGHTSAIL_URL = r"([a-z0-9-]+)[.][a-z0-9]+[.][a-z0-9-]+[.]cs[.]amazonlightsail[.]com"
_RDS_HOST = (
    r"(?P<name>[a-z][a-z0-9-]*)[.](?:(?P<kind>cluster-ro|cluster-custom|cluster|proxy)-)?"
    r"[a-z0-9]+[.][a-z0-9-]+[.]rds[.]amazonaws[.]com(?:[.]cn)?"
)
_MANAGER_NAME = r"[\w/+=.@-]+"


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
    if re.match(rf"(?:{_SCHEME})?{_OTHER_REGISTRY}", text.strip().lower()) and not re.match(
        rf"(?:{_SCHEME})?{_ECR_HOST}/", text.strip().lower()
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
    is_url = re.match(_SCHEME, address) is not None
    address = re.sub(rf"^{_SCHEME}(?:[^/@]*@)?", "", address)
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
    bare = re.sub(rf"^{_SCHEME}(?:[^/@]*@)?", "", text.strip()).strip("/")
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


def service_hint(text: str) -> str | None:
    found = text.strip().lower()
    if re.match(r"arn:[\w-]*:lightsail:", found):
        return (
            "the ARN of a container service has an id and not its name; look the name up with "
            "aws lightsail get-container-services --query "
            "'containerServices[].[containerServiceName,arn]'"
        )
    host = re.split(r"[/:?#]", re.sub(rf"^{_SCHEME}", "", found))[0]
    private = re.fullmatch(r"([a-z0-9-]+)[.]service[.]local", host)
    if address := re.fullmatch(_LIGHTSAIL_URL, host) or private:
        return f"write {address[1]}"
    if label := re.fullmatch(r":([a-z0-9-]+)[.][a-z0-9-]+[.](?:latest|\d+)", found):
        return f"write {label[1]}"
    return None


def database_hint(key: str) -> Hint:
    """The hint for an address behind this key of `database`."""

    def hint(text: str) -> str | None:
        found = text.strip().lower()
        if arn := re.fullmatch(r"arn:[\w-]*:rds:[\w-]*:\d*:(db|cluster):([a-z][a-z0-9-]*)", found):
            return _write_database(key, "instance" if arn[1] == "db" else "cluster", arn[2])
        if re.match(r"arn:[\w-]*:rds:[\w-]*:\d*:db-proxy:", found):
            return _BEHIND_A_PROXY
        if re.match(r"arn:[\w-]*:lightsail:[\w-]*:\d*:relationaldatabase/", found):
            return _LIGHTSAIL_DATABASE
        if page := re.search(r"[#&;?:](?:id|dbinstance|instance-id)=([a-z][a-z0-9-]*)", found):
            is_cluster = "is-cluster=true" in found
            return _write_database(key, "cluster" if is_cluster else "instance", page[1])
        host = re.sub(rf"^{_SCHEME}(?:\S*@)?", "", found)
        address = re.fullmatch(_RDS_HOST, re.split(r"[/:?#]", host.rpartition("@")[2])[0])
        if address is None:
            return None
        if re.fullmatch(r"ls-[0-9a-f]{8,}", address["name"]):
            return _LIGHTSAIL_DATABASE
        match address["kind"]:
            case None:
                return _write_database(key, "instance", address["name"])
            case "cluster" | "cluster-ro":
                return _write_database(key, "cluster", address["name"])
            case "proxy":
                return _BEHIND_A_PROXY
            case _:
                return "write the identifier of the cluster in place of one of its own endpoints"

    return hint


def _write_database(key: str, kind: str, name: str) -> str:
    if kind == key:
        return f"write {name}"
    return f'write "{kind}": "{name}" in place of "{key}"'


_BEHIND_A_PROXY = (
    "this is an RDS Proxy, and only a database has snapshots; write the identifier of the instance "
    "or cluster behind it"
)
_LIGHTSAIL_DATABASE = (
    'this is a database of Lightsail; write its name behind "lightsail", which aws lightsail '
    "get-relational-databases --query 'relationalDatabases[].name' lists"
)


def secret_hint(text: str) -> str | None:
    """What to write for a reference of another form. A text that may be the secret is not shown."""
    found = re.sub(r"^\{\{resolve:(.*)\}\}$", r"\1", text.strip())
    manager = rf"({_MANAGER_NAME})(?::([^:]*))?(?::([\w/+=.@-]*))?(?::[\w-]*)?"
    if arn := re.fullmatch(rf"arn:[\w-]*:secretsmanager:[\w-]*:\d*:secret:{manager}", found):
        name = re.sub(r"-[A-Za-z0-9]{6}$", "", arn[1])
        return _write_manager(name, arn[2], arn[3])
    if arn := re.fullmatch(r"arn:[\w-]*:ssm:[\w-]*:\d*:parameter/?([\w./-]+)(?::.*)?", found):
        return f"write ssm:/{arn[1].lstrip('/')}"
    store = r"(?:aws[-_]?)?"
    in_ssm = rf"(?i:{store}(?:ssm(?:-secure)?|parameter[-_]?store))[:/]+([\w./-]+)(?:[:#].*)?"
    if parameter := re.fullmatch(in_ssm, found):
        return f"write ssm:/{parameter[1].lstrip('/')}; its newest version is read"
    in_manager = rf"(?i:{store}secrets?[-_]?manager)(?::/*|/+)"
    if re.match(in_manager, found):
        rest = re.sub(rf"^{in_manager}", "", found).replace(":SecretString:", ":")
        if secret := re.fullmatch(manager, re.sub("[#?]", ":", rest, count=1)):
            return _write_manager(secret[1], secret[2], secret[3])
    if re.match(r"/[\w.-]+(?:/[\w.-]+)*$", found):
        return "if this is the name of a parameter, put ssm: before it"
    if re.match(r"\$\{?\w+\}?$", found):
        return "variables are not filled in here"
    return None


def _write_manager(name: str, key: str | None, stage: str | None) -> str:
    parts = [name, *([key, *([stage] if stage else [])] if key else [])]
    return f"write secretsmanager:{':'.join(parts)}"


def app_hint(text: str) -> str | None:
    found = re.fullmatch(
        r"(?:arn:[\w-]*:ssm:[\w-]*:\d*:parameter)?/(?:[\w.-]+/)*([a-z0-9]+(?:-[a-z0-9]+)*)/?", text
    )
    return f"write {found[1]}" if found else None


def path_hint(text: str) -> str | None:
    """For a path, where a whole URL is written."""
    if not re.match(rf"{_SCHEME}[\x21-\x7e]+$", text):
        return None
    try:
        url = urlsplit(text)
    except ValueError:
        return None
    query = f"?{url.query}" if url.query else ""
    return f"write {url.path or '/'}{query}"
