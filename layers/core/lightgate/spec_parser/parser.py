"""From the text of an app spec to an `AppSpec`, or to every problem that it has."""

import re

from lightgate.addresses import (
    REPOSITORY,
    RegistryAddress,
    app_hint,
    bare_name,
    database_hint,
    path_hint,
    repository_hint,
    service_hint,
    tag_hint,
    without_registry,
)
from lightgate.app_spec.spec import (
    AppSpec,
    Database,
    EndpointHealthCheck,
    Migrations,
    Policy,
    PublicEndpoint,
    Stage,
    Verification,
    Write,
)
from lightgate.backup import BackupMode, DatabaseKind
from lightgate.documents import (
    Fields,
    Node,
    Problems,
    Steps,
    every_node,
    nearest,
    one_of,
    parse_json,
    shown,
)
from lightgate.errors import SpecError
from lightgate.release import PIN_TAG_PREFIX
from lightgate.spec_parser.container_parser import (
    LIGHTSAIL_NAME,
    LIGHTSAIL_NAME_WORDS,
    Variables,
    read_containers,
)
from lightgate.spec_parser.rules import LONGEST_POLL_SECONDS, check_rules

# An advanced parameter holds 8 KB (measured-facts.md, "AWS limits").
LONGEST_SPEC_BYTES = 8192

# How long Lightsail lets a deployment hang before it gives it up is not published
# (lightsail-facts.md, section 3). Deployments are seen to take 2 to 15 minutes.
PLATFORM_PATIENCE_SECONDS = 900

# The app's name becomes part of a snapshot identifier, which has no double hyphen
# (lightsail-facts.md, section 14), of an execution name of at most 80 characters, and of a
# message's subject of at most 99.
_APP = r"[a-z0-9]+(?:-[a-z0-9]+)*"
LONGEST_APP_NAME = 40
TAG_PATTERN = r"[A-Za-z0-9_*][A-Za-z0-9_.*-]*"
_RDS_NAME = r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*"
_DATABASE_NAMES = {
    DatabaseKind.INSTANCE: (_RDS_NAME, "the identifier of an RDS instance", 63),
    DatabaseKind.CLUSTER: (_RDS_NAME, "the identifier of an Aurora cluster", 63),
    DatabaseKind.LIGHTSAIL: (
        r"[A-Za-z0-9_][A-Za-z0-9_-]*[A-Za-z0-9_]",
        "the name of a Lightsail database",
        255,
    ),
}
# A slash first: so there is neither a scheme nor a host in it. And no line break.
_PATH = (r"/[\x21-\x7e]*", "a path that begins with /, in ASCII and without spaces", 1024)
# RFC 9110, section 5: a name is a token. A value may be more than this, and is not understood
# alike by all servers then.
_HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_HEADER_NAME_WORDS = "letters, digits and !#$%&'*+-.^_`|~"
_HEADER_VALUE = r"[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?"
# What the request needs to be one exchange with this server, and is said by whoever sends it.
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
_SUCCESS_CODES = r"[0-9]{3}(?:-[0-9]{3})?(?:,[0-9]{3}(?:-[0-9]{3})?)*"
# The rules look at these members of a spec, but not at these keys of a container.
_RULES_READ = ("containers", "publicEndpoint", "unprotected")
_BESIDE_THE_RULES = (
    *("command", "environment", "secrets", "healthCheck", "timeoutSeconds", "pendingCommand"),
    *("afterFailure", "manage", "fixtures", "python"),
)


def parse_app_name(name: str) -> str:
    """The name of an app, which is the last part of its parameter's name.

    Raises:
        SpecError: it cannot be one.
    """
    problems = Problems("the spec")
    words = "lower-case letters and digits, single hyphens between them"
    bare_name(Node(name, "app", problems), _APP, words, LONGEST_APP_NAME, app_hint)
    if problems.lines:
        raise SpecError(*problems.reasons)
    return name


def parse_spec(text: str | bytes, home: RegistryAddress | None = None) -> AppSpec:
    """The spec that the text describes.

    `home` is the registry whose pushes Lightgate receives. Without it, as on somebody's own
    machine, the address of a repository in any registry is taken.

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
    if isinstance(document, str) and _is_object(document):
        root.problem("is a JSON text in quotes; store the object itself, without quotes around it")
        raise SpecError(*problems.reasons)
    spec = _app(root, home)
    if all(map(_is_beside_the_rules, problems.places)):
        check_rules(spec, root, home)
    if problems.lines:
        raise SpecError(*problems.reasons)
    return spec


def _is_beside_the_rules(place: Steps) -> bool:
    """Whether a problem there leaves whole what the rules look at: both can be reported at once."""
    match place:
        case [key] if key not in _RULES_READ:
            # Unless it is such a key, spelt wrongly.
            return not nearest(str(key), _RULES_READ)
        case ["publicEndpoint", key, *_]:
            return key == "healthCheck"
        case ["containers", _, key]:
            return key in _BESIDE_THE_RULES
        case _:
            return place != () and place[0] not in _RULES_READ


def _is_object(text: str) -> bool:
    return isinstance(parse_json(text, Problems()), dict)


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


def _app(node: Node, home: RegistryAddress | None) -> AppSpec:
    fields = node.fields(
        required=("serviceName", "repository", "containers"),
        optional=(
            "tags",
            "stage",
            "database",
            "migrations",
            "environment",
            "secrets",
            "publicEndpoint",
            "verification",
            "unprotected",
            "pollSeconds",
            "deploymentTimeoutSeconds",
            "platformPatienceSeconds",
        ),
    )
    service = fields.read("serviceName", _service_name, "")
    shared = Variables.read(fields)
    return AppSpec(
        service=service,
        repository=fields.read("repository", lambda n: _repository(n, home), ""),
        tags=fields.read("tags", _tags, ("latest",)),
        stage=fields.read("stage", lambda n: n.member(Stage), Stage.PRODUCTION),
        database=fields.read("database", _database, None),
        migrations=fields.read("migrations", _migrations, _migrations(node.child("", {}))),
        environment=shared.environment,
        secrets=shared.secrets,
        containers=fields.read("containers", lambda n: read_containers(n, service, shared), {}),
        public_endpoint=fields.read("publicEndpoint", _public_endpoint, None),
        verification=fields.read("verification", _verification, _verification(node.child("", {}))),
        unprotected=fields.read("unprotected", Node.boolean, False),
        # What is wrong stands in as the value with which no time limit is too long.
        poll_seconds=fields.read(
            "pollSeconds",
            lambda n: n.integer(1, LONGEST_POLL_SECONDS, instead=LONGEST_POLL_SECONDS),
            10,
        ),
        # lightsail-facts.md, section 3: a limit under 30 minutes would give up on
        # deployments that still end well. Waiting for the snapshot, for the service and for
        # the deployment fit into the state machine's own limit.
        deployment_timeout_seconds=fields.read(
            "deploymentTimeoutSeconds", lambda n: n.integer(1800, 43200), 3600
        ),
        platform_patience_seconds=fields.read(
            "platformPatienceSeconds",
            lambda n: n.integer(120, 43200, instead=43200),
            PLATFORM_PATIENCE_SECONDS,
        ),
    )


def _service_name(node: Node) -> str:
    return bare_name(node, LIGHTSAIL_NAME, LIGHTSAIL_NAME_WORDS, 63, service_hint)


def _repository(node: Node, home: RegistryAddress | None) -> str:
    """The bare name, as ECR reports it; the address of the repository says the same."""
    words = "an ECR repository name such as team/crops"
    text = bare_name(node, REPOSITORY, words, 256, repository_hint)
    name, registry = without_registry(text), RegistryAddress.of_address(text)
    if registry is not None and home is not None and registry != home:
        node.problem(
            f"{shown(text)} is in the account {registry.account} and the region {registry.region}; "
            f"Lightgate receives only the pushes of the account {home.account} and the region "
            f"{home.region}; push to a repository there and write its name, such as {name}"
        )
    return name


def _tags(node: Node) -> tuple[str, ...]:
    tags = tuple(
        bare_name(item, TAG_PATTERN, "a tag, with * for any part of it", 128, tag_hint)
        for item in node.items(texts=True)
    )
    if isinstance(node.value, list) and not tags:
        node.problem("must name at least one tag")
    for index, tag in enumerate(tags):
        if tag.startswith(PIN_TAG_PREFIX):
            node.child(index, tag).problem(
                f"tags that begin with {PIN_TAG_PREFIX} are Lightgate's own; a push of one is "
                "never a release"
            )
    return tags


def _database(node: Node) -> Database:
    kinds = [kind.value for kind in DatabaseKind]
    fields = node.fields(optional=(*kinds, "backup", "keepSnapshots", "timeoutSeconds"))
    given = [kind for kind in DatabaseKind if isinstance(node.value, dict) and kind in node.value]
    if isinstance(node.value, dict) and len(given) != 1:
        found = f"has {' and '.join(given)}; keep" if given else "names no database; write"
        node.problem(f"{found} one of {'them' if given else one_of(kinds)}")
    kind = given[0] if given else DatabaseKind.INSTANCE
    names = [_database_name(fields, each) for each in given]
    return Database(
        kind=kind,
        name=names[0] if names else "",
        backup=fields.read("backup", lambda n: n.member(BackupMode), kind.usual_mode),
        keep_snapshots=fields.read("keepSnapshots", lambda n: n.integer(1, 100), None),
        timeout_seconds=fields.read("timeoutSeconds", lambda n: n.integer(60, 86400), 3600),
    )


def _database_name(fields: Fields, kind: DatabaseKind) -> str:
    hint = database_hint(kind.value)
    return fields.read(kind.value, lambda n: bare_name(n, *_DATABASE_NAMES[kind], hint), "")


def _migrations(node: Node) -> Migrations:
    fields = node.fields(
        optional=("policy", "lockTimeoutSeconds", "requireLock", "databaseTimeoutSeconds")
    )
    return Migrations(
        policy=fields.read("policy", lambda n: n.member(Policy), Policy.WARN),
        allow_destructive=False,
        lock_timeout_seconds=fields.read("lockTimeoutSeconds", lambda n: n.integer(0, 300), 2),
        require_lock=fields.read("requireLock", Node.boolean, True),
        database_timeout_seconds=fields.read(
            "databaseTimeoutSeconds", lambda n: n.integer(1, 3600), 60
        ),
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
        path=fields.read("path", _path, "/"),
        success_codes=fields.read("successCodes", _success_codes, "200-399"),
        interval_seconds=fields.read("intervalSeconds", lambda n: n.integer(5, 300), 5),
        timeout_seconds=fields.read("timeoutSeconds", lambda n: n.integer(2, 60), 2),
        healthy_threshold=fields.read("healthyThreshold", lambda n: n.integer(2, 10), 2),
        unhealthy_threshold=fields.read("unhealthyThreshold", lambda n: n.integer(2, 10), 2),
    )


def _path(node: Node) -> str:
    return bare_name(node, *_PATH, path_hint)


def _success_codes(node: Node) -> str:
    text = node.string(_SUCCESS_CODES, "codes from 200 to 499 such as 200, 200-299 or 200,301")
    if re.fullmatch(_SUCCESS_CODES, text):
        ranges = [[int(code) for code in part.split("-")] for part in text.split(",")]
        if any(not 200 <= code <= 499 for codes in ranges for code in codes):
            node.problem(f"{shown(text)} is out of range; allowed is 200 to 499")
        elif any(codes != sorted(codes) for codes in ranges):
            node.problem(f"{shown(text)} is not valid; a range begins with its lower code")
    return text


def _verification(node: Node) -> Verification:
    fields = node.fields(
        optional=(
            "watchSeconds",
            "path",
            "successCodes",
            "expectHeader",
            "expectText",
            "latencySeconds",
            "answersNeeded",
            "failuresInARow",
            "write",
        )
    )
    return Verification(
        watch_seconds=fields.read("watchSeconds", lambda n: n.integer(0, 3600), 120),
        path=fields.read("path", _path, None),
        success_codes=fields.read("successCodes", _success_codes, None),
        expected_header=fields.read("expectHeader", _expected_header, None),
        expected_text=fields.read("expectText", lambda n: n.string(longest=200), None),
        latency_seconds=fields.read("latencySeconds", lambda n: n.integer(1, 30), 5),
        answers_needed=fields.read("answersNeeded", lambda n: n.integer(1, 10), 3),
        failures_in_a_row=fields.read("failuresInARow", lambda n: n.integer(1, 10), 3),
        write=fields.read("write", _write, None),
    )


def _expected_header(node: Node) -> tuple[str, str]:
    fields = node.fields(required=("name", "value"))
    name = fields.read("name", lambda n: n.string(_HEADER_NAME, _HEADER_NAME_WORDS, 256), "")
    return name, fields.read("value", _header_value, "")


def _write(node: Node) -> Write:
    fields = node.fields(required=("path",), optional=("method", "headers", "body", "successCodes"))
    return Write(
        method=fields.read("method", lambda n: n.choice("POST", "PUT", "PATCH"), "POST"),
        path=fields.read("path", _path, "/"),
        headers=fields.read("headers", _headers, {}),
        body=fields.read("body", lambda n: n.string(longest=2000), None),
        success_codes=fields.read("successCodes", _success_codes, "200-299"),
    )


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


def _header_value(node: Node) -> str:
    if isinstance(node.value, str) and re.fullmatch(_HEADER_VALUE, node.value):
        return node.value
    # The text itself is not repeated: it may be a secret that does not belong here.
    node.problem(
        "is not the value of a header; allowed are 1 to 1024 printable ASCII characters, with no "
        "space at either end"
    )
    return ""
