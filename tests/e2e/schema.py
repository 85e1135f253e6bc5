"""All that a migration could have changed."""

from typing import Any

import psycopg

from tests.e2e.conftest import Ready

_COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""
_CONSTRAINTS = """
    SELECT table_name, constraint_name, constraint_type
    FROM information_schema.table_constraints
    WHERE table_schema = 'public' AND constraint_type <> 'CHECK' ORDER BY 1, 2
"""
_APPLIED = "SELECT app, name FROM django_migrations ORDER BY 1, 2"


def schema(ready: Ready) -> list[list[tuple[Any, ...]]]:
    """Columns, constraints and migrations on record, as the database itself tells them."""
    with psycopg.connect(ready.cloud.database.url) as connection:
        return [
            connection.execute(query).fetchall() for query in (_COLUMNS, _CONSTRAINTS, _APPLIED)
        ]
