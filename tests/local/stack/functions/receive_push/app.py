"""Says what it got and what it sees of its surroundings."""

import importlib.util
import json
import os
from typing import Any

from greeting import TEXT  # type: ignore[import-not-found]


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    result = {
        "event": event,
        "layer": TEXT,
        "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "sees": [name for name in ("boto3", "django") if importlib.util.find_spec(name)],
    }
    print(json.dumps(result))
    return result
