"""The output of a call of the command line."""

import io
from typing import NamedTuple


class Said(NamedTuple):
    code: int
    output: str
    errors: list[str]


class StandardInput(io.BytesIO):
    name = "<stdin>"
