"""What a step may answer: the state machine carries 256 KB of all answers together."""

import json
from dataclasses import replace
from typing import Any

from lightgate.codec import decode, encode
from lightgate.state import DeploymentProgress

# The message of a release takes as much again, and is escaped once more.
LARGEST_BYTES = 64 * 1024
# Of what gates have said, what only explains.
_EXPLAINS = ("notes", "waits", "judgements", "judgement", "gate")


def size(deployment: DeploymentProgress) -> int:
    return _size(encode(deployment))


def shortened(deployment: DeploymentProgress) -> DeploymentProgress:
    """The deployment with shorter lists, as far as it needs to be: what it decides by stays."""
    whole = encode(deployment)
    if _size(whole) <= LARGEST_BYTES:
        return deployment
    for most in (100, 50, 20, 10, 5, 2, 0):
        found = {k: _cut(v, most) if k in _EXPLAINS else v for k, v in whole.items()}
        if _size(found) <= LARGEST_BYTES:
            return decode(DeploymentProgress, found)
    # A part of the calls that take back the migrations would be a wrong one.
    return replace(decode(DeploymentProgress, found), reversals={})


def _size(document: object) -> int:
    return len(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _cut(value: Any, most: int) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: _cut(each, most) for name, each in value.items()}
    if isinstance(value, list):
        return [_cut(each, most) for each in value[:most]]
    return value
