"""Compiles the methods of all dataclasses in a folder's package lightgate, once and for all.

`python -m build_methods FOLDER`: FOLDER has the package and what it imports, as the layer has them.
The gate programs are no part of it: they run in other images, with other versions of Python.
"""

import dataclasses
import importlib
import pkgutil
import sys
from pathlib import Path
from types import CodeType
from typing import Any

_NOT_IN_FUNCTIONS = "lightgate.gate.programs"


def main(folder: Path) -> None:
    texts: dict[str, CodeType] = {}

    def compile_and_execute(text: str, names: dict[str, Any], made: dict[str, Any]) -> None:
        texts[text] = compile(text, "<string>", "exec", dont_inherit=True)
        exec(texts[text], names, made)  # noqa: S102

    sys.path.insert(0, str(folder))
    dataclasses.exec = compile_and_execute  # type: ignore[attr-defined]
    import lightgate
    from lightgate.dataclass_methods import BYTECODE, write_bytecode

    for module in pkgutil.walk_packages(lightgate.__path__, "lightgate."):
        if not module.name.startswith(_NOT_IN_FUNCTIONS):
            importlib.import_module(module.name)
    write_bytecode(texts, folder / "lightgate" / BYTECODE.name)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [folder] if not folder.startswith("-"):
            main(Path(folder))
        case _:
            sys.exit("Usage: python -m build_methods FOLDER")
