"""`lightgate validate`: every problem of a spec at once."""

from typing import BinaryIO

import click

from lightgate_cli import terminal
from lightgate_cli.files import (
    image_config_option,
    name_of,
    read_config,
    read_spec,
    spec_argument,
)


@click.command(
    epilog="""\b
    Exit codes:
      0  the spec is valid; there may be warnings
      1  the spec is refused
      2  the call is wrong, or the file cannot be read
    """
)
@spec_argument
@image_config_option
def validate(spec_file: BinaryIO, image_config: BinaryIO | None) -> None:
    """Report every problem of a spec at once.

    SPEC is the JSON file of the app, such as containers-with-migrations.json, or - for standard
    input. Each problem has its place in the file, the value, and what is allowed there. Warnings
    name what is valid and perhaps does not work as you mean it.
    """
    read_spec(spec_file, read_config(spec_file, image_config))
    terminal.ok(f"{name_of(spec_file)} is valid")
