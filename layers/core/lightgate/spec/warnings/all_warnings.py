"""The warnings about a valid spec: it works, but perhaps not as its owner means it."""

import re
from collections.abc import Iterator

from lightgate.image.config import ImageConfig
from lightgate.json_reader import nearest, printable
from lightgate.patterns import pattern
from lightgate.spec.command_rules import needs_a_plan, without_plan
from lightgate.spec.health_rules import PLACEHOLDERS
from lightgate.spec.image_rules import warnings_of_the_image
from lightgate.spec.keys import AppSpec, Container
from lightgate.spec.migrating import Migrates, migrates
from lightgate.spec.warnings import connections, migrate, secrets, servers

_PLACEHOLDER = pattern(r"\{\w+\}")
_SECRET_HEADER = pattern("auth|cookie|token|secret|password|key", re.IGNORECASE)


def warnings(spec: AppSpec, config: ImageConfig | None) -> list[str]:
    """One sentence for each, with its path. `config` is None while no image is known."""
    rules = (
        connections.registry_in_the_repository(spec),
        connections.hosts_of_docker(spec),
        connections.servers_that_nothing_runs(spec),
        connections.databases_in_a_file(spec),
        secrets.in_plain_text(spec),
        secrets.in_plain_text_in_commands(spec),
        secrets.references_in_the_environment(spec),
        secrets.inherited_by_other_images(spec),
        servers.ports_without_the_endpoints(spec),
        servers.out_of_reach(spec, config),
        migrate.that_applies_too_little(spec),
        migrate.that_may_be_rolled_back_to_failing_code(spec),
        migrate.that_is_never_reversed(spec),
    )
    return [
        *_of_the_app(spec),
        *_of_the_verification(spec),
        *(printable(line) for c in spec.containers.values() for line in _of_container(spec, c)),
        *(map(printable, warnings_of_the_image(spec, config)) if config is not None else ()),
        *(str(each) for rule in rules for each in rule),
    ]


def _of_the_app(spec: AppSpec) -> Iterator[str]:
    if spec.database is None:
        yield "database: is missing, so no snapshot is taken before a release"
    if not spec.gates():
        yield (
            "containers: no container waits for another one with SUCCESS or HEALTHY, so nothing "
            "is migrated before the app serves"
        )
    if spec.unprotected:
        yield (
            "unprotected: without a public endpoint Lightsail replaces the old version before "
            "the gate has opened; a failed migration is reported, and the old version is gone"
        )
    endpoint = spec.public_endpoint
    if endpoint is not None and _takes_an_error_for_healthy(endpoint.health_check.success_codes):
        yield (
            f"publicEndpoint.healthCheck.successCodes: {endpoint.health_check.success_codes} takes "
            "errors such as 404 for healthy; 200 or 200-399 is safer"
        )


def _of_the_verification(spec: AppSpec) -> Iterator[str]:
    asked = spec.verification
    expected = {
        "expectHeader.value": asked.expected_header.value if asked.expected_header else "",
        "expectText": asked.expected_text or "",
    }
    for key, text in expected.items():
        for found in _PLACEHOLDER.findall(text):
            if found not in PLACEHOLDERS:
                yield (
                    f"verification.{key}: {found} is not filled in{nearest(found, PLACEHOLDERS)}, "
                    "and is expected as it stands"
                )
    for name in asked.write.headers if asked.write else ():
        if _SECRET_HEADER.search(name):
            yield (
                f"verification.write.headers.{name}: can be read by everybody who may read "
                "the parameter; use a path that needs no secret"
            )


def _takes_an_error_for_healthy(codes: str) -> bool:
    return any(int(part.partition("-")[2] or part) >= 400 for part in codes.split(","))


def _of_container(spec: AppSpec, container: Container) -> Iterator[str]:
    path = f"containers.{container.name}"
    awaited = spec.conditions_on(container.name)
    yield from _about_migrate(spec, container, path)
    if container.health_check is not None and not awaited:
        yield f"{path}.healthCheck: is not carried out, because no container waits for this one"
    if container.timeout_seconds is None:
        return
    if not spec.runs_to_an_end(container.name):
        yield (
            f"{path}.timeoutSeconds: is not applied, because no container waits for this one to end"
        )
    elif container.timeout_seconds > spec.platform_patience_seconds:
        yield (
            f"{path}.timeoutSeconds: {container.timeout_seconds} is longer than Lightsail may wait "
            f"(platformPatienceSeconds, {spec.platform_patience_seconds}): the deployment may be "
            "given up while the command still runs"
        )


def _about_migrate(spec: AppSpec, container: Container, path: str) -> Iterator[str]:
    """A command whose migrations have no plan. Of another image nothing is known."""
    if container.image is not None:
        return
    if spec.runs_to_an_end(container.name):
        if (why := without_plan(container)) is not None and needs_a_plan(
            spec, container.name
        ) is None:
            yield f"{path}.command: {why}"
    elif container.name not in spec.gates():
        match migrates(container.command or ()):
            case Migrates.YES:
                yield (
                    f"{path}.command: runs migrate outside a gate: at every start, on every node, "
                    "and nobody waits for its success; give it a container of its own to wait for"
                )
            # A script that names no migration gets no warning: its effect shows only when it runs.
            case Migrates.PERHAPS if "migrat" in " ".join(container.command or ()):
                yield (
                    f"{path}.command: may run migrate outside a gate; Lightgate reports it then, "
                    "and does not roll back automatically; give the command without it"
                )
