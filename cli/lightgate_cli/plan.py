"""`lightgate plan`: the deployment that a spec becomes."""

import json
from typing import BinaryIO

import click

from lightgate.deployment.compiler import ImageSource, compile_deployment
from lightgate.image.config import ImageConfig
from lightgate.names import PIN_TAG_PREFIX
from lightgate.spec.keys import AppSpec
from lightgate_cli import terminal
from lightgate_cli.files import image_config_option, read_config, read_spec, spec_argument

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
def plan(spec_file: BinaryIO, image: str | None, image_config: BinaryIO | None) -> None:
    """Print the deployment that Lightgate would create, as JSON.

    SPEC is the JSON file of the app, or - for standard input. The JSON is the exact request to
    Lightsail. Secrets stay references. The ids of the release and the stack, and the URLs of the
    gate's S3 channel, are placeholders.
    """
    config = read_config(spec_file, image_config)
    spec = read_spec(spec_file, config)
    if config is None:
        _warn_of_unknown_commands(spec)
    request = _request(spec, image, config or _NO_IMAGE)
    # Bytes: JSON is UTF-8, whatever the encoding of the terminal is.
    click.echo(json.dumps(request, indent=2, ensure_ascii=False).encode())


def _warn_of_unknown_commands(spec: AppSpec) -> None:
    for name, container in spec.containers.items():
        # A container outside the gates is given no command, so nothing of it is unknown.
        is_wrapped = bool(container.depends_on or spec.conditions_on(name))
        if is_wrapped and spec.uses_image_command(name):
            terminal.warning(
                f"containers.{name}.command: is missing, so the image's CMD is run; give "
                "--image-config to see it here"
            )


def _request(spec: AppSpec, image: str | None, config: ImageConfig) -> object:
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
