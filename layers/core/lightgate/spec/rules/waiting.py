"""Which containers wait for which, and that every gate holds the container that serves."""

from collections.abc import Iterator
from dataclasses import replace

from lightgate.json_reader import shown
from lightgate.spec.keys import AppSpec, Dependency, DependencyCondition, runs_migrate
from lightgate.spec.rules.under_check import SpecUnderCheck


def check_dependencies(checked: SpecUnderCheck) -> None:
    containers = checked.spec.containers
    for name, container in containers.items():
        for index, dependency in enumerate(container.depends_on):
            _check_dependency(checked, name, index, dependency)


def without_unknown(spec: AppSpec) -> AppSpec:
    """The spec without dependencies on containers that do not exist."""
    containers = spec.containers
    known = {
        name: replace(
            each, depends_on=tuple(d for d in each.depends_on if d.container in containers)
        )
        for name, each in containers.items()
    }
    return replace(spec, containers=known)


def _check_dependency(
    checked: SpecUnderCheck, name: str, index: int, dependency: Dependency
) -> None:
    target, containers = dependency.container, checked.spec.containers
    item = ("containers", name, "dependsOn", index)
    place = (*item, "containerName")
    if target == name:
        checked.report("a container cannot wait for itself", *place)
    elif target not in containers:
        checked.report_no_container(target, *place)
        checked.root.problems.unread.append(place)
    elif (
        dependency.condition is DependencyCondition.HEALTHY
        and containers[target].health_check is None
        and checked.was_read("containers", target, "healthCheck")
    ):
        text = f"HEALTHY needs containers.{target}.healthCheck, which is missing"
        checked.report(text, *item, "condition")
    if any(each.container == target for each in containers[name].depends_on[:index]):
        checked.report(f"waits for {shown(target)} twice; keep one of the two", *place)


def check_modes(checked: SpecUnderCheck) -> None:
    for name in checked.spec.containers:
        conditions = checked.spec.conditions_on(name)
        ends = sorted(condition for condition in conditions if condition.needs_an_end)
        if ends and DependencyCondition.HEALTHY in conditions:
            checked.report(
                f"is waited for with HEALTHY and with {ends[0]}: it cannot both run on and end",
                *("containers", name),
            )


def check_circles(checked: SpecUnderCheck) -> None:
    for cycle in _cycles(checked.spec):
        circle = " → ".join(cycle)
        checked.report(f"wait for each other in a circle: {circle}", "containers")


def check_guards(checked: SpecUnderCheck) -> None:
    """Every gate must hold the container that serves, or the gate would protect nothing."""
    spec = checked.spec
    endpoint = spec.public_endpoint
    if endpoint is None or endpoint.container not in spec.containers:
        return
    name = endpoint.container
    before = {name, *_waited_for(spec, name)}
    for gate in spec.gates():
        is_guarded = gate == name or gate in spec.gates_before(name)
        if not is_guarded and all(checked.knows_who_waits_for(gate, each) for each in before):
            checked.report(
                f"{name} does not wait for {gate}, so it would serve even if {gate} failed; "
                f"add {gate} to containers.{name}.dependsOn with SUCCESS",
                *("publicEndpoint", "containerName"),
            )
    for other, container in spec.containers.items():
        migrates = spec.uses_preset(other) or runs_migrate(container.command or ())
        is_sure = checked.knows_who_waits_for(other) and checked.was_read(
            "containers", other, "command"
        )
        if migrates and other != name and other not in spec.gates() and is_sure:
            checked.report(
                f"runs migrate, and no container waits for its success, so {name} would serve "
                f"even if it failed; add {other} to containers.{name}.dependsOn with SUCCESS",
                *("containers", other),
            )


def _waited_for(spec: AppSpec, name: str) -> set[str]:
    """The containers that this one waits for, directly or through others."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        names = {d.container for d in spec.containers[waiting.pop()].depends_on} - found
        found |= names
        waiting += names
    return found


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
