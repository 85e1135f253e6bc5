"""Puts the helper into Django, and lets nothing migrate in its place."""

# ruff: noqa: ANN401, PTH123 - Django has no types; pathlib takes time to load

from __future__ import annotations

import builtins
import faulthandler
import json
import os
import sys
import traceback
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, NoReturn

# The modules that run only as we have changed them, and how the path of each one ends.
FILES = {
    "/django/apps/registry.py": "django.apps.registry",
    "/django/core/management/__init__.py": "django.core.management",
    "/django/db/backends/base/schema.py": "django.db.backends.base.schema",
}
# The audit events of a process that starts, and which of their arguments has the words.
STARTS = {"os.exec": 1, "os.posix_spawn": 1, "subprocess.Popen": 1, "os.system": 0}


class Loader:
    """The usual loader of one of FILES. Setting an attribute of that one might reach others."""

    def __init__(self, launcher: Launcher, name: str, loader: Any) -> None:
        self.launcher, self.name, self.loader = launcher, name, loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def exec_module(self, module: Any) -> None:
        self.launcher.running.add(self.name)
        try:
            self.loader.exec_module(module)
        finally:
            self.launcher.running.discard(self.name)
        self.launcher.change(module)


class Launcher:
    def __init__(self, source: str) -> None:
        self.source = source
        # The app and its children get the standard input of a command.
        self.channel, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self.config: Any = None
        self.helper: Any = None
        self.has_found_command = False
        self.running: set[str] = set()  # the modules of FILES that run and are then changed

    def install(self) -> None:
        for name in FILES.values():
            if name in sys.modules:
                self.change(sys.modules[name])
        sys.meta_path.insert(0, self)
        sys.addaudithook(self.audit)
        # With SIGWINCH, which means nothing to an app, the supervisor asks where a slow one is.
        faulthandler.register(28, 2, all_threads=False)

    # The modules of Django

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002
        """Find one of our modules as others find it, and change it once it has run."""
        if name not in FILES.values():
            return None
        sys.meta_path.remove(self)
        try:
            spec: Any = find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec and hasattr(spec.loader, "exec_module"):
            spec.loader = Loader(self, name, spec.loader)
        return spec

    def change(self, module: Any) -> None:
        if hasattr(module, "ManagementUtility"):
            self.change_management(module.ManagementUtility)
        elif hasattr(module, "Apps"):
            self.change_registry(module)
        else:
            self.change_editor(module.BaseDatabaseSchemaEditor)

    def change_registry(self, module: Any) -> None:
        """Read the database before any code of the app's own runs, or at least before its models.

        The engine of PostGIS has models itself.
        """
        populate, import_models = module.Apps.populate, module.AppConfig.import_models

        def first_populate(apps: Any, installed: Any = None) -> None:
            if apps is module.apps:
                self.prepare("AppRegistryNotReady")
            populate(apps, installed)

        def first_import(config: Any) -> None:
            self.prepare()
            import_models(config)

        module.Apps.populate, module.AppConfig.import_models = first_populate, first_import

    def change_management(self, utility: Any) -> None:
        fetch = utility.fetch_command

        def fetch_command(self_: Any, name: str) -> Any:
            command = fetch(self_, name)
            if name == "migrate" == self_.argv[1]:
                self.prepare()
                self.has_found_command = True
                self.helper.take_over(command, self_.argv)
            return command

        utility.fetch_command = fetch_command

    def change_editor(self, editor: Any) -> None:
        enter = editor.__enter__

        def guarded_enter(self_: Any) -> Any:
            alias = self_.connection.alias
            if not self_.collect_sql and alias == (self.config or {}).get("database", alias):
                self.refuse_migration()
            return enter(self_)

        editor.__enter__ = guarded_enter

    def prepare(self, too_early: str = "") -> None:
        """Have the helper look at the database, unless it is too early and can be done later."""
        if self.helper:
            return
        if self.config is None:
            with open(self.channel, "rb", 0, closefd=False) as channel:
                self.config = json.loads(channel.readline())
        names: dict[str, Any] = {"__name__": "lightgate_helper"}
        try:
            builtins.exec(self.source, names)  # noqa: S102
            self.helper = names["main"](self.channel, self.config)
        except Exception as error:
            if type(error).__name__ != too_early:
                raise

    # What must not happen

    def audit(self, event: str, args: Any) -> None:
        if event == "exec":
            path = str(getattr(args[0], "co_filename", ""))
            ends = [end for end, name in FILES.items() if name not in self.running]
            if path.endswith(tuple(ends)):
                self.fail("manage", path + " is loaded in a way that cannot be watched")
        elif event in STARTS:
            words = args[STARTS[event]]
            words = [words] if isinstance(words, (str, bytes)) else list(words)
            words = [os.fsdecode(word) for word in words]
            if "migrate" in " ".join(words).split() and self.channel >= 0:
                if event == "os.exec":
                    self.follow(args[0], words, args[2])
                self.refuse("the app starts a process that migrates: " + " ".join(words))

    def follow(self, path: Any, words: list[Any], environment: Any) -> None:
        """Go on in another Python, if the app becomes that with the same command."""
        own, head = sys.argv, words[: -len(sys.argv)]
        if self.config is not None or [*head, *own] != words:
            return
        if not head:
            path, head = sys.executable, [sys.executable]
        with open("/proc/self/cmdline", "rb") as file:
            now = file.read().split(b"\0")
        at = now.index(b"-c")
        os.dup2(self.channel, 0)
        channel, self.channel = self.channel, -1
        try:
            words = [*head, *now[at : at + 3], *own]
            os.execve(path, words, environment or os.environ)  # noqa: S606
        finally:
            self.channel = channel

    def refuse_migration(self) -> NoReturn:
        registry = sys.modules.get("django.apps.registry")
        is_loaded = registry and getattr(registry, "apps").ready  # noqa: B009 - mypy knows no Django
        if is_loaded and not self.has_found_command:
            why = f"{sys.argv[0]} migrates by itself: it has to call execute_from_command_line"
            self.fail("manage", why)
        self.refuse("the app migrates while it loads")

    def refuse(self, why: str) -> NoReturn:
        """Fail, and show in the log which code of the app has led here."""
        traceback.print_stack()
        self.fail("loading", why[:500])

    def fail(self, cause: str, error: str) -> NoReturn:
        """Report why the gate stays shut, and end before anything is changed."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # the app may have replaced it by anything
                stream.flush()
        message = {"do": "fail", "cause": cause, "error": error, "database": "unchanged"}
        os.write(self.channel, json.dumps(message).encode() + b"\n")
        os._exit(1)
