"""Package, stack and code have one version, which `lightgate doctor` compares."""

import tomllib
from pathlib import Path

from lightgate import VERSION
from tests.support.template import read_template

ROOT = Path(__file__).parents[3]


def test_package_stack_and_code_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert project["version"] == VERSION
    assert read_template()["Outputs"]["Version"]["Value"] == VERSION
