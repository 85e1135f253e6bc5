"""What the configuration of a supervisor leaves out, because the supervisor fills it in.

Each container has its configuration as text, and a request has little room.
"""

from collections.abc import Mapping
from typing import Any

from lightgate.gate.programs.supervisor.config import CHECK_DEFAULTS, DEFAULTS, DJANGO_DEFAULTS

NESTED_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "healthCheck": CHECK_DEFAULTS,
    "django": DJANGO_DEFAULTS,
}


def without_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(config)
    for key, defaults in NESTED_DEFAULTS.items():
        if found.get(key) is not None:
            found[key] = _other(defaults, found[key])
    return _other(DEFAULTS, found)


def _other(defaults: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in config.items() if k not in defaults or defaults[k] != v}
