"""What the layer's build puts into the layer."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from build_gate.texts import PROGRAMS, write_texts
from lightgate.gate.packaging import program_text

ROOT = Path(__file__).resolve().parents[3]
CORE = ROOT / "layers" / "core"
MAKEFILE = (CORE / "Makefile").read_text()


def test_the_layer_describes_exactly_the_services_that_clients_are_made_for() -> None:
    """botocore describes every service of AWS."""
    sources = "".join(path.read_text() for path in (CORE / "lightgate").rglob("*.py"))

    [kept] = re.findall(r"^SERVICES := (.*)$", MAKEFILE, re.MULTILINE)

    made = set(re.findall(r'(?:make_client|untyped\.client)\(\s*"([a-z0-9]+)"', sources))
    assert set(kept.split()) == made


READ_ALL = """
import json, sys
from lightgate.gate.packaging import program_text
print(json.dumps({name: program_text(name) for name in sys.argv[1:]}))
"""


def test_the_layer_has_the_texts_of_the_gate_programs_without_what_builds_them(
    tmp_path: Path,
) -> None:
    [folder] = re.findall(r'-m build_gate "\$\(PYTHON_DIR\)/(\S+)"', MAKEFILE)
    shutil.copytree(CORE / "lightgate", tmp_path / "lightgate")
    write_texts(tmp_path / folder)

    read = subprocess.run(
        [sys.executable, "-c", READ_ALL, *PROGRAMS],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )

    assert json.loads(read.stdout) == {name: program_text(name) for name in PROGRAMS}


def test_only_the_function_of_the_page_has_its_renderer() -> None:
    assert "jinja" not in (CORE / "requirements.txt").read_text().lower()
    assert "lightgate_report" not in MAKEFILE
    assert set(re.findall(r"^(\S+)==", (ROOT / "report/requirements.txt").read_text(), re.M)) == {
        "jinja2",
        "markupsafe",
    }


def test_the_layer_has_bytecode_that_lambda_uses_without_a_look_at_the_source(
    tmp_path: Path,
) -> None:
    [command] = re.findall(r"^COMPILE = (.*)$", MAKEFILE, re.MULTILINE)
    recipe = MAKEFILE[MAKEFILE.index("build-CoreLayer:") :]
    assert recipe.rstrip().endswith("$(COMPILE)"), "nothing may change the sources afterwards"
    source = tmp_path / "compiled.py"
    source.write_text("def place():\n    return __file__\n")

    subprocess.run(command.replace("$(PYTHON_DIR)", str(tmp_path)), shell=True, check=True)  # noqa: S602

    [compiled] = (tmp_path / "__pycache__").iterdir()
    header = compiled.read_bytes()[:8]
    assert header[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(header[4:], "little") == 0b01, "by the hash, and unchecked"
    assert b"/opt/python/compiled.py" in compiled.read_bytes()


@pytest.mark.parametrize(
    "file",
    [
        "layers/core/requirements.txt",
        "layers/core/build_gate/requirements.txt",
        "report/requirements.txt",
    ],
)
def test_what_is_deployed_has_the_versions_that_the_tests_run(file: str) -> None:
    locked = set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / "dev.txt").read_text(), re.M))
    pinned = set(re.findall(r"^\S+==\S+", (ROOT / file).read_text(), re.M))

    assert pinned
    assert pinned <= locked
