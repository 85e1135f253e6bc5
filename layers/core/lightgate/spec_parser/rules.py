"""The rules of an app spec that can only be checked on its containers together."""

import math
from collections.abc import Container, Iterator
from datetime import timedelta

from lightgate.addresses import ImageAddress, RegistryAddress
from lightgate.app_spec.django_command import manage_call
from lightgate.app_spec.spec import AppSpec, Condition, Dependency, Stage, runs_migrate
from lightgate.documents import Node, nearest, one_of, shown
from lightgate.hold import longest_limit
from lightgate.verification import most_rounds, rules_of

# Step Functions keeps 25,000 events of an execution; the steps outside the waits take few.
MOST_POLLS = 2600
LONGEST_POLL_SECONDS = 300
# Waiting for the service, for the deployment, and for that of a rollback.
_DEPLOYMENT_LIMITS = 3
# The version that was deployed, and the one that was gone back to.
_WATCHES = 2
_NEED_AN_ANSWER = (
    "path",
    "successCodes",
    "expectHeader",
    "expectText",
    "latencySeconds",
    "write",
)


def check_rules(spec: AppSpec, root: Node, home: RegistryAddress | None) -> None:
    """Report every rule that the spec breaks. Each part of it must be valid by itself."""
    containers = root.child("containers", None)
    for name, container in spec.containers.items():
        node = containers.child(name, None)
        for index, dependency in enumerate(container.depends_on):
            target = node.child("dependsOn", None).child(index, None)
            _check_dependency(spec, name, dependency, target)
            if any(d.container == dependency.container for d in container.depends_on[:index]):
                target.child("containerName", None).problem(
                    f"waits for {shown(dependency.container)} twice; keep one of the two"
                )
    not_pushed = _check_images(spec, containers, home)
    _check_ports(spec, root)
    _check_modes(spec, containers)
    _check_commands(spec, containers, not_pushed)
    _check_endpoint(spec, root)
    _check_verification(spec, root)
    _check_polls(spec, root)
    _check_patience(spec, root)
    if all(d.container in spec.containers for c in spec.containers.values() for d in c.depends_on):
        for cycle in _cycles(spec):
            containers.problem(f"wait for each other in a circle: {' → '.join(cycle)}")
        _check_guards(spec, root)


def _check_dependency(spec: AppSpec, name: str, dependency: Dependency, node: Node) -> None:
    target = dependency.container
    if target == name:
        node.child("containerName", None).problem("a container cannot wait for itself")
    elif target not in spec.containers:
        node.child("containerName", None).problem(_no_container(spec, target))
    elif dependency.condition is Condition.HEALTHY and not spec.containers[target].health_check:
        node.child("condition", None).problem(
            f"HEALTHY needs containers.{target}.healthCheck, which is missing"
        )


def _no_container(spec: AppSpec, name: str) -> str:
    hint = nearest(name, spec.containers)
    return f"there is no container {shown(name)}{hint}; allowed is {one_of(spec.containers)}"


def _cycles(spec: AppSpec) -> Iterator[list[str]]:
    """Each circle of waiting containers once, beginning with its first in the spec."""
    order = list(spec.containers)
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> Iterator[list[str]]:
        if name in path:
            circle = path[path.index(name) :]
            start = circle.index(min(circle, key=order.index))
            yield [*circle[start:], *circle[:start], circle[start]]
            return
        if name in done:
            return
        for dependency in spec.containers[name].depends_on:
            if dependency.container != name:
                yield from walk(dependency.container, [*path, name])
        done.add(name)

    for name in order:
        yield from walk(name, [])


def _check_images(spec: AppSpec, containers: Node, home: RegistryAddress | None) -> set[str]:
    """Another image than the pushed one is meant only if its digest says which one.

    The public endpoint and the migrations need the pushed image: otherwise a release of one image
    would succeed with another one. So would one of a spec in which every container has another.
    Returns the containers whose image has to be removed.
    """
    others = [name for name, container in spec.containers.items() if container.image is not None]
    if others and len(others) == len(spec.containers) and not any(_role(spec, n) for n in others):
        containers.problem(
            "all have another image, so none runs the image that is pushed; remove the image of "
            "each container that runs the app"
        )
    not_pushed = set()
    for name, container in spec.containers.items():
        if container.image is None:
            continue
        node = containers.child(name, None).child("image", None)
        if (role := _role(spec, name)) is not None:
            is_endpoint = (
                spec.public_endpoint is not None and spec.public_endpoint.container == name
            )
            other = ", or name a container of the app in publicEndpoint" if is_endpoint else ""
            node.problem(
                f"{shown(container.image)} is another image; {name} {role}, and such a container "
                f"always runs the image that was pushed; remove the image{other}"
            )
            not_pushed.add(name)
        elif (image := ImageAddress.read(container.image)).digest is None:
            registry = RegistryAddress.of_address(container.image)
            is_ours = registry is not None and home in (None, registry)
            is_own = image.path == spec.repository and (is_ours or not image.host)
            node.problem(_no_digest(container.image, image, is_own=is_own))
            if is_own:
                not_pushed.add(name)
    return not_pushed


def _role(spec: AppSpec, name: str) -> str | None:
    """Why the container must run the pushed image, if it must."""
    endpoint, container = spec.public_endpoint, spec.containers[name]
    if endpoint is not None and endpoint.container == name:
        return "is the container of publicEndpoint"
    if spec.runs_to_an_end(name):
        return "is waited for until it ends"
    if container.manage or runs_migrate(container.command or ()):
        return "migrates"
    return None


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


def _check_ports(spec: AppSpec, root: Node) -> None:
    """The containers of a node share one network (lightsail-facts.md, section 2)."""
    owners: dict[int, str] = {}
    containers = root.child("containers", None)
    for name, container in spec.containers.items():
        for port in container.ports:
            if port in owners:
                containers.child(name, None).child("ports", None).child(str(port), None).problem(
                    f"the container {owners[port]} listens on it too, and the containers of a "
                    "deployment share one network; give one of them another port"
                )
            owners.setdefault(port, name)
    endpoint = spec.public_endpoint
    if endpoint is None or endpoint.container not in spec.containers:
        return
    owner = owners.get(endpoint.port)
    if owner is not None and endpoint.port not in spec.containers[endpoint.container].ports:
        root.child("publicEndpoint", None).child("containerPort", None).problem(
            f"{endpoint.port} is a port of the container {owner}, and the containers of a "
            f"deployment share one network; name {owner} in containerName, or give a port of "
            f"{endpoint.container}"
        )


def _check_modes(spec: AppSpec, containers: Node) -> None:
    for name in spec.containers:
        conditions = spec.conditions_on(name)
        ends = sorted(condition for condition in conditions if condition.needs_an_end)
        if ends and Condition.HEALTHY in conditions:
            containers.child(name, None).problem(
                f"is waited for with HEALTHY and with {ends[0]}: it cannot both run on and end"
            )


def _check_commands(spec: AppSpec, containers: Node, not_pushed: Container[str]) -> None:
    for name, container in spec.containers.items():
        node = containers.child(name, None)
        is_wrapped = bool(container.depends_on or spec.conditions_on(name))
        is_foreign = container.image is not None and name not in not_pushed
        if is_wrapped and is_foreign and container.python is None:
            node.child("python", None).problem(
                "is missing: a container that waits, or that another one waits for, runs the gate, "
                f"and that needs Python 3.8 or later; if the image {shown(container.image)} has "
                'Python, write its name, such as "python3"; if not, remove the dependsOn of this '
                "container, and this container from every other dependsOn"
            )
        if is_wrapped and is_foreign and container.command is None:
            node.child("command", None).problem(
                "is missing: the gate starts the command of a container that waits, or that "
                f"another one waits for; write the command of the image {shown(container.image)}"
            )
        if container.python is not None and not is_wrapped:
            node.child("python", None).problem("has no use: this container runs no gate; remove it")
        if container.fixtures and spec.uses_preset(name) and spec.stage is not Stage.DEVELOPMENT:
            node.child("fixtures", None).problem(
                f"are loaded in the stage development only, and the stage is {spec.stage}"
            )
        for key, place in _useless_keys(spec, name):
            node.child(key, None).problem(f"has no use: it belongs to {place}; remove it")


def _useless_keys(spec: AppSpec, name: str) -> Iterator[tuple[str, str]]:
    """The keys of the container that would be ignored, and where they belong."""
    container = spec.containers[name]
    task = "a container that is waited for with SUCCESS or COMPLETE"
    ends, is_ours = spec.runs_to_an_end(name), container.image is None
    if container.fixtures and not spec.uses_preset(name):
        yield "fixtures", f"{task} and gives no command, so that the stage decides what it runs"
    if container.manage and not (ends and is_ours):
        yield "manage", f"{task} and runs the pushed image"
    if container.after_failure and not ends:
        yield "afterFailure", task
    if container.pending_command:
        is_django = container.manage or manage_call(container.command or ())
        if not ends or spec.uses_preset(name) or is_django:
            yield "pendingCommand", f"{task} and is not Django, whose plan is read instead"


def _check_polls(spec: AppSpec, root: Node) -> None:
    """An execution ends without a message at 25,000 events, and a look costs nine of them."""
    snapshot = spec.database.timeout_seconds if spec.database else 0
    longest = snapshot + _DEPLOYMENT_LIMITS * spec.deployment_timeout_seconds
    room = MOST_POLLS - _WATCHES * most_rounds(rules_of(spec))
    shortest = math.ceil(longest / room)
    if spec.poll_seconds < shortest:
        found = (
            f"{spec.poll_seconds} is"
            if "pollSeconds" in root.value
            else f"is missing, and its default of {spec.poll_seconds} is"
        )
        limits = "database.timeoutSeconds and " if spec.database else ""
        root.child("pollSeconds", None).problem(
            f"{found} too short: with {limits}deploymentTimeoutSeconds a release may take "
            f"{longest} seconds, and one execution has room for {room} checks; allowed is "
            f"{shortest} to {LONGEST_POLL_SECONDS}"
        )


def _check_patience(spec: AppSpec, root: Node) -> None:
    """A gate is not permitted to begin what the platform may cut off in the middle."""
    if root.value.get("pollSeconds", spec.poll_seconds) != spec.poll_seconds:
        return  # It is wrong itself, and something else stands in for it.
    patience = timedelta(seconds=spec.platform_patience_seconds)
    look = timedelta(seconds=spec.poll_seconds)
    longest = int(longest_limit(patience, look).total_seconds())
    for name in spec.asking_gates():
        limit = spec.time_limit(name) or 0
        if limit > longest:
            given = spec.containers[name].timeout_seconds is not None
            fits = f"allowed is 1 to {longest}, or" if longest > 0 else "none would fit; give"
            root.child("containers", None).child(name, None).child("timeoutSeconds", None).problem(
                f"{limit} is {'' if given else 'its default, and '}too long: Lightsail is trusted "
                f"to wait {spec.platform_patience_seconds} seconds for a deployment "
                "(platformPatienceSeconds, not published), and the node has to start and to be "
                f"seen in them too (pollSeconds, {spec.poll_seconds}); {fits} a longer "
                "platformPatienceSeconds at your own risk"
            )


def _check_endpoint(spec: AppSpec, root: Node) -> None:
    endpoint = spec.public_endpoint
    if endpoint is None:
        if not spec.unprotected:
            root.problems.add(
                "publicEndpoint",
                "is missing: without it Lightsail checks no health, and a deployment becomes "
                'active while its gate still holds; add it, or say "unprotected": true',
            )
        return
    node = root.child("publicEndpoint", None)
    if spec.unprotected:
        root.child("unprotected", None).problem("contradicts publicEndpoint; keep one of the two")
    container = spec.containers.get(endpoint.container)
    if container is None:
        node.child("containerName", None).problem(_no_container(spec, endpoint.container))
        return
    # A port that the container does not mention is opened for the endpoint.
    protocol = container.ports.get(endpoint.port, "HTTP")
    if protocol not in ("HTTP", "HTTPS"):
        node.child("containerPort", None).problem(
            f"{endpoint.port} is open for {protocol} in containers.{container.name}.ports; "
            "allowed is HTTP or HTTPS"
        )
    if spec.runs_to_an_end(container.name):
        node.child("containerName", None).problem(
            f"{container.name} is waited for until it ends, so it cannot serve"
        )


def _check_verification(spec: AppSpec, root: Node) -> None:
    """What is said of answers has no meaning where nobody can ask."""
    given = root.value.get("verification")
    if spec.public_endpoint is not None or not isinstance(given, dict):
        return
    for key in _NEED_AN_ANSWER:
        if key in given:
            root.child("verification", given).child(key, None).problem(
                "needs publicEndpoint, which is missing: without a public URL nothing is asked"
            )


def _check_guards(spec: AppSpec, root: Node) -> None:
    """Every gate must hold the container that serves, or the gate would protect nothing."""
    endpoint = spec.public_endpoint
    if endpoint is None or endpoint.container not in spec.containers:
        return
    name, node = endpoint.container, root.child("publicEndpoint", None)
    for gate in spec.gates():
        if gate != name and gate not in spec.gates_before(name):
            node.child("containerName", None).problem(
                f"{name} does not wait for {gate}, so it would serve even if {gate} failed; "
                f"add {gate} to containers.{name}.dependsOn with SUCCESS"
            )
    for other, container in spec.containers.items():
        migrates = spec.uses_preset(other) or runs_migrate(container.command or ())
        if migrates and other != name and other not in spec.gates():
            root.child("containers", None).child(other, None).problem(
                f"runs migrate, and no container waits for its success, so {name} would serve even "
                f"if it failed; add {other} to containers.{name}.dependsOn with SUCCESS"
            )
