"""What the team declares of a migration that Lightgate cannot read."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

import re
from typing import Any

WRITTEN = re.compile(r"(compatible|restricted|data|breaking)(?: \(([^()]+)\))?: *(\S.*)", re.S)
STATEMENT = re.compile(r"(?:SELECT|INSERT|UPDATE|DELETE) \S+")


def read_declaration(migration: Any, others: dict[str, str], /) -> tuple[str, list[str], str]:
    """The class, the statements and the reason that its `lightgate` or the spec declares.

    The class is empty without a declaration, and if it cannot be read: the reason says why.
    """
    name = f"{migration.app_label}.{migration.name}"
    text = others.get(name, getattr(migration, "lightgate", None))
    if text is None:
        return "", [], ""
    written = WRITTEN.fullmatch(text) if isinstance(text, str) else None
    statements = [one.strip() for one in (written[2] or "").split(",")] if written else []
    statements = [one for one in statements if one]
    is_restricted = bool(written and written[1] == "restricted")
    if (
        written is None
        or is_restricted is not bool(statements)
        or not all(map(STATEMENT.fullmatch, statements))
    ):
        return "", [], f"{text!r:.100} is no declaration"
    return written[1], statements, " ".join(written[3].split())[:200]
