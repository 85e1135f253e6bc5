"""A person's command as a container beside the app, which stays on what it serves.

It runs under the supervisor as a migration would: with the plan, the lock and the attempt of
Django's `migrate`, and with a permit in any case, so that a node that is started again does not
run it again.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lightgate.deployment.compiler import ImageSource, Part, Request, compile_deployment
from lightgate.gate.packaging import Programs
from lightgate.names import COMMAND_CONTAINER, UNCHECKED
from lightgate.spec.django_command import migrate_call
from lightgate.spec.keys import (
    AfterFailure,
    AppSpec,
    Container,
    Dependency,
    DependencyCondition,
    SecretReference,
)


def command_spec(spec: AppSpec, command: tuple[str, ...]) -> AppSpec:
    """The app's spec with nothing in it but the command, and one that waits for it.

    The command has the environment, the secrets and the time limit of the app's first gate that
    runs the pushed image; without such a gate, those of the first container that does.
    """
    ours = [name for name, container in spec.containers.items() if container.image is None]
    gates = [name for name in spec.gates() if name in ours]
    model = spec.containers[(gates or ours)[0]]
    own = replace(
        model,
        name=COMMAND_CONTAINER,
        command=command,
        ports={},
        depends_on=(),
        health_check=None,
        pending_command=None,
        after_failure=AfterFailure.HOLD,
        manage=model.manage if migrate_call(command, model.manage) is not None else None,
        before=(),
        then=(),
        fixtures=(),
    )
    return replace(
        spec,
        containers={COMMAND_CONTAINER: own, _AFTER: _waiting(own, spec)},
        public_endpoint=None,
        unprotected=True,
    )


# A gate supervises only a container for which another one waits. This one is not deployed. It has
# the ports of the app, so that the gate does not listen on them.
_AFTER = "after-it"


def _waiting(own: Container, spec: AppSpec) -> Container:
    dependency = Dependency(container=COMMAND_CONTAINER, condition=DependencyCondition.SUCCESS)
    ports = {port: kind for name in spec.containers for port, kind in spec.open_ports(name).items()}
    return replace(own, name=_AFTER, command=("true",), ports=ports, depends_on=(dependency,))


def compile_command(
    spec: AppSpec,
    command: tuple[str, ...],
    source: ImageSource,
    release: str,
    secrets: Mapping[SecretReference, str],
    *,
    stack: str = "",
    mailbox: str,
    allow_destructive: bool,
    beside: AppSpec | None,
    restores: str = "",
) -> Mapping[str, Any]:
    """The container of the command, as CreateContainerServiceDeployment takes it.

    `beside` is the spec of the app in the same deployment (compile_app), None if the live version
    is deployed again unchanged. `restores` is the release whose migrations the command reverses, if
    it does. The result contains secrets.

    Raises:
        RefusedError: this container alone is larger than Lightsail can be trusted to take.
    """
    request: Request = compile_deployment(
        command_spec(spec, command),
        source,
        release,
        secrets,
        stack=stack,
        mailboxes={COMMAND_CONTAINER: mailbox},
        allow_destructive=allow_destructive,
        part=Part.COMMAND,
        restores=restores,
        programs=_programs(beside) if beside is not None else None,
    )
    container: Mapping[str, Any] = request["containers"][COMMAND_CONTAINER]
    return container


def waiting_for_command(spec: AppSpec) -> AppSpec:
    """The app's spec in which everything of its image starts only after the command succeeded."""
    first = Dependency(container=COMMAND_CONTAINER, condition=DependencyCondition.SUCCESS)
    containers = {
        name: replace(one, depends_on=(*one.depends_on, first)) if one.image is None else one
        for name, one in spec.containers.items()
    }
    return replace(spec, containers=containers)


def compile_app(
    spec: AppSpec,
    source: ImageSource,
    release: str,
    secrets: Mapping[SecretReference, str],
    *,
    stack: str = "",
    code: str | None,
    schema_check: str = UNCHECKED,
) -> Request:
    """The live version, to be deployed again with a command beside it.

    `code` is the release that first deployed it. If that is unknown, its gates count every
    migration that the code does not have as a later one. They do not compare the schema with the
    code unless `schema_check` says so.

    Raises:
        RefusedError: it is larger than Lightsail can be trusted to take.
    """
    return compile_deployment(
        spec,
        source,
        release,
        secrets,
        stack=stack,
        part=Part.APP,
        code=code or _BEFORE_ALL,
        schema_check=schema_check,
        programs=_programs(spec),
    )


# Releases are compared by their ids, which begin with their time.
_BEFORE_ALL = "0"


def _programs(app: AppSpec) -> Programs:
    """For app and command together: in plain text they would not fit."""
    return Programs.from_one_container(app, guests=[COMMAND_CONTAINER])
