"""From an app spec to the deployment that Lightsail accepts, with the same meaning.

Lightsail starts all containers of a node at once and knows no dependency between them
(docs/lightsail.md, "Containers"). The compiler puts the order into the commands:
a container that others wait for runs under the gate's supervisor, one that only waits
runs under its waiter, and every other command passes through untouched.

The result is a pure function of its arguments, byte for byte.
"""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from lightgate.deployment.python_call import helper_words
from lightgate.errors import RefusalCode, RefusedError
from lightgate.gate.config_defaults import without_defaults
from lightgate.gate.packaging import CLASSIFIER, REHEARSAL, Programs, program_hash
from lightgate.image.config import ImageConfig
from lightgate.names import (
    MAILBOX_VARIABLE,
    RELEASE_VARIABLE,
    ROLLBACK_VARIABLE,
    STACK_VARIABLE,
    UNCHECKED,
)
from lightgate.spec.django_command import database_alias
from lightgate.spec.keys import (
    AfterFailure,
    AppSpec,
    Container,
    Dependency,
    DependencyCondition,
    PublicEndpoint,
    SecretReference,
    call_of,
)
from lightgate.spec.presets import USUAL_MANAGE, Commands, preset
from lightgate.spec.time_limits import GRACE_SECONDS, WaitLimit

# ECS caps a task definition at 65,536 bytes and Lightsail looks ECS-like; one argument of
# 131,072 bytes fails to exec (docs/measured.md, "Starting a process").
LARGEST_REQUEST_BYTES = 56 * 1024
# Up to this size each container has its programs as plain text.
PLAIN_REQUEST_BYTES = 48 * 1024
USUAL_PYTHON = "python3"

# Each poll costs a request to S3, but a ready node waits for its permit.
_MAILBOX_POLL_SECONDS = 2
# After this time without an answer from S3 the gate gives up.
_MAILBOX_REACH_SECONDS = 120

_NO_MAILBOXES: Mapping[str, str] = MappingProxyType({})

type Request = dict[str, Any]


class Part(enum.Enum):
    """What is compiled. APP and COMMAND make one deployment together (one_time_command.py).

    Of APP, which serves already, the gates apply nothing. What COMMAND runs counts as pending
    where it cannot tell: it needs its permit, and is not run at every start.
    """

    WHOLE = "WHOLE"
    APP = "APP"
    COMMAND = "COMMAND"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """The image of a release: how Lightsail pulls it, and what it would run by itself."""

    reference: str
    config: ImageConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    """What is this release's own."""

    source: ImageSource
    release: str
    stack: str
    code: str
    restores: str
    schema_check: str
    secrets: Mapping[SecretReference, str]
    mailboxes: Mapping[str, str]
    part: Part
    rehearses: bool


def compile_deployment(
    spec: AppSpec,
    source: ImageSource,
    release: str,
    secrets: Mapping[SecretReference, str],
    *,
    stack: str = "",
    mailboxes: Mapping[str, str] = _NO_MAILBOXES,
    allow_destructive: bool = False,
    part: Part = Part.WHOLE,
    code: str | None = None,
    restores: str = "",
    rehearses: bool = False,
    schema_check: str = UNCHECKED,
    programs: Programs | None = None,
) -> Request:
    """The arguments of CreateContainerServiceDeployment.

    `secrets` has a value for each reference in the spec. `mailboxes` has one for each gate that
    needs a permit (`GateChannels.urls`); the other gates apply pending migrations without one.
    The result contains these values: never log it, and never return it from a step.
    Each container names the `stack` that creates the deployment, unless that is empty.
    `allow_destructive` overrides the spec's policy for this release. `code` is the release that
    first deployed this image, if that was another one: the gates compare its migrations with those
    of the database. `restores` is the release whose migrations the command reverses, if it does.
    `rehearses` says that the gates also measure what the command does. They need channels for it.
    `schema_check` says whether the gates of APP compare the schema with their code. `programs`
    are in every container as plain text if the whole deployment is
    small enough.

    Raises:
        RefusedError: a command is missing in the spec and in the image, or the request
            is larger than Lightsail can be trusted to take.
    """
    migrations = replace(spec.migrations, allow_destructive=allow_destructive)
    spec = replace(spec, migrations=migrations)
    inputs = _Inputs(
        source=source,
        release=release,
        stack=stack,
        code=code or release,
        restores=restores,
        schema_check=schema_check,
        secrets=secrets,
        mailboxes=mailboxes,
        part=part,
        rehearses=rehearses,
    )
    request = _request(spec, inputs, programs or Programs.in_every_container(spec))
    if programs is None and size_of(request) > PLAIN_REQUEST_BYTES:
        has_classifier = any(_judges_alone(spec, name, inputs) for name in spec.containers)
        packed = Programs.from_one_container(
            spec, has_classifier=has_classifier, has_channel=bool(inputs.mailboxes)
        )
        request = _request(spec, inputs, packed)
    check_size(request)
    return request


def _request(spec: AppSpec, inputs: _Inputs, programs: Programs) -> Request:
    request: Request = {
        "serviceName": spec.service,
        "containers": {
            name: {
                "image": container.image or inputs.source.reference,
                **_command(spec, container, inputs, programs),
                "environment": _environment(container, inputs),
                "ports": {str(port): kind for port, kind in spec.open_ports(name).items()},
            }
            for name, container in spec.containers.items()
        },
    }
    if spec.public_endpoint is not None:
        request["publicEndpoint"] = _public_endpoint(spec.public_endpoint)
    return request


def _environment(container: Container, inputs: _Inputs) -> dict[str, str]:
    mailbox = inputs.mailboxes.get(container.name)
    return {
        **container.environment,
        **{name: inputs.secrets[secret] for name, secret in container.secrets.items()},
        RELEASE_VARIABLE: inputs.release,
        **({STACK_VARIABLE: inputs.stack} if inputs.stack else {}),
        **({ROLLBACK_VARIABLE: inputs.schema_check} if inputs.part is Part.APP else {}),
        **({MAILBOX_VARIABLE: mailbox} if mailbox else {}),
    }


def _command(spec: AppSpec, container: Container, inputs: _Inputs, programs: Programs) -> Request:
    """The member `command`, if the image's own does not do."""
    ports = programs.ports
    if spec.conditions_on(container.name):
        commands = _commands(spec, container, inputs.source)
        config = _supervisor_config(spec, container, inputs, ports, commands)
        gate = programs.supervisor(container.name, config)
        own = commands.main
    elif container.depends_on:
        gate = programs.waiter(_waiter_config(container, inputs.code, ports))
        own = _own_command(container, inputs.source)
    elif container.command is not None:
        return {"command": list(container.command)}
    else:
        return {}
    python = container.python or USUAL_PYTHON
    # Without -I and -S a module of the app's own would shadow one of the standard library
    # (docs/measured.md, "Starting a process").
    return {"command": [python, "-ISc", *gate, *own]}


def _commands(spec: AppSpec, container: Container, source: ImageSource) -> Commands:
    """What the supervisor of the container runs."""
    if spec.uses_preset(container.name):
        return preset(spec, container.name)
    call = call_of(container) if spec.reads_plan(container.name) else None
    return Commands(
        before=container.before,
        main=call.argv if call is not None else _own_command(container, source),
        then=container.then,
    )


def _waiter_config(container: Container, code: str, ports: Mapping[str, int]) -> Request:
    return {
        # In a deployment of what is there already the environment has the name to report under.
        "release": code,
        "container": container.name,
        "after": [_dependency(one, ports[one.container]) for one in container.depends_on],
    }


def _dependency(one: Dependency, port: int) -> str:
    """The usual condition is left out, because a request has little room."""
    is_usual = one.condition is DependencyCondition.SUCCESS
    return f"{one.container}:{port}" + ("" if is_usual else f":{one.condition.value}")


def _supervisor_config(
    spec: AppSpec,
    container: Container,
    inputs: _Inputs,
    ports: Mapping[str, int],
    commands: Commands,
) -> Request:
    runs_to_an_end = spec.runs_to_an_end(container.name)
    around = {"before": commands.before, "then": commands.then}
    reads_plan = spec.reads_plan(container.name)
    django = _django(spec, container, commands.main, inputs) if reads_plan else None
    check = container.health_check
    whole = {
        **_waiter_config(container, inputs.code, ports),
        "port": ports[container.name],
        "mode": "task" if runs_to_an_end else "service",
        "timeoutSeconds": spec.time_limit(container.name),
        "graceSeconds": GRACE_SECONDS,
        "afterFailure": (container.after_failure or _usual_after_failure(django is not None)).value,
        "secretNames": sorted(container.secrets),
        "healthCheck": check
        and {
            "command": list(check.command),
            "interval": check.interval_seconds,
            "timeout": check.timeout_seconds,
            "retries": check.retries,
            "startPeriod": check.start_period_seconds,
        },
        **{key: [list(argv) for argv in argvs] for key, argvs in around.items() if argvs},
        **({"pendingCommand": list(pending)} if (pending := container.pending_command) else {}),
        **({"pending": "always"} if inputs.part is Part.COMMAND and django is None else {}),
        **({"django": django} if django is not None else {}),
        **({"mailbox": _mailbox(spec, container)} if container.name in inputs.mailboxes else {}),
        **({"classifier": 1} if _judges_alone(spec, container.name, inputs) else {}),
    }
    return without_defaults(whole)


def _judges_alone(spec: AppSpec, name: str, inputs: _Inputs) -> bool:
    """Whether the gate judges a plan and has no channel from which it gets the classifier.

    The gates of an app that serves already judge none.
    """
    has_channel = name in inputs.mailboxes
    return spec.reads_plan(name) and not has_channel and inputs.part is not Part.APP


def _mailbox(spec: AppSpec, container: Container) -> Request:
    """How the gate polls for its permit, and for how long: a later permit would be unused."""
    limit = (spec.time_limit(container.name) or 0) + GRACE_SECONDS
    wait_limit = WaitLimit(
        platform_patience=timedelta(seconds=spec.platform_patience_seconds),
        limit=timedelta(seconds=limit),
        poll=timedelta(seconds=spec.poll_seconds),
    )
    longest_wait = int(wait_limit.longest.total_seconds())
    return {
        "pollSeconds": _MAILBOX_POLL_SECONDS,
        "patienceSeconds": longest_wait,
        "reachSeconds": min(_MAILBOX_REACH_SECONDS, longest_wait),
    }


def _django(
    spec: AppSpec, container: Container, command: tuple[str, ...], inputs: _Inputs
) -> Request:
    """The settings with which the gate reads the migrations of a Django app."""
    migrations, call = spec.migrations, call_of(container)
    return {
        **helper_words(
            call.manage if call is not None else container.manage or USUAL_MANAGE, command
        ),
        "database": database_alias(command),
        "policy": migrations.policy.value,
        "allowDestructive": migrations.allow_destructive,
        "automaticRollback": [one.value for one in migrations.automatic_rollback],
        "declared": dict(migrations.declared),
        "classifier": program_hash(REHEARSAL if inputs.rehearses else CLASSIFIER),
        "lockRisk": migrations.lock_risk.value,
        "largeTableRows": migrations.large_table_rows,
        "lockTimeoutSeconds": migrations.lock_timeout_seconds,
        "requireLock": migrations.require_lock,
        "databaseTimeoutSeconds": migrations.database_timeout_seconds,
        "restores": inputs.restores,
    }


def _usual_after_failure(reads_plan: bool) -> AfterFailure:
    """End only where the attempt is on record: a relaunched container would run it again."""
    return AfterFailure.EXIT if reads_plan else AfterFailure.HOLD


def _own_command(container: Container, source: ImageSource) -> tuple[str, ...]:
    """The command of the container, which its gate starts after the migration."""
    if container.command is not None:
        return container.command
    if not source.config.command:
        raise RefusedError(
            f"containers.{container.name}.command: is missing, and the pushed image has no CMD; "
            "give one of the two",
            code=RefusalCode.SPEC,
        )
    return source.config.command


def _public_endpoint(endpoint: PublicEndpoint) -> Request:
    check = endpoint.health_check
    return {
        "containerName": endpoint.container,
        "containerPort": endpoint.port,
        "healthCheck": {
            "healthyThreshold": check.healthy_threshold,
            "unhealthyThreshold": check.unhealthy_threshold,
            "timeoutSeconds": check.timeout_seconds,
            "intervalSeconds": check.interval_seconds,
            "path": check.path,
            "successCodes": check.success_codes,
        },
    }


def check_size(request: Request) -> None:
    """Raise RefusedError if Lightsail cannot be trusted to take a deployment of this size."""
    size = size_of(request)
    if size > LARGEST_REQUEST_BYTES:
        # The gate's programs are not the owner's to shorten.
        environments = {n: size_of(c["environment"]) for n, c in request["containers"].items()}
        largest = max(environments, key=lambda name: environments[name])
        raise RefusedError(
            f"containers: the deployment has {size} bytes and may have {LARGEST_REQUEST_BYTES}; "
            f"{sum(environments.values())} of them are environments with their secrets, the "
            f"largest that of {largest} with {environments[largest]}. Shorten them, or let fewer "
            "containers wait for each other.",
            code=RefusalCode.DEPLOYMENT,
        )


def size_of(document: Request) -> int:
    """The bytes as botocore sends them: what is not ASCII travels as an escape."""
    return len(json.dumps(document))
