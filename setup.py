"""Puts the texts of the gate programs into the package. All else is in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent / "layers" / "core"))
from build_gate.texts import write_texts


class BuildWithTexts(build_py):
    """Builds the modules, then the texts."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            write_texts(Path(self.build_lib) / "lightgate" / "gate" / "texts")


setup(cmdclass={"build_py": BuildWithTexts})
