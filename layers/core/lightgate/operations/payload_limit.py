"""Keep the answer of a step within the limit of 256 KB for the whole state."""

import json
from dataclasses import replace
from typing import Any

from lightgate.codec import decode, encode
from lightgate.state import DeploymentProgress

# The message of a release takes as much again, and is escaped once more.
LARGEST_ANSWER_BYTES = 64 * 1024
# These fields only explain; no later step decides by them.
_EXPLAINS = ("notes", "waits", "judgements", "judgement", "gate")


def shortened(deployment: DeploymentProgress) -> DeploymentProgress:
    """The deployment with shorter lists if it is too large. Fields that decide stay whole."""
    whole = encode(deployment)
    if _size(whole) <= LARGEST_ANSWER_BYTES:
        return deployment
    for most in (100, 50, 20, 10, 5, 2, 0):
        found = {k: _cut(v, most) if k in _EXPLAINS else v for k, v in whole.items()}
        if _size(found) <= LARGEST_ANSWER_BYTES:
            return decode(DeploymentProgress, found)
    # A shortened reversal would be wrong, so it is left out.
    return replace(decode(DeploymentProgress, found), reversals={})


def _size(document: object) -> int:
    return len(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _cut(value: Any, most: int) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {name: _cut(each, most) for name, each in value.items()}
    if isinstance(value, list):
        return [_cut(each, most) for each in value[:most]]
    return value
