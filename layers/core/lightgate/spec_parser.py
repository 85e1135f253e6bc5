"""From the text of an app spec to an `AppSpec`, or to every problem that it has."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lightgate.documents import Fields, Node, Problems, every_node, parse_json, shown
from lightgate.errors import SpecError
from lightgate.spec import (
    AppSpec,
    Condition,
    Container,
    Database,
    Dependency,
    EndpointHealthCheck,
    HealthCheck,
    PublicEndpoint,
    SecretReference,
    SecretStore,
    Stage,
)
from lightgate.spec_rules import check_rules

# An advanced parameter holds 8 KB (measured-facts.md, "AWS limits").
LONGEST_SPEC_BYTES = 8192
# lightsail-facts.md, section 9: quotas of a container service.
MOST_CONTAINERS = 10
PROTOCOLS = ("HTTP", "HTTPS", "TCP", "UDP")
RESERVED_PREFIX = "LIGHTGATE_"

# lightsail-facts.md, section 1: the pattern as the service applies it, group included.
_LIGHTSAIL_NAME = r"[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9]"
_LIGHTSAIL_NAME_WORDS = "lower-case letters, digits and hyphens inside"
# The app's name becomes part of a snapshot identifier, which has no double hyphen
# (lightsail-facts.md, section 14), and of an execution name of at most 80 characters.
_APP = r"[a-z0-9]+(?:-[a-z0-9]+)*"
LONGEST_APP_NAME = 40
_REPOSITORY = r"(?:[a-z0-9]+(?:[._-]+[a-z0-9]+)*/)*[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_TAG_PATTERN = r"[A-Za-z0-9_*][A-Za-z0-9_.*-]*"
_RDS_INSTANCE = r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_SECRETS_MANAGER = r"secretsmanager:([\w/+=.@-]+)(?::([^:]+)(?::([\w/+=.@-]+))?)?"
_PARAMETER_STORE = r"ssm:(/[\w./-]+)"
_IMAGE_STORE_LABEL = r":([a-z0-9-]+)\.([a-z0-9-]+)\.(latest|\d+)"
_SUCCESS_CODES = r"[0-9]{3}(?:-[0-9]{3})?(?:,[0-9]{3}(?:-[0-9]{3})?)*"
# Problems that leave whole what the rules look at, so that both are reported at once.
_BESIDE_THE_RULES = re.compile(
    r"(?:serviceName|repository|tags|stage|database|environment|secrets|pollSeconds"
    r"|deploymentTimeoutSeconds|publicEndpoint\.healthCheck"
    r"|containers\.[a-z0-9-]+\.(?:command|environment|secrets|healthCheck|timeoutSeconds))[.\[:]"
)


def parse_app_name(name: str) -> str:
    """The name of an app, which is the last part of its parameter's name.

    Raises:
        SpecError: it cannot be one.
    """
    problems = Problems("the spec")
    Node(name, "app", problems).string(
        _APP, "lower-case letters and digits, single hyphens between them", LONGEST_APP_NAME
    )
    if problems.lines:
        raise SpecError(*problems.reasons)
    return name


def parse_spec(text: str | bytes) -> AppSpec:
    """The spec that the text describes.

    Raises:
        SpecError: the text is no valid spec; one reason for each problem, each with
            its path. Nothing else is raised, whatever the text.
    """
    problems = Problems("the spec")
    size = len(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    if size > LONGEST_SPEC_BYTES:
        raise SpecError(f"the spec: has {size} bytes; at most {LONGEST_SPEC_BYTES} are allowed")
    document = parse_json(text, problems)
    if document is None and problems.lines:
        raise SpecError(*problems.reasons)
    root = Node(document, "", problems)
    _refuse_braces(root)
    spec = _app(root)
    if all(_BESIDE_THE_RULES.match(line) for line in problems.lines):
        check_rules(spec, root)
    if problems.lines:
        raise SpecError(*problems.reasons)
    return spec


def _refuse_braces(root: Node) -> None:
    """SSM takes no value with `{{` (measured-facts.md, "AWS limits")."""
    for node in every_node(root):
        if isinstance(node.value, str) and "{{" in node.value:
            node.problem(
                "contains {{, which the parameter store refuses; refer to a secret instead"
            )
        elif isinstance(node.value, dict):
            for key in node.value:
                if "{{" in key:
                    node.child(key, None).problem("contains {{, which the parameter store refuses")


def _app(node: Node) -> AppSpec:
    fields = node.fields(
        required=("serviceName", "repository", "containers"),
        optional=(
            "tags",
            "stage",
            "database",
            "environment",
            "secrets",
            "publicEndpoint",
            "unprotected",
            "pollSeconds",
            "deploymentTimeoutSeconds",
        ),
    )
    service = fields.read("serviceName", lambda n: _lightsail_name(n, 63), "")
    shared = _Variables.read(fields)
    return AppSpec(
        service=service,
        repository=fields.read(
            "repository",
            lambda n: n.string(_REPOSITORY, "an ECR repository name such as team/crops", 256),
            "",
        ),
        tags=fields.read("tags", _tags, ("latest",)),
        stage=fields.read("stage", lambda n: n.member(Stage), Stage.PRODUCTION),
        database=fields.read("database", _database, None),
        containers=fields.read("containers", lambda n: _containers(n, service, shared), {}),
        public_endpoint=fields.read("publicEndpoint", _public_endpoint, None),
        unprotected=fields.read("unprotected", Node.boolean, False),
        poll_seconds=fields.read("pollSeconds", lambda n: n.integer(1, 300), 10),
        # lightsail-facts.md, section 3: a limit under 30 minutes would give up on
        # deployments that still end well. Waiting for the snapshot, for the service and for
        # the deployment fit into the state machine's own limit.
        deployment_timeout_seconds=fields.read(
            "deploymentTimeoutSeconds", lambda n: n.integer(1800, 43200), 3600
        ),
    )


def _lightsail_name(node: Node, longest: int) -> str:
    return node.string(_LIGHTSAIL_NAME, _LIGHTSAIL_NAME_WORDS, longest)


def _tags(node: Node) -> tuple[str, ...]:
    tags = tuple(
        item.string(_TAG_PATTERN, "a tag, with * for any part of it", 128) for item in node.items()
    )
    if isinstance(node.value, list) and not tags:
        node.problem("must name at least one tag")
    return tags


def _database(node: Node) -> Database:
    fields = node.fields(required=("instance",), optional=("keepSnapshots", "timeoutSeconds"))
    return Database(
        instance=fields.read(
            "instance",
            lambda n: n.string(_RDS_INSTANCE, "the identifier of an RDS instance", 63),
            "",
        ),
        keep_snapshots=fields.read("keepSnapshots", lambda n: n.integer(1, 100), None),
        timeout_seconds=fields.read("timeoutSeconds", lambda n: n.integer(60, 86400), 3600),
    )


@dataclass(frozen=True, slots=True)
class _Variables:
    """The environment and the secrets of the app or of one container."""

    environment: Mapping[str, str]
    secrets: Mapping[str, SecretReference]

    @classmethod
    def read(cls, fields: Fields) -> "_Variables":
        environment: Mapping[str, str] = fields.read("environment", _environment, {})
        secrets: Mapping[str, SecretReference] = fields.read("secrets", _secrets, {})
        for name in sorted(environment.keys() & secrets.keys()):
            fields.nodes["secrets"].child(name, None).problem(
                "stands in environment too; keep one of the two"
            )
        return cls(environment, secrets)

    def overridden_by(self, own: "_Variables") -> "_Variables":
        taken = own.environment.keys() | own.secrets.keys()
        return _Variables(
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
    )
    return SecretReference(store=SecretStore.PARAMETER_STORE, name="/")


def _containers(node: Node, service: str, shared: _Variables) -> dict[str, Container]:
    entries = node.entries()
    if isinstance(node.value, dict) and not entries:
        node.problem("must describe at least one container")
    if len(entries) > MOST_CONTAINERS:
        node.problem(f"has {len(entries)} containers; Lightsail allows {MOST_CONTAINERS}")
    return {name: _container(name, entry, service, shared) for name, entry in entries.items()}


def _container(name: str, node: Node, service: str, shared: _Variables) -> Container:
    _lightsail_name(Node(name, node.path, node.problems), 53)
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
        )
    )
    variables = shared.overridden_by(_Variables.read(fields))
    return Container(
        name=name,
        image=fields.read("image", lambda n: _image(n, service), None),
        command=fields.read("command", Node.argv, None),
        environment=variables.environment,
        secrets=variables.secrets,
        ports=fields.read("ports", _ports, {}),
        depends_on=fields.read("dependsOn", _dependencies, ()),
        health_check=fields.read("healthCheck", _health_check, None),
        timeout_seconds=fields.read("timeoutSeconds", lambda n: n.integer(1, 43200), None),
    )


def _image(node: Node, service: str) -> str | None:
    reference = node.string(r"[\x21-\x7e]+", "an image reference without spaces", 1024)
    label = re.fullmatch(_IMAGE_STORE_LABEL, reference)
    if label and label[1] == service:
        return None
    if reference.startswith(":"):
        node.problem(
            f"{shown(reference)} is not in this service's image store; allowed is "
            f":{service}.LABEL.latest, which means the pushed image, or a public image"
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
        command=fields.read("command", Node.argv, ()),
        interval_seconds=fields.read("interval", lambda n: n.integer(1, 300), 30),
        timeout_seconds=fields.read("timeout", lambda n: n.integer(1, 120), 5),
        retries=fields.read("retries", lambda n: n.integer(1, 10), 3),
        start_period_seconds=fields.read("startPeriod", lambda n: n.integer(0, 300), 0),
    )


def _public_endpoint(node: Node) -> PublicEndpoint:
    fields = node.fields(required=("containerName", "containerPort"), optional=("healthCheck",))
    return PublicEndpoint(
        container=fields.read("containerName", Node.string, ""),
        port=fields.read("containerPort", lambda n: n.integer(1, 65535), 1),
        health_check=fields.read(
            "healthCheck", _endpoint_health_check, _endpoint_health_check(node.child("", {}))
        ),
    )


def _endpoint_health_check(node: Node) -> EndpointHealthCheck:
    """Lightsail's fields; the default of the success codes is ours.

    Lightsail's own `200-499` takes 401, 404 and 429 for healthy (lightsail-facts.md,
    "The ten things", 7).
    """
    fields = node.fields(
        optional=(
            "path",
            "successCodes",
            "intervalSeconds",
            "timeoutSeconds",
            "healthyThreshold",
            "unhealthyThreshold",
        )
    )
    return EndpointHealthCheck(
        path=fields.read(
            "path", lambda n: n.string(r"/[\x21-\x7e]*", "a path that begins with /", 1024), "/"
        ),
        success_codes=fields.read("successCodes", _success_codes, "200-399"),
        interval_seconds=fields.read("intervalSeconds", lambda n: n.integer(5, 300), 5),
        timeout_seconds=fields.read("timeoutSeconds", lambda n: n.integer(2, 60), 2),
        healthy_threshold=fields.read("healthyThreshold", lambda n: n.integer(2, 10), 2),
        unhealthy_threshold=fields.read("unhealthyThreshold", lambda n: n.integer(2, 10), 2),
    )


def _success_codes(node: Node) -> str:
    text = node.string(_SUCCESS_CODES, "codes from 200 to 499 such as 200, 200-299 or 200,301")
    if re.fullmatch(_SUCCESS_CODES, text):
        ranges = [[int(code) for code in part.split("-")] for part in text.split(",")]
        if any(not 200 <= code <= 499 for codes in ranges for code in codes):
            node.problem(f"{shown(text)} is out of range; Lightsail allows 200 to 499")
        elif any(codes != sorted(codes) for codes in ranges):
            node.problem(f"{shown(text)} is not valid; a range begins with its lower code")
    return text
