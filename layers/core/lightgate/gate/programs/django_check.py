"""Judges the migrations of a project for `lightgate check`, and connects to no database.

The launcher starts it in the place of the project's own `migrate` command, as it starts the Django
helper in a container. So the settings and the apps are those of that command, and nothing can
migrate. It is no gate program: the command line runs it from the modules of this package, in the
project's own Python. Python 3.8 and Django 4.2, and later.
"""

# ruff: noqa: ANN401 - Django has no types; the launcher has no pathlib

from __future__ import annotations

import os
import sys
import traceback
from functools import lru_cache
from typing import Any, Iterator, NoReturn

import django  # type: ignore[import-untyped]
from django.db import OperationalError, connections  # type: ignore[import-untyped]
from django.db.backends.base.base import BaseDatabaseWrapper  # type: ignore[import-untyped]
from django.db.migrations.loader import MigrationLoader  # type: ignore[import-untyped]
from django.db.migrations.recorder import MigrationRecorder  # type: ignore[import-untyped]

from lightgate.gate.programs.django_classifier.compatibility import Known
from lightgate.gate.programs.django_classifier.operations import describe
from lightgate.gate.programs.django_classifier.relations import table_of
from lightgate.gate.programs.django_helper.channel import Channel
from lightgate.gate.programs.django_helper.command import Command
from lightgate.gate.programs.django_helper.errors import StaysShut, error_text

# What a server would have said of itself, and what we call it.
SERVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "postgresql": ("PostgreSQL 16", {"pg_version": 160000}),
    "mysql": (
        "MySQL 8.0",
        {
            "mysql_server_data": {
                "version": "8.0.40",
                "sql_mode": "STRICT_TRANS_TABLES",
                "default_storage_engine": "InnoDB",
                "sql_auto_is_null": False,
                "lower_case_table_names": 0,
                "has_zoneinfo_database": True,
            }
        },
    ),
    "sqlite": ("SQLite", {}),
}


def main(socket: int, config: dict[str, Any]) -> Checker:
    """Keep every connection closed, before the apps are loaded."""
    usual = BaseDatabaseWrapper.connect

    def connect(connection: Any) -> None:
        if connection.vendor != "sqlite":
            raise OperationalError("lightgate check connects to no database")
        connection.settings_dict["NAME"] = ":memory:"  # it is asked what it can do
        usual(connection)

    BaseDatabaseWrapper.connect = connect
    return Checker(Channel(socket), config)


class Checker:
    """`config["new"]` are the files of the migrations that are one plan; None: each is one."""

    def __init__(self, channel: Channel, config: dict[str, Any]) -> None:
        self.channel, self.config = channel, config

    def take_over(self, command: Any, argv: list[str]) -> NoReturn:
        """Report the classes in the place of the command."""
        try:
            self.channel.send(do="checked", **self.check(Command(command, argv)))
        except StaysShut as shut:
            self.channel.send(do="fail", error=shut.error)
        except Exception as error:  # noqa: BLE001 - the migrations are the app's own code
            traceback.print_exc()
            self.channel.send(do="fail", error=error_text(error))
        os._exit(0)

    def check(self, command: Command) -> dict[str, Any]:
        alias = command.arguments.database
        if alias not in connections or connections[alias].vendor not in SERVERS:
            raise StaysShut("settings", f"the settings have no {alias!r} database of a known kind")
        connection = connections[alias]
        server, facts = SERVERS[connection.vendor]
        vars(connection).update(facts)
        new, declared = self.config["new"], self.config["declared"]
        loader = read_graph(connection, new)
        conflicts = loader.detect_conflicts()
        if conflicts:
            app, names = sorted(conflicts.items())[0]
            why = f"{app} has several latest migrations: {', '.join(sorted(names))}"
            raise StaysShut("plan", why + "; run makemigrations --merge")
        applied = loader.applied_migrations
        state = loader.project_state(latest(loader.graph, applied))
        extensions = {name for key in applied for name in made_extensions(loader, key)}
        known = Known(connection, tables_of(state), extensions, declared)
        found = []
        for key in pending(loader):
            migration = loader.graph.nodes[key]
            if new is None:
                known = Known(connection, tables_of(state), extensions, declared)
            found.append(dict(describe((migration, False), state, known), file=file_of(migration)))
            extensions.update(made_extensions(loader, key))
        return {
            "server": server,
            "django": django.get_version(),
            "djangos": command.is_djangos(),
            "migrations": found,
            "files": {file_of(one): ".".join(k) for k, one in loader.disk_migrations.items()},
        }


def read_graph(connection: Any, new: list[str] | None, /) -> Any:
    """The graph of a database that has all migrations but the new ones; without `new`, none."""
    loader = MigrationLoader(connection, load=False)

    def applied(_: Any) -> dict[Any, Any]:
        if new is None:
            return {}
        disk = loader.disk_migrations
        old = {key: one for key, one in disk.items() if file_of(one) not in new}
        # A squash may replace migrations whose files are gone.
        gone = (key for one in disk.values() for key in one.replaces if key not in disk)
        return {**old, **dict.fromkeys(gone)}

    MigrationRecorder.applied_migrations = applied
    loader.build_graph()
    loader.check_consistent_history(connection)
    return loader


def latest(graph: Any, applied: Any, /) -> list[Any]:
    """The applied migrations after which no other one of their apps is applied."""
    return [
        key
        for key in graph.nodes
        if key in applied
        and not any(n.key[0] == key[0] and n.key in applied for n in graph.node_map[key].children)
    ]


def pending(loader: Any, /) -> list[Any]:
    """What `migrate` would apply, in its order."""
    found: dict[Any, None] = {}
    for leaf in loader.graph.leaf_nodes():
        found.update(dict.fromkeys(loader.graph.forwards_plan(leaf)))
    return [key for key in found if key not in loader.applied_migrations]


def tables_of(state: Any, /) -> set[str]:
    return {table_of(key, state) for key in state.models}


def made_extensions(loader: Any, key: Any, /) -> Iterator[str]:
    """The extensions of PostgreSQL that the migration creates."""
    migration = loader.disk_migrations.get(key)
    operations = list(migration.operations) if migration else []
    for operation in operations:
        operations += getattr(operation, "database_operations", ())
        if type(operation).__name__.endswith("Extension"):
            yield operation.name


def file_of(migration: Any, /) -> str:
    return real_path(sys.modules[type(migration).__module__].__file__ or "")


@lru_cache(None)
def real_path(file: str, /) -> str:
    return os.path.realpath(file)
