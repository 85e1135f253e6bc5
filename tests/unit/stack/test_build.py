"""`sam build` needs Python, SAM and make alone, on Linux and on a Mac.

It was tried on Linux only. A Mac has GNU make 3.81 and BSD's tools, and cannot load the extension
modules of Lambda's platform: these tests check each of the three.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.template import read_template

ROOT = Path(__file__).resolve().parents[3]
CORE = ROOT / "layers" / "core"
MAKEFILES = {"layer": CORE / "Makefile", "page": ROOT / "report" / "Makefile"}
# Each is in POSIX or comes with Python. BSD's find knows -mindepth and -maxdepth as well.
COMMANDS = {"python3.13", "find", "cp", "rm"}
FIND = {"-mindepth", "-maxdepth", "-type", "-name", "-exec", "-prune"}
OTHER_OPTIONS = {"cp": {"-R"}, "rm": {"-r"}}
# What came with GNU make 4: a Mac has 3.81.
NEWER_MAKE = re.compile(r"!=|::=|\$\(file |\.ONESHELL|\.SHELLFLAGS|\$\(shell |\.EXTRA_PREREQS")
REQUIREMENTS = (
    "layers/core/requirements.txt",
    "layers/core/build_gate/requirements.txt",
    "report/requirements.txt",
)


def recipes(makefile: Path) -> list[list[str]]:
    """The words of each command, with the variables of the Makefile replaced."""
    text = makefile.read_text().replace("\\\n", " ")
    variables = dict(re.findall(r"^(\w+) :?= (.*)$", text, re.MULTILINE))
    commands = []
    for line in re.findall(r"^\t(.+)$", text, re.MULTILINE):
        for name in ("PIP_INSTALL", "COMPILE"):
            line = line.replace(f"$({name})", variables[name])
        line = re.sub(r"\$\(\w+:%=(! -name) %\)", r"\1 service", line)
        words = [word for word in line.split() if not re.match(r"[A-Z]+=", word)]
        commands.append(words)
    return commands


@pytest.mark.parametrize("makefile", MAKEFILES.values(), ids=MAKEFILES)
def test_the_build_calls_tools_that_every_unix_has(makefile: Path) -> None:
    found = recipes(makefile)

    assert len(found) > 3
    for command, *words in found:
        assert command in COMMANDS
        options = {word for word in words if re.fullmatch(r"-[A-Za-z]+", word)}
        if command == "find":
            # `-exec` ends the options of find itself.
            *own, executed = " ".join(words).split(" -exec ")
            assert executed.startswith("rm -r ")
            assert options - {"-r"} <= FIND
            assert own
        elif command in OTHER_OPTIONS:
            assert options <= OTHER_OPTIONS[command]


@pytest.mark.parametrize("makefile", MAKEFILES.values(), ids=MAKEFILES)
def test_the_build_needs_no_feature_of_make_4(makefile: Path) -> None:
    assert NEWER_MAKE.search(makefile.read_text()) is None


@pytest.mark.parametrize("makefile", MAKEFILES.values(), ids=MAKEFILES)
def test_packages_are_chosen_for_lambda_and_not_for_the_machine_that_builds(makefile: Path) -> None:
    installs = [" ".join(words) for words in recipes(makefile) if "pip" in words]
    # Others run during the build, and have no code for one platform.
    deployed = [each for each in installs if "build_gate" not in each]

    assert len(deployed) == 1
    for install in installs:
        assert "--only-binary=:all:" in install
        assert "--require-hashes" in install
    assert "--implementation cp --python-version 3.13" in deployed[0]
    assert set(re.findall(r"--platform (\S+)", deployed[0])) == {
        "manylinux2014_x86_64",
        "manylinux_2_28_x86_64",
    }


def test_the_functions_run_on_the_platform_of_their_packages() -> None:
    template = read_template()
    settings = [
        template["Globals"]["Function"],
        *(each.get("Properties", {}) for each in template["Resources"].values()),
    ]

    assert [each for each in settings if "Architectures" in each] == [], (
        "x86_64 is Lambda's default"
    )
    assert template["Globals"]["Function"]["Runtime"] == "python3.13"


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_no_package_needs_others_on_another_platform(file: str) -> None:
    """Pip reads such conditions for the machine that builds, also with `--platform`."""
    names = re.findall(r"^([\w.-]+)==", (ROOT / file).read_text(), re.MULTILINE)

    assert names
    for name in names:
        for needed in importlib.metadata.requires(name) or []:
            if "extra ==" not in needed:
                assert not re.search("platform|os_name", needed), (name, needed)


WITHOUT_EXTENSIONS = """
import sys
from importlib.machinery import PathFinder
from pathlib import Path

class OfAnotherPlatform:
    refused = []

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        found = PathFinder.find_spec(name, path, target)
        if found and str(found.origin).endswith(".so") and "site-packages" in found.origin:
            cls.refused.append(name)
            raise ModuleNotFoundError(name)
        return None

sys.meta_path.insert(0, OfAnotherPlatform)
from build_methods import main
main(Path(sys.argv[1]))
assert OfAnotherPlatform.refused, "nothing was tried"
"""


def test_the_build_runs_where_no_extension_module_of_lambda_can_be_loaded(tmp_path: Path) -> None:
    shutil.copytree(CORE / "lightgate", tmp_path / "lightgate")

    subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTENSIONS, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(CORE)},
        check=True,
    )

    assert (tmp_path / "lightgate" / "dataclass_methods.bytecode").stat().st_size > 1000


@pytest.mark.slow
def test_sam_builds_with_nothing_but_python_make_and_the_tools_of_every_unix(
    tmp_path: Path,
) -> None:
    """It takes a minute, and the packages from the index."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("make", "sh", "find", "cp", "rm"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    scripts = Path(sys.executable).parent
    for name in ("python3.13", "sam"):
        (tools / name).symlink_to(scripts / name)
    passed = ("HOME", "LANG", "PIP_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy", "ALL_PROXY")
    environment = {key: value for key, value in os.environ.items() if key.startswith(passed)}

    ended = subprocess.run(
        [
            *(str(tools / "sam"), "build", "--template-file", str(ROOT / "template.yaml")),
            *("--build-dir", str(tmp_path / "built"), "--region", "us-east-1"),
        ],
        env={**environment, "PATH": str(tools), "SAM_CLI_TELEMETRY": "0"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "built" / "CoreLayer" / "python" / "lightgate").is_dir()
    assert (tmp_path / "built" / "AdmitFunction" / "app.py").is_file()
