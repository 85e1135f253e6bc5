"""The app's own `migrate` command: its arguments, and what it would migrate to."""

# ruff: noqa: ANN401, PTH120, SIM905 - Django has no types; pathlib takes time to load

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from typing import Any, NoReturn
from weakref import ReferenceType

import django  # type: ignore[import-untyped]
from django.core.management.base import (  # type: ignore[import-untyped]
    OutputWrapper,
    handle_default_options,
)
from django.core.management.commands.migrate import (  # type: ignore[import-untyped]
    Command as Migrate,
)
from django.db import connections  # type: ignore[import-untyped]
from django.db.migrations.executor import MigrationExecutor  # type: ignore[import-untyped]
from django.db.models.signals import (  # type: ignore[import-untyped]
    post_migrate,
    pre_migrate,
)

from lightgate.gate.programs.django_helper.errors import StaysShut

# The methods of the command that decide what is applied. Others only read arguments or print.
DECISIVE = ("run_from_argv", "execute", "handle", "sync_apps")
# Django's own options that say what is migrated, and how. All others say where.
NOT_WHERE = (
    "help version verbosity traceback no_color force_color skip_checks interactive fake "
    "fake_initial plan run_syncdb check_unapplied prune"
).split()


class Command:
    """`arguments` are what the command's own parser makes of its words."""

    def __init__(self, command: Any, argv: list[str]) -> None:
        self.command = command
        command._called_from_command_line = True
        self.parser = command.create_parser(argv[0], argv[1])
        self.parser.error = refuse
        try:
            self.arguments = self.parser.parse_args(argv[2:])
        except SystemExit:
            refuse("they only print something")
        handle_default_options(self.arguments)

    def is_djangos(self, *names: str) -> bool:
        """Whether Django's own code decides what is applied, or does what these methods do."""
        found = [getattr(type(self.command), name, None) for name in names or DECISIVE]
        return isinstance(self.command, Migrate) and all(map(is_of_django, found))

    def shows_migrations(self) -> bool:
        """Whether the supervisor reads of each migration before the command begins it."""
        is_said = self.is_djangos("migration_progress_callback") and self.arguments.verbosity > 0
        out = self.command.stdout
        return is_said and type(out) is OutputWrapper and out._out is sys.__stdout__

    def read_targets(self) -> tuple[Any, Any]:
        """The executor and the targets with which Django's own code computes its plan.

        It runs up to there, with all its checks of arguments, history and conflicts.
        """
        options = dict(self.arguments.__dict__)
        if options.get("prune"):
            refuse("--prune removes records and applies no migration: run it by hand")
        if options["force_color"] and options["no_color"]:
            refuse("--no-color and --force-color exclude each other")
        connections[options["database"]].prepare_database = lambda: None  # it may write
        usual = MigrationExecutor.migration_plan
        MigrationExecutor.migration_plan = stop
        try:
            Migrate.handle(self.command, **options)
        except Asked as asked:
            executor, targets = asked.args
            return executor, targets
        finally:
            MigrationExecutor.migration_plan = usual
        raise StaysShut("plan", "migrate of this Django computes no plan")

    def read_synced(self, executor: Any, /) -> list[Any]:
        """The models whose tables --run-syncdb would create, by Django's own code."""
        apps = executor.loader.unmigrated_apps
        if not getattr(self.arguments, "run_syncdb", False) or not apps:
            return []
        found: list[Any] = []
        connection, app = executor.connection, self.arguments.app_label
        connection.schema_editor = lambda: nullcontext(Noting(found))
        self.command.verbosity = 0
        try:
            Migrate.sync_apps(self.command, connection, [app] if app else apps)
        finally:
            del connection.schema_editor
        return found

    def options(self) -> list[str]:
        """The words that say where is migrated, among them the options of the project's own."""
        words = []
        for action in self.parser._actions:
            value = getattr(self.arguments, action.dest, action.default)
            names = [] if action.dest in NOT_WHERE else action.option_strings[-1:]
            values = value if isinstance(value, (list, tuple)) else [value]
            if value != action.default:
                words += [one + f"={v}" * (action.nargs != 0) for one in names for v in values]
        return words


def has_own_handlers(*, after: bool = False) -> bool:
    """Whether the project has handlers before migrations, or also after them, that change rows."""
    signals = (pre_migrate, post_migrate) if after else (pre_migrate,)
    handlers = [one[1] for signal in signals for one in signal.receivers]
    found = [one() if isinstance(one, ReferenceType) else one for one in handlers]
    return not all(one is None or is_of_django(one) for one in found)


def is_of_django(function: Any) -> bool:
    """Whether its code, and that of a function that it decorates, is Django's own."""
    home = os.path.dirname(django.__file__) + os.sep
    file = str(getattr(getattr(function, "__code__", None), "co_filename", ""))
    inner = [one.cell_contents for one in getattr(function, "__closure__", None) or ()]
    return file.startswith(home) and all(is_of_django(i) for i in inner if hasattr(i, "__code__"))


class Noting:
    """Takes the place of a schema editor, and only notes the models."""

    def __init__(self, found: list[Any]) -> None:
        self.create_model = found.append


class Asked(BaseException):
    """Django asks for the plan."""


def stop(executor: Any, targets: Any) -> NoReturn:
    raise Asked(executor, targets)


def refuse(why: str) -> NoReturn:
    raise StaysShut("arguments", why)


def find_target(loader: Any, app: str, name: str, /) -> list[Any]:
    if name == "zero":
        return [(app, None)]
    key = (app, loader.get_migration_by_prefix(app, name).name)
    if key not in loader.graph.nodes and key in loader.replacements:
        key = loader.replacements[key].replaces[-1]
    return [key]
