"""The classes of migrations, from the least to the most dangerous."""

from __future__ import annotations

from typing import Any

ORDER = ["compatible", "restricted", "data", "breaking", "unknown"]


def worst(labels: Any) -> str:  # noqa: ANN401
    return max(labels, key=ORDER.index, default=ORDER[0])
