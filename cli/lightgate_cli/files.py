"""The files that a command reads: the spec of an app, and the configuration of its image."""

import json
from typing import BinaryIO

import click

from lightgate.deployment.pinning import other_images
from lightgate.errors import RefusedError, SpecError
from lightgate.image.config import ImageConfig, parse_config
from lightgate.spec.image_rules import refusals_of_the_image
from lightgate.spec.keys import AppSpec
from lightgate.spec.parser import parse_spec
from lightgate.spec.warnings.all_warnings import warnings
from lightgate_cli import terminal

spec_argument = click.argument("spec_file", metavar="SPEC", type=click.File("rb"))

image_config_option = click.option(
    "--image-config",
    metavar="FILE",
    type=click.File("rb"),
    help="The CMD and ENTRYPOINT of the image: the output of `docker image inspect IMAGE`, or the "
    "image's configuration blob. With it, what the image itself runs is checked too.",
)


def read_config(spec_file: BinaryIO, image_config: BinaryIO | None) -> ImageConfig | None:
    """The configuration of the image, if it is given.

    Raises:
        UsageError: both files are standard input.
    """
    if image_config is None:
        return None
    if spec_file.name == image_config.name == "<stdin>":
        raise click.UsageError("Only one of SPEC and --image-config can be standard input.")
    return _read_image(image_config)


def read_spec(file: BinaryIO, image: ImageConfig | None = None) -> AppSpec:
    """The spec in the file, after its warnings. `image` is None while no image is known.

    Raises:
        RefusedError: the spec is wrong; one reason for each problem.
    """
    spec = parsed_spec(file, image)
    for text in warnings(spec, image):
        terminal.warning(text)
    for text in other_images(spec):
        terminal.note(text)
    return spec


def parsed_spec(file: BinaryIO, image: ImageConfig | None) -> AppSpec:
    """The spec in the file. Raises RefusedError as `read_spec` does."""
    text = file.read()
    try:
        spec = parse_spec(text)
    except SpecError as error:
        from lightgate_cli.translating.recognizing import said_of

        raise SpecError(*said_of(text, name_of(file), error.reasons)) from None
    if image is not None and (reasons := list(refusals_of_the_image(spec, image))):
        raise SpecError(*reasons)
    return spec


def _read_image(file: BinaryIO) -> ImageConfig:
    """The configuration of an image, as `docker image inspect` or the registry gives it.

    Raises:
        RefusedError: it is neither, or Lightsail does not run such an image.
    """
    text = file.read()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, list) and document and isinstance(document[0], dict):
        inspected = document[0]
        blob = {"architecture": inspected.get("Architecture"), "config": inspected.get("Config")}
        text = json.dumps(blob).encode()
    try:
        return parse_config(text)
    except RefusedError as error:
        reasons = [f"{name_of(file)}: {each}" for each in error.reasons]
        raise RefusedError(*reasons, code=error.code) from None


def name_of(file: BinaryIO) -> str:
    return "standard input" if file.name == "<stdin>" else click.format_filename(file.name)
