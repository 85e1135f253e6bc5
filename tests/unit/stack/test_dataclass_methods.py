"""The layer's functions compile no methods of dataclasses: the build has done that."""

import json
import marshal
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CORE = ROOT / "layers" / "core"
FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))

# Imports functions, makes one more dataclass and prints how many texts of methods were compiled for
# Lightgate's classes, and whether values of both kinds are as they should be.
SCRIPT = """
import json, sys

compiled = []

def hear(event, arguments):
    if event == "compile" and arguments[0] is not None:
        text = arguments[0] if isinstance(arguments[0], str) else arguments[0].decode()
        if text.startswith("def __create_fn__"):
            compiled.append(text)

import boto3, aws_lambda_powertools
sys.addaudithook(hear)
for name in sys.argv[1:]:
    __import__(f"functions.{name}.app")
ours = len(compiled)

from dataclasses import dataclass, replace
from lightgate.state import SnapshotProgress

@dataclass(frozen=True, slots=True)
class Unknown:
    number: int = 1

progress = SnapshotProgress.__new__(SnapshotProgress)
try:
    progress.status = None
except Exception as error:
    frozen = type(error).__name__
print(json.dumps([ours, repr(replace(Unknown(), number=2)), frozen]))
"""


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layer")
    shutil.copytree(CORE / "lightgate", folder / "lightgate")
    subprocess.run(
        [sys.executable, "-m", "build_methods", str(folder)],
        env={**os.environ, "PYTHONPATH": str(CORE)},
        check=True,
    )
    return folder


def imported(package: Path, *functions: str) -> list[object]:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, *functions],
        env={**os.environ, "PYTHONPATH": f"{package}:{ROOT}"},
        check=True,
        capture_output=True,
    )
    found: list[object] = json.loads(ran.stdout)
    return found


def test_a_function_of_the_layer_compiles_no_methods(layer: Path) -> None:
    assert imported(layer, *FUNCTIONS) == [0, "Unknown(number=2)", "FrozenInstanceError"]


def test_without_the_build_all_are_compiled() -> None:
    compiled, *values = imported(CORE, "take_snapshot")

    assert isinstance(compiled, int)
    assert compiled > 50
    assert values == ["Unknown(number=2)", "FrozenInstanceError"]


def test_the_file_of_another_python_is_left_alone(layer: Path, tmp_path: Path) -> None:
    shutil.copytree(layer / "lightgate", tmp_path / "lightgate")
    file = tmp_path / "lightgate" / "dataclass_methods.bytecode"
    _, texts = marshal.loads(file.read_bytes())  # noqa: S302
    file.write_bytes(marshal.dumps((b"3.99", texts)))

    compiled, *values = imported(tmp_path, "take_snapshot")

    assert isinstance(compiled, int)
    assert compiled > 50
    assert values == ["Unknown(number=2)", "FrozenInstanceError"]


def test_the_layers_build_compiles_them_before_the_bytecode_of_the_modules() -> None:
    recipe = (CORE / "Makefile").read_text().partition("build-CoreLayer:")[2]

    assert 0 < recipe.index('-m build_methods "$(PYTHON_DIR)"') < recipe.index("$(COMPILE)")
