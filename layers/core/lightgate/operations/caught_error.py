"""An error that Step Functions has caught, in words."""

import json
from collections.abc import Mapping
from typing import Any

from lightgate.errors import readable


def words_of(error: Mapping[str, Any]) -> str:
    """The error that Step Functions caught, without its traceback."""
    try:
        text = json.loads(error["Cause"])["errorMessage"]
    except (ValueError, KeyError, TypeError):
        text = error.get("Cause") or ""
    return readable(": ".join(filter(None, [str(error.get("Error")), str(text)[:500].strip()])))
