"""Writes the text of each gate program into a folder: `python -m build_gate FOLDER`."""

import sys
from pathlib import Path

from build_gate.texts import write_texts

write_texts(Path(sys.argv[1]))
