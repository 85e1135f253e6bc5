"""The container service: enabled, of this stack, and large enough for gate and app."""

import shlex
from collections.abc import Mapping
from typing import Any

from lightgate.checks.finding import Check, Finding, failure, ok, unknown, warning
from lightgate.deployment.status import Service
from lightgate.names import STACK_TAG
from lightgate.spec.keys import AppSpec

# Megabytes. Less has no Django; more depends on the app. Those of the gate are measured
# (docs/architecture.md, "What the gate costs").
_DJANGO, _OTHER_IMAGE, _GATE, _WAITER = 128, 16, 16, 13
_SMALLEST_POWER = "nano"


def service_state(service: Service, stack: str) -> Finding:
    """Whether this stack can deploy to the service now."""
    name = service.name
    if service.disabled:
        return failure(
            Check.SERVICE,
            f"{name} is disabled, so it takes no deployment",
            f"aws lightsail update-container-service --service-name {name} --no-is-disabled",
        )
    newest = service.newest_release
    owner = service.tagged_stack or (newest.stack if newest is not None else None)
    if owner is not None and owner != stack:
        return failure(
            Check.SERVICE,
            f"{name} belongs to the stack {owner}, and the stack {stack} does not deploy to it",
            f"aws lightsail tag-resource --resource-name {name} "
            f"--tags key={STACK_TAG},value={stack}",
        )
    nodes = "1 node" if service.scale == 1 else f"{service.scale} nodes"
    return ok(Check.SERVICE, f"{name} is {service.state}: {service.power}, {nodes}")


def no_service(spec: AppSpec, reason: str) -> Finding:
    return failure(
        Check.SERVICE,
        reason,
        f"aws lightsail create-container-service --service-name {shlex.quote(spec.service)} "
        "--power micro --scale 1 --private-registry-access ecrImagePullerRole={isActive=true}",
    )


def power(spec: AppSpec, service: Service, powers: Mapping[str, Any]) -> Finding:
    """`powers` is the answer of GetContainerServicePowers. The estimate is a lower bound."""
    sizes = {each["name"]: each["ramSizeInGb"] for each in powers["powers"]}
    if service.power not in sizes:
        return unknown(Check.POWER, f"Lightsail does not list the power {service.power}")
    has, needs = round(sizes[service.power] * 1024), _least_memory(spec)
    update = f"aws lightsail update-container-service --service-name {service.name} --power"
    if needs > has:
        return warning(
            Check.POWER,
            f"{service.power} has {has} MB, and gate and app need at least {needs} MB",
            f"{update} {_next_power(service.power, powers, needs)}",
        )
    if service.power == _SMALLEST_POWER:
        return warning(
            Check.POWER,
            f"{service.power} has {has} MB and a quarter of a processor; gate and app start at the "
            "same time, and users of Lightsail report that health checks fail at random there",
            f"{update} micro",
        )
    return ok(Check.POWER, f"{service.power} has {has} MB; gate and app need at least {needs} MB")


def _next_power(power: str, powers: Mapping[str, Any], needs: int) -> str:
    larger = sorted((one["ramSizeInGb"], one["name"]) for one in powers["powers"])
    return next((str(name) for size, name in larger if size * 1024 >= needs), power)


def _least_memory(spec: AppSpec) -> int:
    of_images = sum(_DJANGO if c.image is None else _OTHER_IMAGE for c in spec.containers.values())
    gates = len(spec.gates())
    waiters = sum(1 for c in spec.containers.values() if c.depends_on)
    return of_images + gates * _GATE + waiters * _WAITER
