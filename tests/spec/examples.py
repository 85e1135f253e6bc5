"""Specs that people have in their hands: the guide's, its advanced examples, and a full one."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

type Json = dict[str, Any]

ROOT = Path(__file__).parents[2]

GUIDE: Json = {
    "serviceName": "crops-backend",
    "repository": "crops-backend",
    # From here to the end of `containers` word for word as the guide has it.
    "containers": {
        "migrate": {
            "image": ":crops-backend.web.latest",
            "command": ["python", "manage.py", "migrate", "--noinput"],
        },
        "web": {
            "image": ":crops-backend.web.latest",
            "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}],
        },
    },
    "publicEndpoint": {"containerName": "web", "containerPort": 8000},
}


def guide_with(**of_migrate: object) -> Json:
    """The guide's file with what an advanced example changes in the container `migrate`."""
    changed = deepcopy(GUIDE)
    changed["containers"]["migrate"] |= of_migrate
    return changed


FULL: Json = {
    "serviceName": "crops-backend",
    "repository": "crops-backend",
    "tags": ["latest", "v*"],
    "stage": "production",
    "database": {"instance": "crops-backend-db", "keepSnapshots": 10},
    "environment": {"DJANGO_SETTINGS_MODULE": "crops.settings_production"},
    "secrets": {
        "DATABASE_URL": "secretsmanager:crops/db:url",
        "SECRET_KEY": "ssm:/crops/secret-key",
    },
    "containers": {
        "migrate": {
            "command": ["python", "manage.py", "migrate", "--noinput"],
            "timeoutSeconds": 300,
            "healthCheck": {
                "command": ["python", "manage.py", "check", "--database", "default"],
                "interval": 30,
                "timeout": 10,
                "retries": 3,
            },
        },
        "web": {
            "command": ["gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000"],
            "ports": {"8000": "HTTP"},
            "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}],
        },
    },
    "publicEndpoint": {
        "containerName": "web",
        "containerPort": 8000,
        "healthCheck": {"path": "/healthz", "successCodes": "200"},
    },
}

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
    "crops": json.loads((ROOT / "examples/crops/containers-with-migrations.json").read_text()),
    "full": FULL,
}
