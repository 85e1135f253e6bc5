"""What a step may answer: the state machine carries 256 KB of all answers together."""

import json
from typing import Any

type Json = dict[str, Any]

# The message of a release takes as much again, and is escaped once more.
LARGEST_BYTES = 64 * 1024
# Of what gates have said, what only explains.
_EXPLAINS = ("notes", "waits", "told", "judgement", "gate")


def size(answer: Json) -> int:
    return len(json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def fitting(deployment: Json) -> Json:
    """The deployment with shorter lists, as far as it needs to be: what it decides by stays."""
    found = deployment
    for most in (100, 50, 20, 10, 5, 2, 0):
        if size(found) <= LARGEST_BYTES:
            return found
        found = {k: _cut(v, most) if k in _EXPLAINS else v for k, v in deployment.items()}
    # A part of the way back would be a wrong one.
    return {**found, "takeBack": {}} if size(found) > LARGEST_BYTES else found


def _cut(value: Any, most: int) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: _cut(each, most) for name, each in value.items()}
    if isinstance(value, list):
        return [_cut(each, most) for each in value[:most]]
    return value
