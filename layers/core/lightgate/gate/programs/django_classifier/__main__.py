"""Judges the pending migrations of an app for the Django helper, in the helper's own process.

It does not travel in the deployment, which has little room. The helper gets its text only if
migrations are pending, and runs it only if it has the hash that came with the deployment.
Python 3.8 and Django 4.2, and later.
"""

from __future__ import annotations

from typing import Any

from lightgate.gate.programs.django_classifier.compatibility import Known
from lightgate.gate.programs.django_classifier.operations import describe
from lightgate.gate.programs.django_classifier.sizes import SIZES


def main(
    connection: Any,  # noqa: ANN401 - Django has no types
    steps: list[Any],
    state: Any,  # noqa: ANN401
    config: dict[str, Any],
    /,
) -> list[dict[str, Any]]:
    """The migrations as `describe` tells them. `state` is changed to that after the last one."""
    known = read_known(connection, config)
    return [describe(step, state, known) for step in steps]


def read_known(connection: Any, config: dict[str, Any], /) -> Known:  # noqa: ANN401
    """The tables and extensions that there are before the plan."""
    extensions, sizes, domains = [], [], set()
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor, True)
        if connection.vendor == "postgresql":
            cursor.execute("SELECT extname FROM pg_extension")
            extensions = [name for (name,) in cursor.fetchall()]
            cursor.execute("SELECT typname FROM pg_type WHERE typtype = 'd'")
            domains = {name for (name,) in cursor.fetchall()}
        if config["largeTableRows"] and connection.vendor in SIZES:
            cursor.execute(SIZES[connection.vendor], [config["largeTableRows"]])
            sizes = cursor.fetchall()
    known = Known(connection, tables, extensions, config["declared"])
    known.domains = domains
    known.large = {table: (int(rows), int(size)) for table, rows, size in sizes}
    return known
