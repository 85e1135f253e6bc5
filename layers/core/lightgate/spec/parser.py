"""From the text of an app spec to an `AppSpec`, or to every problem that it has."""

from dataclasses import replace

from lightgate.errors import SpecError
from lightgate.image.addresses import RegistryAddress, bare_name, without_registry
from lightgate.json_reader import Node, Problems, every_node, parse_json
from lightgate.spec.address_hints import app_hint
from lightgate.spec.key_reader import read_object
from lightgate.spec.keys import AppSpec, Container
from lightgate.spec.rules.all_rules import check_rules
from lightgate.spec.rules.other_images import is_pushed_image

# An advanced parameter holds 8 KB (docs/measured.md, "Limits of AWS").
LONGEST_SPEC_BYTES = 8192

# The app's name becomes part of a snapshot identifier, which has no double hyphen
# (docs/lightsail.md, "Snapshots of RDS"), of an execution name of at most 80 characters, and of a
# message's subject of at most 99.
_APP = r"[a-z0-9]+(?:-[a-z0-9]+)*"
LONGEST_APP_NAME = 40


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
    spec = _resolved(read_object(AppSpec, root), problems)
    if isinstance(document, dict):
        check_rules(spec, root, home)
    if problems.lines:
        raise SpecError(*problems.reasons)
    return spec


def _resolved(spec: AppSpec, problems: Problems) -> AppSpec:
    """The spec with what one part of it says about another."""
    service = None if ("serviceName",) in problems.unread else spec.service
    return replace(
        spec,
        repository=without_registry(spec.repository),
        containers={
            name: replace(
                _with_variables_of_the_app(spec, each),
                image=None if is_pushed_image(each.image, service) else each.image,
            )
            for name, each in spec.containers.items()
        },
    )


def _with_variables_of_the_app(spec: AppSpec, container: Container) -> Container:
    """The container's own variables override those of the app, values as well as secrets."""
    own = container.environment.keys() | container.secrets.keys()
    environment = {k: v for k, v in spec.environment.items() if k not in own}
    secrets = {k: v for k, v in spec.secrets.items() if k not in own}
    return replace(
        container,
        environment=environment | dict(container.environment),
        secrets=secrets | dict(container.secrets),
    )


def _is_object(text: str) -> bool:
    return isinstance(parse_json(text, Problems()), dict)


def _refuse_braces(root: Node) -> None:
    """SSM takes no value with `{{` (docs/measured.md, "Limits of AWS")."""
    for node in every_node(root):
        if isinstance(node.value, str) and "{{" in node.value:
            node.problem(
                "contains {{, which the parameter store refuses; refer to a secret instead"
            )
        elif isinstance(node.value, dict):
            for key in node.value:
                if "{{" in key:
                    node.child(key, None).problem("contains {{, which the parameter store refuses")
