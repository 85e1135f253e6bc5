"""The containers of an app spec, and the variables that they are given."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lightgate.addresses import IMAGE, bare_name, image_hint, secret_hint
from lightgate.app_spec.plain_secrets import secret_in, secret_in_text
from lightgate.app_spec.spec import (
    AfterFailure,
    Condition,
    Container,
    Dependency,
    HealthCheck,
    SecretReference,
    SecretStore,
)
from lightgate.documents import Fields, Node, shown

# lightsail-facts.md, section 9: quotas of a container service.
MOST_CONTAINERS = 10
PROTOCOLS = ("HTTP", "HTTPS", "TCP", "UDP")
RESERVED_PREFIX = "LIGHTGATE_"

# lightsail-facts.md, section 1: the pattern as the service applies it, group included.
LIGHTSAIL_NAME = r"[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9]"
LIGHTSAIL_NAME_WORDS = "lower-case letters and digits, with hyphens between them"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
# Two slashes at the start are those of a URL, which no secret's name begins with.
_SECRETS_MANAGER = r"secretsmanager:(?!//)([\w/+=.@-]+)(?::([^:]+)(?::([\w/+=.@-]+))?)?"
_PARAMETER_STORE = r"ssm:(?!//)(/[\w./-]+)"
_IMAGE_STORE_LABEL = r":([a-z0-9-]+)\.([a-z0-9-]+)\.(latest|\d+)"


@dataclass(frozen=True, slots=True)
class Variables:
    """The environment and the secrets of the app or of one container."""

    environment: Mapping[str, str]
    secrets: Mapping[str, SecretReference]

    @classmethod
    def read(cls, fields: Fields) -> "Variables":
        environment: Mapping[str, str] = fields.read("environment", _environment, {})
        secrets: Mapping[str, SecretReference] = fields.read("secrets", _secrets, {})
        for name in sorted(environment.keys() & secrets.keys()):
            fields.nodes["secrets"].child(name, None).problem(
                "stands in environment too; keep one of the two"
            )
        return cls(environment, secrets)

    def overridden_by(self, own: "Variables") -> "Variables":
        taken = own.environment.keys() | own.secrets.keys()
        return Variables(
            {k: v for k, v in self.environment.items() if k not in taken} | dict(own.environment),
            {k: v for k, v in self.secrets.items() if k not in taken} | dict(own.secrets),
        )


def _variable_name(node: Node, name: str) -> None:
    if not re.fullmatch(_VARIABLE, name):
        node.problem(
            f"{shown(name)} is not the name of a variable; allowed are letters, digits and _"
        )
    elif name.upper().startswith(RESERVED_PREFIX):
        node.problem(f"names that begin with {RESERVED_PREFIX} are reserved for Lightgate")


def _environment(node: Node) -> Mapping[str, str]:
    values = {}
    for name, value in node.entries().items():
        _variable_name(value, name)
        if not isinstance(value.value, str) and secret_in(name, str(value.value)):
            value.problem("must be a string; its value is not shown, because it may be a secret")
            continue
        values[name] = value.text()
    return values


def _secrets(node: Node) -> Mapping[str, SecretReference]:
    references = {}
    for name, value in node.entries().items():
        _variable_name(value, name)
        references[name] = _secret_reference(value)
    return references


def _secret_reference(node: Node) -> SecretReference:
    text = node.value if isinstance(node.value, str) else ""
    if found := re.fullmatch(_SECRETS_MANAGER, text, re.ASCII):
        return SecretReference(
            store=SecretStore.SECRETS_MANAGER,
            name=found[1],
            json_key=found[2],
            version_stage=found[3],
        )
    if found := re.fullmatch(_PARAMETER_STORE, text, re.ASCII):
        return SecretReference(store=SecretStore.PARAMETER_STORE, name=found[1])
    # The text itself is not repeated: people put the secret where the reference belongs.
    node.problem(
        "is not a reference to a secret; allowed is secretsmanager:NAME, "
        "secretsmanager:NAME:json-key, secretsmanager:NAME:json-key:version-stage or ssm:/NAME"
        f"{f'; {advice}' if (advice := secret_hint(text)) else ''}"
    )
    return SecretReference(store=SecretStore.PARAMETER_STORE, name="/")


def read_containers(node: Node, service: str, shared: Variables) -> dict[str, Container]:
    entries = node.entries()
    if isinstance(node.value, dict) and not entries:
        node.problem("must describe at least one container")
    if len(entries) > MOST_CONTAINERS:
        node.problem(f"has {len(entries)} containers; Lightsail allows {MOST_CONTAINERS}")
    _check_labels(entries, service)
    return {name: _container(name, entry, service, shared) for name, entry in entries.items()}


def _check_labels(entries: Mapping[str, Node], service: str) -> None:
    """A label means the pushed image, so two labels would silently become one image."""
    seen: dict[str, str] = {}
    for name, entry in entries.items():
        image = entry.value.get("image") if isinstance(entry.value, dict) else None
        found = re.fullmatch(_IMAGE_STORE_LABEL, image) if isinstance(image, str) else None
        if found is None or found[1] != service:
            continue
        first = next(iter(seen), found[2])
        if found[2] not in seen and seen:
            entry.child("image", image).problem(
                f"{shown(image)} and :{service}.{first}.latest of {seen[first]} are two images, "
                "and each label means the image that was pushed; remove the image of every "
                "container that runs the pushed image, and name another image by its digest"
            )
        seen.setdefault(found[2], name)


def _container(name: str, node: Node, service: str, shared: Variables) -> Container:
    replace(node, value=name).string(LIGHTSAIL_NAME, LIGHTSAIL_NAME_WORDS, 53)
    fields = node.fields(
        optional=(
            "image",
            "command",
            "environment",
            "secrets",
            "ports",
            "dependsOn",
            "healthCheck",
            "timeoutSeconds",
            "pendingCommand",
            "afterFailure",
            "manage",
            "fixtures",
            "python",
        )
    )
    variables = shared.overridden_by(Variables.read(fields))
    return Container(
        name=name,
        image=fields.read("image", lambda n: _image(n, service), None),
        command=fields.read("command", _argv, None),
        environment=variables.environment,
        secrets=variables.secrets,
        ports=fields.read("ports", _ports, {}),
        depends_on=fields.read("dependsOn", _dependencies, ()),
        health_check=fields.read("healthCheck", _health_check, None),
        timeout_seconds=fields.read("timeoutSeconds", lambda n: n.integer(1, 43200), None),
        pending_command=fields.read("pendingCommand", _argv, None),
        after_failure=fields.read("afterFailure", lambda n: n.member(AfterFailure), None),
        manage=fields.read("manage", _argv, None),
        fixtures=fields.read("fixtures", _fixtures, ()),
        python=fields.read("python", _program, None),
    )


def _argv(node: Node) -> tuple[str, ...]:
    if isinstance(node.value, str) and secret_in_text(node.value):
        node.problem(
            "must be a list of arguments; the text is not shown, because it holds a secret, which "
            'belongs behind "secrets"'
        )
        return ()
    return node.argv()


def _fixtures(node: Node) -> tuple[str, ...]:
    names = "the name or path of a fixture, which does not begin with -"
    return tuple(item.string(r"[^-\0].*", names, 256) for item in node.items(texts=True))


def _program(node: Node) -> str:
    return node.string(r"[\x21-\x7e]+", "the name or path of a program", 256)


def _image(node: Node, service: str) -> str | None:
    reference = node.value if isinstance(node.value, str) else ""
    label = re.fullmatch(_IMAGE_STORE_LABEL, reference)
    if label and label[1] == service:
        if label[3] != "latest":
            node.problem(
                f"{shown(reference)} is one fixed image of the image store, and Lightgate deploys "
                f"the image that was pushed to ECR; write :{service}.{label[2]}.latest, which "
                "means the pushed image, or remove the image"
            )
        return None
    if not reference.startswith(":"):
        words = "an image with its digest, such as redis:7@sha256:…"
        return bare_name(node, IMAGE, words, 1024, image_hint)
    if node.string(r"[\x21-\x7e]+", "an image reference without spaces", 1024):
        node.problem(
            f"{shown(reference)} is not in this service's image store; allowed is "
            f":{service}.LABEL.latest, which means the pushed image, or another image with its "
            "digest"
        )
    return reference


def _ports(node: Node) -> dict[int, str]:
    ports: dict[int, str] = {}
    for key, value in node.entries().items():
        if not re.fullmatch(r"[1-9][0-9]{0,4}", key) or int(key) > 65535:
            value.problem(f"{shown(key)} is not a port; allowed is 1 to 65535")
            continue
        ports[int(key)] = value.choice(*PROTOCOLS)
    return ports


def _dependencies(node: Node) -> tuple[Dependency, ...]:
    dependencies = []
    for item in node.items():
        fields = item.fields(required=("containerName", "condition"))
        dependencies.append(
            Dependency(
                container=fields.read("containerName", Node.string, ""),
                condition=fields.read(
                    "condition", lambda n: n.member(Condition), Condition.SUCCESS
                ),
            )
        )
    return tuple(dependencies)


def _health_check(node: Node) -> HealthCheck:
    """Names, defaults and ranges are those of an ECS container health check."""
    fields = node.fields(
        required=("command",), optional=("interval", "timeout", "retries", "startPeriod")
    )
    return HealthCheck(
        command=fields.read("command", _argv, ()),
        interval_seconds=fields.read("interval", lambda n: n.integer(1, 300), 30),
        timeout_seconds=fields.read("timeout", lambda n: n.integer(1, 120), 5),
        retries=fields.read("retries", lambda n: n.integer(1, 10), 3),
        start_period_seconds=fields.read("startPeriod", lambda n: n.integer(0, 300), 0),
    )
