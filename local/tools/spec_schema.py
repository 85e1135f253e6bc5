"""The JSON Schema of the app spec, made from the classes that name its keys."""

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any

from lightgate.spec.database_kinds import DatabaseKind
from lightgate.spec.key_reader import Key, definition, is_required, keys_of
from lightgate.spec.keys import AppSpec, Database, Verification
from lightgate.spec.rules.endpoint import NEED_AN_ANSWER

type Schema = dict[str, Any]

_ROOT = Path(__file__).parents[2]
_EXAMPLES = _ROOT / "examples" / "specs"


def schema() -> Schema:
    """The schema of the whole spec, with each other object under `$defs`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_object(AppSpec),
        **_one_of_endpoint_and_unprotected(),
        "examples": [
            json.loads((_EXAMPLES / f"{name}.json").read_text("utf-8"))
            for name in ("smallest", "full", "staging")
        ],
        "$defs": {definition(each): _object(each) for each in objects_in(AppSpec)},
    }


def objects_in(of: type) -> Iterator[type]:
    """The classes of all objects below one of this class, those of required keys first."""
    for key, _ in sorted(keys_of(of), key=lambda found: not is_required(found[1])):
        for inner in key.kind.objects:
            yield inner
            yield from objects_in(inner)


def _object(of: type) -> Schema:
    keys = list(keys_of(of))
    required = [key.name for key, field in keys if is_required(field)]
    return {
        "title": title(of),
        "description": _description(of),
        "type": "object",
        **({"required": required} if required else {}),
        "additionalProperties": False,
        "properties": {key.name: _property(key, field) for key, field in keys},
        **(_ONE_DATABASE if of is Database else {}),
    }


def title(of: type) -> str:
    return re.sub("(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", of.__name__)


def _description(of: type) -> str:
    """The first paragraph of the docstring."""
    return " ".join((inspect.getdoc(of) or "").split("\n\n")[0].split())


def _property(key: Key, field: Field[Any]) -> Schema:
    found: Schema = dict(key.kind.schema)
    if key.meaning:
        found["description"] = key.meaning
    if key.example is not None:
        found["examples"] = [key.example]
    default = field.default if field.default_factory is MISSING else field.default_factory()
    # A value of one of our classes says by itself what its keys are by default.
    if isinstance(default, bool | int | str | tuple | dict):
        found["default"] = default
    return found


_ONE_DATABASE: Schema = {"oneOf": [{"required": [kind.value]} for kind in DatabaseKind]}


def _one_of_endpoint_and_unprotected() -> Schema:
    keys = [key.name for key, _ in keys_of(Verification) if key.name not in NEED_AN_ANSWER]
    without = {"unprotected": {"const": True}, "verification": {"propertyNames": {"enum": keys}}}
    return {
        "if": {"required": ["publicEndpoint"]},
        "then": {"properties": {"unprotected": {"const": False}}},
        "else": {"required": ["unprotected"], "properties": without},
    }
