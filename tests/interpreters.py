"""Every Python on which the gate's programs have to run, as far as this machine has it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def _other_interpreters() -> Iterator[tuple[str, str | None]]:
    """Each Python from 3.8 to 3.13, by version, with an executable that really is that version."""
    for minor in range(8, 14):
        version = f"3.{minor}"
        if version == f"{sys.version_info.major}.{sys.version_info.minor}":
            yield version, sys.executable
            continue
        installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
        on_path = shutil.which(f"python{version}")
        candidates = [*map(str, installed), *([on_path] if on_path else [])]
        yield version, next((c for c in candidates if _runs(c, version)), None)


def _runs(executable: str, version: str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    ran = subprocess.run([executable, "-c", code], capture_output=True, text=True, check=False)
    return ran.stdout.strip() == version


INTERPRETERS = dict(_other_interpreters())


# The oldest that is promised and the one of Lambda; those between are the slow matrix's.
_USUAL = ("3.8", "3.13")


@pytest.fixture(
    params=[
        name if name in _USUAL else pytest.param(name, marks=pytest.mark.slow)
        for name in INTERPRETERS
    ]
)
def any_python(request: pytest.FixtureRequest) -> str:
    executable = INTERPRETERS[request.param]
    if executable is None:
        pytest.skip(f"Python {request.param} is not installed here")
    return executable
