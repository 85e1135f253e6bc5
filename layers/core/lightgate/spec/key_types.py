"""The kinds of values that only a spec has: names, commands, variables, ports, answers."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lightgate.image.addresses import (
    IMAGE,
    REPOSITORY,
    image_hint,
    repository_hint,
    tag_hint,
)
from lightgate.json_reader import Node, printable, shown
from lightgate.spec.address_hints import database_hint, path_hint, secret_hint, service_hint
from lightgate.spec.command_words import instead_of_text
from lightgate.spec.key_reader import ValueKind, choice, list_of, object_of, text, text_schema
from lightgate.spec.plain_secrets import secret_in, secret_in_text
from lightgate.spec.secret_reference import REFERENCE, SecretReference, SecretStore

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# docs/lightsail.md, "Quotas".
MOST_CONTAINERS = 10
_RESERVED_PREFIX = "LIGHTGATE_"
TAG_PATTERN = r"[A-Za-z0-9_*][A-Za-z0-9_.*-]*"

# docs/lightsail.md, "Containers": the pattern as the service applies it, group included.
_LIGHTSAIL_NAME = r"[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9]"
_LIGHTSAIL_NAME_WORDS = "lower-case letters and digits, with hyphens between them"
_RDS_NAME = r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_PORT = r"[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
# RFC 9110, section 5: a name is a token. A value may be more than this, and is not understood
# alike by all servers then.
_HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_HEADER_NAME_WORDS = "letters, digits and !#$%&'*+-.^_`|~"
_HEADER_VALUE = r"[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?"
# Lightgate's HTTP client sets these, because a request needs them.
_OWN_HEADERS = frozenset(
    {
        "host",
        "user-agent",
        "connection",
        "accept-encoding",
        "content-length",
        "transfer-encoding",
    }
)

SERVICE = text(_LIGHTSAIL_NAME, _LIGHTSAIL_NAME_WORDS, 63, hint=service_hint)
REPOSITORY_NAME = text(
    REPOSITORY, "an ECR repository name such as team/crops", 256, hint=repository_hint
)
# A push of a tag that Lightgate itself puts on images is never a release.
TAGS = list_of(
    text(
        TAG_PATTERN,
        "a tag, with * for any part of it",
        128,
        hint=tag_hint,
        stricter=f"(?!lightgate-){TAG_PATTERN}",
    ),
    if_empty="must name at least one tag",
)
INSTANCE = text(_RDS_NAME, "the identifier of an RDS instance", 63, hint=database_hint("instance"))
CLUSTER = text(_RDS_NAME, "the identifier of an Aurora cluster", 63, hint=database_hint("cluster"))
LIGHTSAIL_DATABASE = text(
    r"[A-Za-z0-9_][A-Za-z0-9_-]*[A-Za-z0-9_]",
    "the name of a Lightsail database",
    255,
    hint=database_hint("lightsail"),
)
# A slash first: so there is neither a scheme nor a host in it. And no line break.
PATH = text(
    r"/[\x21-\x7e]*",
    "a path that begins with /, in ASCII and without spaces",
    1024,
    hint=path_hint,
)
HEADER_NAME = text(_HEADER_NAME, _HEADER_NAME_WORDS, 256)
PROGRAM = text(r"[\x21-\x7e]+", "the name or path of a program", 256)
FIXTURES = list_of(
    text(r"[^-\0][^\n\0]*", "the name or path of a fixture, which does not begin with -", 256)
)


_LABEL = text(r"[\x21-\x7e]+", "an image reference without spaces", 1024)
_OTHER_IMAGE = text(
    IMAGE, "an image with its digest, such as redis:7@sha256:…", 1024, hint=image_hint
)


def _image(node: Node) -> str:
    is_label = isinstance(node.value, str) and node.value.startswith(":")
    return (_LABEL if is_label else _OTHER_IMAGE).read(node)


# A rule wants a digest, and allows one label of the image store, which means the pushed image.
_WITH_DIGEST = IMAGE.removesuffix("?")
IMAGE_REFERENCE = ValueKind(
    _image, text_schema(rf"{_WITH_DIGEST}|:[a-z0-9-]+[.][a-z0-9-]+[.]latest", 1024)
)


def _success_codes_like(code: str) -> str:
    return f"{code}(?:-{code})?(?:,{code}(?:-{code})?)*"


_CODES = text(
    _success_codes_like("[0-9]{3}"),
    "codes from 200 to 499 such as 200, 200-299 or 200,301",
    stricter=_success_codes_like("[2-4][0-9]{2}"),
)


def _success_codes(node: Node) -> str:
    codes = _CODES.read(node)
    if re.fullmatch(_success_codes_like("[0-9]{3}"), codes):
        ranges = [[int(code) for code in part.split("-")] for part in codes.split(",")]
        if any(not 200 <= code <= 499 for each in ranges for code in each):
            node.problem(f"{shown(codes)} is out of range; allowed is 200 to 499")
        elif any(each != sorted(each) for each in ranges):
            node.problem(f"{shown(codes)} is not valid; a range begins with its lower code")
    return codes


SUCCESS_CODES = ValueKind(_success_codes, _CODES.schema)


def _argv(node: Node) -> tuple[str, ...]:
    if isinstance(node.value, str) and secret_in_text(node.value):
        node.problem(
            "must be a list of arguments; the text is not shown, because it holds a secret, which "
            'belongs behind "secrets"'
        )
        return ()
    is_main = re.fullmatch(r"containers\.[\w-]+\.command", node.path) is not None
    if is_main and isinstance(node.value, str) and (advice := instead_of_text(node.value)):
        node.problem(f"must be a list of arguments, not {shown(node.value)}{advice}")
        return ()
    return node.argv()


_ANY_TEXT = {**text_schema(), "minLength": 0, "pattern": r"^[^\0]*$"}
ARGV = ValueKind(
    _argv,
    {"type": "array", "minItems": 1, "prefixItems": [text_schema()], "items": _ANY_TEXT},
    (),
)
ARGVS = list_of(ARGV)
_SHELL = ("/bin/sh", "-c")


def _health_command(node: Node) -> tuple[str, ...]:
    """The arguments, without the word that Amazon ECS and Docker have before them."""
    text = node.value if isinstance(node.value, str) else ""
    if (form := re.match(r"CMD-SHELL[\s,]+", text)) and not secret_in_text(text):
        words = json.dumps(["CMD-SHELL", text[form.end() :]], ensure_ascii=False)
        node.problem(f"must be a list of arguments, not {shown(text)}; write {printable(words)}")
        return ()
    command = _argv(node)
    match command:
        case ("NONE", *_):
            node.problem("NONE turns a health check off; leave out healthCheck instead")
        case ("CMD",):
            node.problem('names no program after "CMD"')
        case ("CMD", *_):
            return command[1:]
        case ("CMD-SHELL", line) if line.strip():
            return (*_SHELL, line)
        case ("CMD-SHELL", *_):
            node.problem(
                '"CMD-SHELL" takes one line for a shell after it, as one text, such as '
                '["CMD-SHELL", "curl -f http://127.0.0.1:8000/ || exit 1"]'
            )
    return command


HEALTH_COMMAND = ValueKind(_health_command, ARGV.schema, ())


def _map(names: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^(?:{names})$"},
        "additionalProperties": values,
    }


# JSON Schema has no pattern that ignores case.
_NOT_RESERVED = "".join(f"[{c}{c.lower()}]" if c.isalpha() else c for c in _RESERVED_PREFIX)
_VARIABLES = f"(?!{_NOT_RESERVED}){_VARIABLE}"


def _check_variable(node: Node, name: str) -> None:
    if not re.fullmatch(_VARIABLE, name):
        node.problem(
            f"{shown(name)} is not the name of a variable; allowed are letters, digits and _"
        )
    elif name.upper().startswith(_RESERVED_PREFIX):
        node.problem(f"names that begin with {_RESERVED_PREFIX} are reserved for Lightgate")


def _environment(node: Node) -> Mapping[str, str]:
    values = {}
    for name, value in node.entries().items():
        _check_variable(value, name)
        if not isinstance(value.value, str) and secret_in(name, str(value.value)):
            value.problem("must be a string; its value is not shown, because it may be a secret")
            continue
        values[name] = value.text()
    return values


VARIABLE = text(_VARIABLE, "the name of a variable: letters, digits and _", 256)
ENVIRONMENT = ValueKind(_environment, _map(_VARIABLES, _ANY_TEXT))


def _secrets(node: Node) -> Mapping[str, SecretReference]:
    references = {}
    for name, value in node.entries().items():
        _check_variable(value, name)
        references[name] = _secret_reference(value)
    return references


def _secret_reference(node: Node) -> SecretReference:
    text = node.value if isinstance(node.value, str) else ""
    if (reference := SecretReference.read(text)) is not None:
        return reference
    # The text itself is not repeated: people put the secret where the reference belongs.
    node.problem(
        "is not a reference to a secret; allowed is secretsmanager:NAME, "
        "secretsmanager:NAME:json-key, secretsmanager:NAME:json-key:version-stage, ssm:/NAME or "
        "the ARN of one"
        f"{f'; {advice}' if (advice := secret_hint(text)) else ''}"
    )
    return SecretReference(store=SecretStore.PARAMETER_STORE, name="/")


SECRETS = ValueKind(_secrets, _map(_VARIABLES, text_schema(REFERENCE)))

_PROTOCOL = choice("HTTP", "HTTPS", "TCP", "UDP")


_TABLES = r"(?:SELECT|INSERT|UPDATE|DELETE) [^\s,()]+"
# As the gate reads the attribute `lightgate` of a migration.
_WRITTEN = rf"(?:compatible|data|breaking|restricted \({_TABLES}(?:, {_TABLES})*\)): *\S[^\n]*"
_MIGRATION = r"\w+[.]\w+"
_DECLARED = text(
    _WRITTEN,
    'a class and a reason, such as "compatible: fills a column that only new code reads" or '
    '"restricted (DELETE crops_farm): new rows refer to farms"',
    300,
)


def _declared(node: Node) -> Mapping[str, str]:
    declared = {}
    for name, value in node.entries().items():
        if not re.fullmatch(_MIGRATION, name):
            value.problem(
                f"{shown(name)} is not the name of a migration; allowed is one such as "
                "wagtailcore.0071_populate_revision"
            )
        declared[name] = _DECLARED.read(value)
    return declared


DECLARED = ValueKind(_declared, _map(_MIGRATION, _DECLARED.schema))


def _ports(node: Node) -> dict[int, str]:
    ports: dict[int, str] = {}
    for key, value in node.entries().items():
        if not re.fullmatch(_PORT, key):
            value.problem(f"{shown(key)} is not a port; allowed is 1 to 65535")
            continue
        ports[int(key)] = _PROTOCOL.read(value)
    return ports


PORTS = ValueKind(_ports, _map(_PORT, _PROTOCOL.schema))


def _header_value(node: Node) -> str:
    if isinstance(node.value, str) and re.fullmatch(_HEADER_VALUE, node.value):
        return node.value
    # The text itself is not repeated: it may be a secret that does not belong here.
    node.problem(
        "is not the value of a header; allowed are 1 to 1024 printable ASCII characters, with no "
        "space at either end"
    )
    return ""


def _headers(node: Node) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in node.entries().items():
        if not re.fullmatch(_HEADER_NAME, name):
            value.problem(
                f"{shown(name)} is not the name of a header; allowed are {_HEADER_NAME_WORDS}"
            )
        elif name.lower() in _OWN_HEADERS:
            value.problem("is a header that Lightgate sets itself; remove it")
        elif name.lower() in {other.lower() for other in headers}:
            value.problem("is given already: case makes no difference in its name; keep one")
        headers[name] = _header_value(value)
    return headers


HEADER_VALUE = ValueKind(_header_value, text_schema(_HEADER_VALUE, 1024), "")
HEADERS = ValueKind(_headers, _map(_HEADER_NAME, HEADER_VALUE.schema))

_CONTAINER_NAME = text(_LIGHTSAIL_NAME, _LIGHTSAIL_NAME_WORDS, 53)


def containers_of[C: DataclassInstance](of: type[C]) -> ValueKind[Mapping[str, C]]:
    """Containers by name; `of` is the class of one."""
    container = object_of(of)

    def read(node: Node) -> Mapping[str, C]:
        entries = node.entries()
        if node.value == {}:
            node.problem("must describe at least one container")
        if len(entries) > MOST_CONTAINERS:
            count = f"has {len(entries)} containers; Lightsail allows {MOST_CONTAINERS}"
            node.problems.add(node.path, count)
        for name, entry in entries.items():
            _CONTAINER_NAME.read(entry.key(name))
        return {name: replace(container.read(entry), name=name) for name, entry in entries.items()}

    schema = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": MOST_CONTAINERS,
        "propertyNames": _CONTAINER_NAME.schema,
        "additionalProperties": container.schema,
    }
    return ValueKind(read, schema, {}, (of,))
