"""The migrations that `migrate` records without running them: --fake and --fake-initial."""

# ruff: noqa: ANN401 - Django has no types

from __future__ import annotations

from typing import Any

from django.db import router  # type: ignore[import-untyped]


def find_faked(executor: Any, steps: Any, arguments: Any, /) -> list[tuple[str, str]]:
    """Those of the steps, by Django's own code."""
    return [
        (migration.app_label, migration.name)
        for migration, is_backwards in steps
        if arguments.fake
        or (
            arguments.fake_initial
            and not is_backwards
            and executor.detect_soft_applied(None, migration)[0]
        )
    ]


def find_lacking(executor: Any, faked: list[tuple[str, str]], /) -> list[str]:
    """The tables and columns of their apps that the database would lack, by the record."""
    connection, lacking = executor.connection, []
    apps, fold = {app for app, _ in faked}, connection.introspection.identifier_converter
    models = executor.loader.project_state(faked).apps.get_models(include_auto_created=True)
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor, include_views=True))
        for model in models:
            meta = model._meta
            is_ours = meta.app_label in apps and meta.can_migrate(connection)
            table = fold(meta.db_table)
            # A name with a quote says more than the table, such as its schema.
            if (
                not is_ours
                or '"' in table
                or not router.allow_migrate_model(connection.alias, model)
            ):
                continue
            if table not in tables:
                lacking.append(table)
                continue
            found = connection.introspection.get_table_description(cursor, table)
            columns = {column.name for column in found}
            wanted = (field.column for field in meta.local_concrete_fields)
            lacking += [f"{table}.{name}" for name in wanted if fold(name) not in columns]
    return lacking
