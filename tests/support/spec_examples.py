"""Specs that people have in their hands: the guide's, its advanced examples, and a full one."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

type Json = dict[str, Any]

ROOT = Path(__file__).parents[2]


def example(path: str) -> Json:
    found: Json = json.loads((ROOT / "examples" / path).read_text("utf-8"))
    return found


# The containers are word for word those of AWS's guide.
GUIDE = example("specs/smallest.json")
FULL = example("specs/full.json")


def guide_with(**of_migrate: object) -> Json:
    """The guide's file with what an advanced example changes in the container `migrate`."""
    changed = deepcopy(GUIDE)
    changed["containers"]["migrate"] |= of_migrate
    return changed


EXAMPLES: dict[str, Json] = {
    "guide": GUIDE,
    "guide-timeout": guide_with(
        command=["timeout", "300", "python", "manage.py", "migrate", "--noinput"]
    ),
    "guide-health-check": guide_with(
        healthCheck={
            "command": ["python", "manage.py", "check", "--database", "default"],
            "interval": 30,
            "timeout": 10,
            "retries": 3,
        }
    ),
    "crops": example("crops/containers-with-migrations.json"),
    "full": FULL,
}
