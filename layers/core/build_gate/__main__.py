"""Writes the text of each gate program into a folder: `python -m build_gate FOLDER`."""

import sys
from pathlib import Path

from build_gate.texts import write_texts

match sys.argv[1:]:
    case [folder] if not folder.startswith("-"):
        write_texts(Path(folder))
    case _:
        sys.exit("Usage: python -m build_gate FOLDER")
