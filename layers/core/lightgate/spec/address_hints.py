"""What to write in place of the address of a service, database, secret, parameter or page.

Each function answers with the advice that ends an error, or None if it recognizes nothing. The
addresses of images are in `image.addresses`.
"""

import re
from urllib.parse import urlsplit

from lightgate.image.addresses import SCHEME, Hint

_LIGHTSAIL_URL = r"([a-z0-9-]+)[.][a-z0-9]+[.][a-z0-9-]+[.]cs[.]amazonlightsail[.]com"
_RDS_HOST = (
    r"(?P<name>[a-z][a-z0-9-]*)[.](?:(?P<kind>cluster-ro|cluster-custom|cluster|proxy)-)?"
    r"[a-z0-9]+[.][a-z0-9-]+[.]rds[.]amazonaws[.]com(?:[.]cn)?"
)
_MANAGER_NAME = r"[\w/+=.@-]+"


def service_hint(text: str) -> str | None:
    found = text.strip().lower()
    if re.match(r"arn:[\w-]*:lightsail:", found):
        return (
            "the ARN of a container service has an id and not its name; look the name up with "
            "aws lightsail get-container-services --query "
            "'containerServices[].[containerServiceName,arn]'"
        )
    host = re.split(r"[/:?#]", re.sub(rf"^{SCHEME}", "", found))[0]
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
        host = re.sub(rf"^{SCHEME}(?:\S*@)?", "", found)
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
    if not re.match(rf"{SCHEME}[\x21-\x7e]+$", text):
        return None
    try:
        url = urlsplit(text)
    except ValueError:
        return None
    query = f"?{url.query}" if url.query else ""
    return f"write {url.path or '/'}{query}"
