"""The JSON Schema of what the command prints: ``python -m local.tools.command_schema``.

It writes `docs/command-line.schema.json` from the dataclasses of the answers: one definition for
each command with `--json`. With ``--check`` it writes nothing, and the exit code is 1 if the file
is old.
"""

import argparse
import enum
import inspect
import json
import re
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from lightgate.codec import fields_of
from lightgate.records.release_record import ReadableRecord
from lightgate_cli.acting.following import Verdict
from lightgate_cli.acting.pausing import Paused, ResumedApp
from lightgate_cli.acting.promoting import CopyFirst
from lightgate_cli.acting.start import Started
from lightgate_cli.check.document import CheckReport
from lightgate_cli.doctor import DoctorReport
from lightgate_cli.init import InitReport
from lightgate_cli.json_output import Failure
from lightgate_cli.reading.app_status import AppStatus
from lightgate_cli.reading.explaining import Explanation
from lightgate_cli.reading.release_facts import ReleaseFacts, ReleaseLogs
from lightgate_cli.report import WrittenReport
from lightgate_cli.validate import Validation

type Schema = dict[str, Any]

_ROOT = Path(__file__).parents[2]
SCHEMA = _ROOT / "docs" / "command-line.schema.json"
# What each command prints with --json: `status` without an app, and of one. Each may print a
# `failure` instead.
ANSWERS: Mapping[str, Any] = {
    "status": Sequence[AppStatus],
    "status-app": AppStatus,
    "history": Sequence[ReadableRecord],
    "show": ReleaseFacts,
    "explain": Explanation,
    "logs": ReleaseLogs,
    "report": WrittenReport,
    "init": InitReport,
    "validate": Validation,
    "check": CheckReport,
    "doctor": DoctorReport,
    "release": Started | Verdict,
    "rollback": Started | Verdict,
    "run": Started | Verdict,
    "rehearse": Started | Verdict,
    "push": Verdict,
    "promote": Started | Verdict | CopyFirst,
    "pause": Paused,
    "resume": ResumedApp | Verdict,
    "show-follow": Verdict,
    "failure": Failure,
}
# Lightsail defines its request, and not Lightgate.
_REQUEST: Schema = {
    "description": "The input of create-container-service-deployment of Lightsail.",
    "type": "object",
    "required": ["serviceName", "containers"],
    "properties": {
        "serviceName": {"type": "string"},
        "containers": {"type": "object", "additionalProperties": {"type": "object"}},
        "publicEndpoint": {"type": "object"},
    },
}
_SCALARS: Mapping[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    timedelta: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    Any: {},
    object: {},
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.tools.command_schema", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="only say whether the file is old")
    check = parser.parse_args(arguments).check
    text = json.dumps(schema(), indent=2) + "\n"
    is_old = not SCHEMA.exists() or SCHEMA.read_text("utf-8") != text
    if check and is_old:
        print(f"{SCHEMA.relative_to(_ROOT)} is old: run make docs", file=sys.stderr)
    elif is_old:
        SCHEMA.write_text(text, "utf-8")
    return 1 if check and is_old else 0


def schema() -> Schema:
    """One definition for each class, and one for the answer of each command."""
    found: dict[str, Schema] = {}
    answers = {command: _of(kind, found) for command, kind in ANSWERS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What the command lightgate prints with --json",
        "description": "Within one schemaVersion a field keeps its name and its meaning, and new "
        "fields may be added. Durations are numbers of seconds, moments are in ISO 8601.",
        "$defs": {**answers, "plan": _REQUEST, **dict(sorted(found.items()))},
    }


def _of(kind: Any, found: dict[str, Schema]) -> Schema:  # noqa: ANN401 - a type
    if kind in _SCALARS:
        return dict(_SCALARS[kind])
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        options = [_of(each, found) for each in arguments if each is not types.NoneType]
        has_none = types.NoneType in arguments
        return {"anyOf": [*options, {"type": "null"}]} if has_none else {"anyOf": options}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Mapping, dict):
        return {"type": "object", "additionalProperties": _of(arguments[1], found)}
    if origin in (Sequence, tuple, list):
        return {"type": "array", "items": _of(arguments[0], found)}
    if issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise TypeError(f"{kind} has no place in an answer")
    if kind.__name__ not in found:
        found[kind.__name__] = {}  # It may refer to itself.
        found[kind.__name__] = _object(kind, found)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _object(kind: type, found: dict[str, Schema]) -> Schema:
    fields = fields_of(kind)
    properties = {}
    for field in fields:
        of = _of(field.kind, found)
        # One that is left out while it is None is never null.
        if field.is_left_out and of.get("anyOf", [])[1:] == [{"type": "null"}]:
            of = of["anyOf"][0]
        properties[field.key] = of
    words = inspect.getdoc(kind) or ""
    # A dataclass without a docstring gets its signature for one.
    is_own = not words.startswith(f"{kind.__name__}(")
    return {
        **({"description": _description(words)} if is_own else {}),
        "type": "object",
        "required": [field.key for field in fields if not field.is_left_out],
        "properties": properties,
    }


def _description(words: str) -> str:
    """The docstring, with the names of fields as they are in JSON."""
    return re.sub(
        "`[a-z_]+`",
        lambda name: re.sub("_([a-z])", lambda letter: letter[1].upper(), name[0]),
        " ".join(words.split()),
    )


if __name__ == "__main__":
    sys.exit(main())
