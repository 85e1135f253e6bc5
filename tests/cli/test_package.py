"""The package that `pip install .` makes."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.gate.projects import CREATE, SETTINGS, Project

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "examples/specs/full.json"
SQLITE = "{'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'x'}}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    # The build writes beside the sources.
    for file in ("pyproject.toml", "setup.py"):
        shutil.copy(ROOT / file, source)
    for folder in ("layers/core/build_gate", "layers/core/lightgate", "cli", "report"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, source / folder, ignore=ignored)
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir"]
    pip = [sys.executable, "-m", "pip", "wheel", *options, str(target), str(source)]
    subprocess.run(pip, check=True, env={"PATH": "/usr/bin:/bin"})
    [built] = target.glob("lightgate-*.whl")
    return built


def run(wheel: Path, arguments: Sequence[str], *, code: int = 0, **environment: str) -> str:
    """Run the command from the wheel, with the dependencies of this interpreter."""
    load = f"import sys; sys.path.insert(0, {str(wheel)!r})"
    program = f"{load}; from lightgate_cli.entry import main; main()"
    command = [sys.executable, "-c", program, *arguments]
    ran = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert ran.returncode == code, ran.stderr
    return ran.stdout + ran.stderr


def test_the_installed_command_is_called_lightgate(wheel: Path) -> None:
    with ZipFile(wheel) as files:
        [name] = (each for each in files.namelist() if each.endswith("entry_points.txt"))
        assert files.read(name).decode() == (
            "[console_scripts]\nlightgate = lightgate_cli.entry:main\n"
        )


@pytest.mark.slow
def test_the_installed_command_has_the_templates_of_the_page(wheel: Path) -> None:
    templates = {path.name for path in (ROOT / "report/lightgate_report/templates").iterdir()}

    with ZipFile(wheel) as files:
        folder = "lightgate_report/templates/"
        packed = {each for each in files.namelist() if each.startswith(folder)}
    assert packed == {f"{folder}{name}" for name in templates}
    assert "--html FILE" in run(wheel, ["report", "--help"])


def test_the_installed_command_has_all_that_it_needs(wheel: Path) -> None:
    assert run(wheel, ["validate", str(SPEC)]) == f"ok: {SPEC} is valid\n"
    assert '"serviceName": "crops-backend"' in run(wheel, ["plan", str(SPEC), "--json"])


def test_the_installed_command_brings_what_its_connection_needs(wheel: Path) -> None:
    with ZipFile(wheel) as files:
        [name] = (each for each in files.namelist() if each.endswith("METADATA"))
        metadata = files.read(name).decode()
    needed = re.findall(r"^Requires-Dist: ([a-z0-9]+)", metadata, re.MULTILINE)
    assert sorted(needed) == ["botocore", "click", "jinja2", "pyyaml", "rich"]

    said = run(wheel, ["status", "--region", "us-east-1"], code=2, AWS_EC2_METADATA_DISABLED="true")

    assert said.startswith("error: No AWS credentials were found.\n")


def test_the_installed_command_judges_migrations(wheel: Path, tmp_path: Path) -> None:
    project = Project(tmp_path, {})
    project.migration(CREATE)
    project.write("settings.py", SETTINGS.replace('json.loads(os.environ["DATABASES"])', SQLITE))

    printed = run(wheel, ["check", str(tmp_path / "manage.py"), "--python", sys.executable])

    assert printed.startswith("1 migration: 1 compatible. Judged for SQLite")
