"""The only container of a rehearsal: the gate of the app, with variables of its own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lightgate.deployment.compiler import ImageSource, compile_deployment
from lightgate.errors import RefusalCode, RefusedError
from lightgate.rehearsal.copied_database import Address, on_the_copy
from lightgate.spec.keys import (
    AfterFailure,
    AppSpec,
    Dependency,
    DependencyCondition,
    Rehearsal,
    SecretReference,
)
from lightgate.spec.presets import preset

# No public endpoint holds an old version back, so nothing ends the wait of this gate early.
PATIENCE_SECONDS = 43200
# A gate supervises only a container for which another one waits. This one is not deployed.
_AFTER = "after-it"


def rehearsed_gate(spec: AppSpec) -> str:
    """The container whose migrations are rehearsed.

    Raises:
        RefusedError: the spec does not say how to rehearse, or which migrations.
    """
    rehearsal_of(spec)
    gates = replace(spec, unprotected=False).asking_gates()
    if len(gates) == 1 and spec.containers[gates[0]].image is None:
        return gates[0]
    found = f"has {len(gates)}: {', '.join(gates)}" if gates else "has none"
    raise RefusedError(
        "rehearsal: needs exactly one container that migrates with the pushed image and whose plan "
        f"the gate can read, and this spec {found}",
        code=RefusalCode.REHEARSAL,
    )


def rehearsal_of(spec: AppSpec) -> Rehearsal:
    """The part of the spec about rehearsals.

    Raises:
        RefusedError: there is none, so nothing says which variables a rehearsal may have.
    """
    if spec.rehearsal is None:
        raise RefusedError(
            "rehearsal: is missing in the spec. A rehearsal has a list of variables of its own, so "
            "that no migration sends mail or charges a card; docs/rehearsal.md has an example",
            code=RefusalCode.REHEARSAL,
        )
    return spec.rehearsal


def rehearsal_spec(spec: AppSpec, service: str) -> AppSpec:
    """The app's spec with nothing in it but the gate, on the temporary service.

    Its plan is applied whatever the policy says: the rehearsal is to show what it does.
    """
    gate, rehearsal = rehearsed_gate(spec), rehearsal_of(spec)
    model = spec.containers[gate]
    command = preset(spec, gate).main if spec.uses_preset(gate) else model.command
    own = replace(
        model,
        command=command,
        environment=rehearsal.environment,
        secrets=rehearsal.secrets,
        ports={},
        depends_on=(),
        health_check=None,
        # Relaunches would only take time: the failed attempt is on record.
        after_failure=AfterFailure.HOLD,
        before=(),
        then=(),
        fixtures=(),
    )
    waits = Dependency(container=gate, condition=DependencyCondition.SUCCESS)
    after = replace(own, name=_AFTER, command=("true",), manage=None, depends_on=(waits,))
    return replace(
        spec,
        service=service,
        containers={gate: own, _AFTER: replace(after, pending_command=None)},
        public_endpoint=None,
        unprotected=True,
        platform_patience_seconds=PATIENCE_SECONDS,
    )


def compile_rehearsal(
    spec: AppSpec,
    source: ImageSource,
    rehearsal: str,
    secrets: Mapping[SecretReference, str],
    *,
    stack: str,
    mailbox: str,
    original: Address,
    copy: Address,
) -> dict[str, Any]:
    """The arguments of CreateContainerServiceDeployment. They contain secrets.

    `spec` is that of `rehearsal_spec`.

    Raises:
        RefusedError: the variables do not lead to the copy, and to nothing but the copy.
    """
    [gate] = [name for name in spec.containers if name != _AFTER]
    request = compile_deployment(
        spec,
        source,
        rehearsal,
        secrets,
        stack=stack,
        mailboxes={gate: mailbox},
        allow_destructive=True,
        rehearses=True,
    )
    container = request["containers"][gate]
    own = [*spec.containers[gate].environment, *spec.containers[gate].secrets]
    given = {name: container["environment"][name] for name in own}
    variable = rehearsal_of(spec).database_variable
    changed = on_the_copy(given, variable, original, copy)
    environment = {**container["environment"], **changed}
    return {
        "serviceName": request["serviceName"],
        "containers": {gate: {**container, "environment": environment}},
    }
