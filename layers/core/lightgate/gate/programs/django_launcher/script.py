"""Runs the script of a command as Python itself runs it."""

# ruff: noqa: PTH109, PTH118, PTH120 - pathlib takes time to load

from __future__ import annotations

import builtins
import os
import sys
from importlib.machinery import SourceFileLoader
from pkgutil import get_importer
from types import ModuleType
from typing import Any


def run_script(words: list[str], /) -> None:
    """Run a file, a folder or an archive, or the module after `-m`."""
    import runpy

    run_module: Any = runpy._run_module_as_main  # type: ignore[attr-defined]
    script, sys.argv = words[0], words
    module = sys.modules["__main__"] = ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    is_isolated = sys.flags.isolated or getattr(sys.flags, "safe_path", False)
    path = os.path.join(os.getcwd(), script) if sys.version_info >= (3, 9) else script
    if script == "-m":
        name = sys.argv.pop(1)
        if not is_isolated:
            sys.path.insert(0, os.getcwd())
        run_module(name)
    elif get_importer(script):
        sys.path.insert(0, path)
        run_module("__main__", False)
    else:
        if not is_isolated:
            sys.path.insert(0, os.path.dirname(os.path.realpath(script)))
        loader = SourceFileLoader("__main__", path)
        module.__dict__.update(__file__=path, __loader__=loader)
        code = loader.source_to_code(loader.get_data(path), path)
        builtins.exec(code, module.__dict__)  # noqa: S102
