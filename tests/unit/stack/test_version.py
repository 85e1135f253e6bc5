"""The version is in one place: `lightgate.VERSION`."""

import re
import tomllib
from pathlib import Path

from click.testing import CliRunner

from lightgate import VERSION
from lightgate_cli.main import main
from tests.support.template import read_template

ROOT = Path(__file__).parents[3]


def test_the_package_takes_its_version_from_the_code() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "lightgate.VERSION"}


def test_the_template_names_the_version_of_the_code() -> None:
    template = read_template()

    assert template["Outputs"]["Version"]["Value"] == VERSION
    assert re.findall(r"Lightgate (\S+):", template["Description"]) == [VERSION]


def test_the_command_prints_its_version() -> None:
    assert CliRunner().invoke(main, ["--version"], prog_name="lightgate").output == (
        f"lightgate {VERSION}\n"
    )


def test_the_newest_entry_of_the_changelog_is_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert re.findall(r"^## (\S+)", changelog, re.MULTILINE)[0] == VERSION
