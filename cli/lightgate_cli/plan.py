"""`lightgate plan`: the deployment that a spec becomes."""

import shlex
from typing import Any, BinaryIO

import click
from rich.text import Text

from lightgate.deployment.compiler import (
    LARGEST_REQUEST_BYTES,
    ImageSource,
    compile_deployment,
    size_of,
)
from lightgate.image.config import ImageConfig
from lightgate.names import PIN_TAG_PREFIX
from lightgate.spec.database_kinds import BackupMode
from lightgate.spec.effect import Effect, allows
from lightgate.spec.health_rules import health_rules
from lightgate.spec.keys import AppSpec
from lightgate_cli import output, terminal
from lightgate_cli.files import image_config_option, read_config, read_spec, spec_argument
from lightgate_cli.json_output import print_json

type _Json = dict[str, Any]

# It stands where a release has its own id, and is as long.
_RELEASE = "yyyymmddthhmmssz-xxxxxxxx-xxxx"
_STACK = "STACK"
_MAILBOX = "(presigned URLs of some 2,000 characters)"
_NO_IMAGE = ImageConfig(command=("(the image's CMD)",), entrypoint=(), architecture="amd64")


@click.command(
    epilog="""\b
    Examples:
      lightgate plan containers-with-migrations.json
      docker image inspect crops-backend > image.json
      lightgate plan containers-with-migrations.json --image-config image.json
      lightgate plan containers-with-migrations.json --json | jq .containers.web

    \b
    Exit codes:
      0  the deployment is on standard output
      1  the spec or the image is refused
      2  the call is wrong, or a file cannot be read
    """
)
@spec_argument
@click.option(
    "--image", metavar="URI", help="How Lightsail pulls the image. [default: a placeholder]"
)
@image_config_option
@click.option("--full", is_flag=True, help="Print the whole request to Lightsail, too.")
@click.option("--json", "as_json", is_flag=True, help="Print only the request, as JSON.")
def plan(
    spec_file: BinaryIO,
    image: str | None,
    image_config: BinaryIO | None,
    *,
    full: bool,
    as_json: bool,
) -> None:
    """Show the deployment that Lightgate would create.

    SPEC is the JSON file of the app, or - for standard input. The request is the exact one to
    Lightsail. Secrets stay references. The ids of the release and the stack, and the URLs of the
    gate's S3 channel, are placeholders.
    """
    config = read_config(spec_file, image_config)
    spec = read_spec(spec_file, config)
    if config is None:
        _warn_of_unknown_commands(spec)
    request = _request(spec, image, config or _NO_IMAGE)
    if not as_json:
        output.print_lines(summary(spec, request, config, width=output.width()))
    if full and not as_json:
        click.echo()
    if full or as_json:
        print_json(request)


def summary(
    spec: AppSpec, request: _Json, config: ImageConfig | None, *, width: int | None
) -> list[Text]:
    """How a release deploys the spec, in the order of its steps."""
    names = sorted(spec.containers, key=lambda name: (name not in spec.gates(), name))
    facts = [
        ("Releases", f"pushes to {spec.repository} with the tag {' or '.join(spec.tags)}"),
        ("Database", _database(spec)),
        *(
            ("Gate" if name in spec.gates() else "Container", _container(name, spec, config))
            for name in names
        ),
        ("Endpoint", _endpoint(spec)),
        ("Health", _health(spec)),
        ("Rollback", _rollback(spec)),
        ("Secrets", _secrets(spec)),
        ("Request", f"{size_of(request):,} of {LARGEST_REQUEST_BYTES:,} bytes"),
    ]
    shown = [Text(f"Deployment of the container service {spec.service} ({spec.stage})")]
    for label, text in facts:
        shown += output.labelled(label, text, width=width)
    return shown


def _database(spec: AppSpec) -> str:
    database = spec.database
    if database is None:
        return "none: no snapshot is taken before a release"
    return f"{database.name}: {_BACKUPS[database.backup]}"


_BACKUPS = {
    BackupMode.ALWAYS: "a snapshot before each release",
    BackupMode.WHEN_PENDING: "a snapshot before each release with pending migrations",
    BackupMode.BY_RISK: "a snapshot before each release whose migrations are not compatible",
    BackupMode.POINT_IN_TIME: "its continuous backup must reach up to the release",
    BackupMode.NONE: "no snapshot is taken before a release",
}


def _container(name: str, spec: AppSpec, config: ImageConfig | None) -> str:
    container = spec.containers[name]
    words = container.command or ((*config.entrypoint, *config.command) if config else ())
    if spec.uses_preset(name):
        command = f"the commands of the stage {spec.stage}"
    else:
        command = shlex.join(words) if words else "the image's CMD"
    after = ", ".join(f"{one.container} ({one.condition})" for one in container.depends_on)
    image = f" of {container.image}" if container.image is not None else ""
    permit = ", waits for a permit" if name in spec.asking_gates() else ""
    return f"{name}: {command}{image}{f', after {after}' if after else ''}{permit}"


def _endpoint(spec: AppSpec) -> str:
    endpoint = spec.public_endpoint
    return f"{endpoint.container}:{endpoint.port}" if endpoint is not None else "none"


def _health(spec: AppSpec) -> str:
    rules = health_rules(spec)
    if rules.read is None:
        return "not checked: there is no public endpoint"
    read = rules.read
    return (
        f"{read.method} {read.path} must return {read.success_codes} for "
        f"{rules.period.total_seconds():.0f} s"
    )


def _rollback(spec: AppSpec) -> str:
    classes = spec.migrations.automatic_rollback
    allowed = " and ".join(each for each in Effect if allows(classes, {each}))
    return f"automatic after migrations of the classes {allowed}"


def _secrets(spec: AppSpec) -> str:
    names = {name for container in spec.containers.values() for name in container.secrets}
    return ", ".join(sorted(names)) or "none"


def _warn_of_unknown_commands(spec: AppSpec) -> None:
    for name, container in spec.containers.items():
        # A container outside the gates is given no command, so nothing of it is unknown.
        is_wrapped = bool(container.depends_on or spec.conditions_on(name))
        if is_wrapped and spec.uses_image_command(name):
            terminal.warning(
                f"containers.{name}.command: is missing, so the image's CMD is run; give "
                "--image-config to see it here"
            )


def _request(spec: AppSpec, image: str | None, config: ImageConfig) -> _Json:
    reference = image or (
        f"ACCOUNT.dkr.ecr.REGION.amazonaws.com/{spec.repository}:{PIN_TAG_PREFIX}xxxxxxxxxxxx"
    )
    secrets = [each for c in spec.containers.values() for each in c.secrets.values()]
    return compile_deployment(
        spec,
        ImageSource(reference=reference, config=config),
        _RELEASE,
        {secret: str(secret) for secret in secrets},
        stack=_STACK,
        mailboxes=dict.fromkeys(spec.asking_gates(), _MAILBOX),
    )
