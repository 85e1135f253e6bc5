"""The methods that dataclasses write, as bytecode that the build of the layer has put beside them.

A dataclass writes its methods as text, and compiles this text each time its module is imported. No
bytecode file has the result. Without one, that was half of the time that the import of a step took
in a Lambda function. `build_methods` compiles the texts once.
"""

import dataclasses
import importlib.util
import marshal
from collections.abc import Mapping
from pathlib import Path
from types import CodeType
from typing import Any

BYTECODE = Path(__file__).with_suffix(".bytecode")


def use_bytecode(file: Path = BYTECODE) -> None:
    """Let dataclasses that are made from now on take their methods from the file.

    Without the file nothing changes. A text that the file lacks is compiled as usual, and so is
    every text if another version of Python has made the file.
    """
    try:
        version, found = marshal.loads(file.read_bytes())  # noqa: S302 - from the layer itself
    except OSError:
        # There is none, or the package is in an archive.
        return
    if version == importlib.util.MAGIC_NUMBER:
        dataclasses.exec = _Executor(found)  # type: ignore[attr-defined]


def write_bytecode(texts: Mapping[str, CodeType], file: Path) -> None:
    """Write the file that `use_bytecode` reads."""
    found = {text: marshal.dumps(code) for text, code in texts.items()}
    file.write_bytes(marshal.dumps((importlib.util.MAGIC_NUMBER, found)))


class _Executor:
    """Stands in for `exec` in the module dataclasses, which passes it the text of the methods."""

    def __init__(self, bytecode: Mapping[str, bytes]) -> None:
        self._bytecode = bytecode

    def __call__(self, text: str, names: dict[str, Any], made: dict[str, Any]) -> None:
        found = self._bytecode.get(text)
        # Reading a code object is a small part of compiling its text.
        exec(text if found is None else marshal.loads(found), names, made)  # noqa: S102, S302
