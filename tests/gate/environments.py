"""Interpreters with an older Django or another driver, made once and kept.

They stand in the directory that LIGHTGATE_VENVS names, by default build/venvs. Only the slow
matrix makes them; the others take what is there.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.interpreters import INTERPRETERS

DIRECTORY = Path(os.environ.get("LIGHTGATE_VENVS", "build/venvs")).resolve()


def interpreter(version: str, django: str, *drivers: str) -> str:
    """One of this Python and this Django, made when it is missing."""
    base = INTERPRETERS[version]
    if base is None:
        pytest.skip(f"Python {version} is not installed here")
    home = DIRECTORY / f"py{version}-django{django}-{'-'.join(drivers)}"
    python = home / "bin/python"
    if not (home / "ready").exists():
        subprocess.run([base, "-m", "venv", "--clear", str(home)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        ran = subprocess.run(
            [*install, f"django=={django}.*", *drivers], capture_output=True, text=True, check=False
        )
        if ran.returncode:
            pytest.skip(f"Django {django} cannot be installed here: {ran.stderr[-300:]}")
        (home / "ready").touch()
    return str(python)
