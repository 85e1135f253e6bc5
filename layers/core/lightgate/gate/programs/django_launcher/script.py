"""Runs the script of a command as Python itself runs it."""

# ruff: noqa: PTH100, PTH109, PTH120 - pathlib takes time to load

from __future__ import annotations

import builtins
import os
import sys
from importlib.machinery import SourceFileLoader
from pkgutil import get_importer
from types import ModuleType


def run_script(words: list[str], /) -> None:
    """Run a file, a folder or an archive, or the module after `-m`."""
    import runpy

    script, sys.argv = words[0], words
    has_path = not (sys.flags.isolated or getattr(sys.flags, "safe_path", False))
    if script == "-m":
        sys.argv = words[1:]
        if has_path:
            sys.path.insert(0, os.getcwd())
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif get_importer(script):
        runpy.run_path(script, run_name="__main__")
    else:
        if has_path:
            sys.path.insert(0, os.path.dirname(os.path.realpath(script)))
        path = os.path.abspath(script) if sys.version_info >= (3, 9) else script
        loader = SourceFileLoader("__main__", path)
        module = sys.modules["__main__"] = ModuleType("__main__")
        module.__dict__.update(__file__=path, __loader__=loader, __builtins__=builtins)
        code = loader.source_to_code(loader.get_data(path), path)
        builtins.exec(code, module.__dict__)  # noqa: S102
