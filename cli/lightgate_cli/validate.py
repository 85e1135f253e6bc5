"""`lightgate validate`: every problem of a spec at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import click

from lightgate.deployment.pinning import other_images
from lightgate.errors import RefusedError
from lightgate.spec.warnings.all_warnings import warnings
from lightgate_cli import terminal
from lightgate_cli.files import (
    image_config_option,
    name_of,
    parsed_spec,
    read_config,
    read_spec,
    spec_argument,
)
from lightgate_cli.json_output import print_json

_REFUSED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The answer of `lightgate validate`. A spec with warnings only is valid."""

    is_valid: bool
    schema_version: int = 1
    problems: Sequence[str] = ()
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()


@click.command(
    epilog="""\b
    Examples:
      lightgate validate containers-with-migrations.json
      lightgate validate containers-with-migrations.json --json | jq -r '.problems[]'

    \b
    Exit codes:
      0  the spec is valid; there may be warnings
      1  the spec is refused
      2  the call is wrong, or the file cannot be read
    """
)
@spec_argument
@image_config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and no messages.")
def validate(spec_file: BinaryIO, image_config: BinaryIO | None, *, as_json: bool) -> None:
    """Report every problem of a spec at once.

    SPEC is the JSON file of the app, such as containers-with-migrations.json, or - for standard
    input. Each problem has its place in the file, the value, and what is allowed there. Warnings
    name what is valid and perhaps does not work as you mean it.
    """
    if as_json:
        found = _validation(spec_file, image_config)
        print_json(found)
        if not found.is_valid:
            click.get_current_context().exit(_REFUSED)
        return
    read_spec(spec_file, read_config(spec_file, image_config))
    terminal.ok(f"{name_of(spec_file)} is valid")


def _validation(spec_file: BinaryIO, image_config: BinaryIO | None) -> Validation:
    try:
        image = read_config(spec_file, image_config)
        spec = parsed_spec(spec_file, image)
    except RefusedError as error:
        return Validation(is_valid=False, problems=error.reasons)
    return Validation(is_valid=True, warnings=list(warnings(spec, image)), notes=other_images(spec))
