"""What the program that a command names would say about its words, without running it."""

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import awscli.clidriver
import click
from awscli.clidriver import CLIDriver
from awscli.customizations.commands import BasicCommand
from botocore.validate import ParamValidator
from samcli.cli.main import cli as sam

from lightgate_cli.main import main as lightgate
from tests.docs.pages import ROOT
from tests.only import found

# Programs of the shell, and those whose words nobody can get wrong here.
WITHOUT_A_PARSER = ("cd", "echo", "eval", "export", "exit", "sed", "cat", "cp", "open", "sleep")


def problem_of(words: Sequence[str], *, is_name: bool = False) -> str:
    """Why the program would refuse these words, or nothing.

    The name of a command, such as `lightgate pause` in a sentence, may lack what it needs.
    """
    program, *arguments = words
    if program in WITHOUT_A_PARSER:
        return ""
    check = _CHECKS.get(program)
    if check is None:
        return f"no test knows the program {program!r}"
    if program == "docker" and is_name and len(arguments) == 1:
        return "" if arguments[0] in ("build", "push", "pull", "login") else "no such command"
    printed = io.TextIOWrapper(io.BytesIO(), write_through=True)
    try:
        with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
            return check(arguments)
    except SystemExit as ended:
        problem = printed.buffer.getvalue().decode() if ended.code else ""  # type: ignore[attr-defined]
        return "" if is_name and "arguments are required" in problem else problem
    except click.exceptions.Exit:  # --help
        return ""
    except click.ClickException as error:
        problem = error.format_message()
        return "" if is_name and problem.startswith("Missing") else problem


@cache
def _aws_cli() -> tuple[CLIDriver, list[dict[str, Any]]]:
    """The AWS CLI without its calls: it puts the parameters of each one into the list."""
    driver = awscli.clidriver.create_clidriver()
    calls: list[dict[str, Any]] = []

    def keep(call_parameters: dict[str, Any], **_: object) -> int:
        calls.append(call_parameters)
        return 0

    driver.session.get_component("event_emitter").register("calling-command", keep)
    return driver, calls


# Of version 2 of the AWS CLI; the package index has version 1.
_AWS_V2 = re.compile(
    r"logs tail \S+( --since \d+[mhd])?( --follow)?|lightsail push-container-image"
)


def _aws(words: Sequence[str]) -> str:
    if _AWS_V2.fullmatch(" ".join(words)):
        return ""
    driver, calls = _aws_cli()
    calls.clear()
    with contextlib.ExitStack() as patches, _files_that_are_read(words):
        for command in _with_subclasses(BasicCommand):
            if "_run_main" in vars(command) and not command.SUBCOMMANDS:
                patches.enter_context(mock.patch.object(command, "_run_main", return_value=0))
        if code := driver.main([*words]):
            raise SystemExit(code)
    services = driver._get_command_table()
    index = next(index for index, word in enumerate(words) if word in services)
    of_service = getattr(services[words[index]], "_get_command_table", dict)()  # not for `aws s3`
    model = getattr(of_service.get(words[index + 1]), "_operation_model", None)
    problems = []
    if model is not None and model.input_shape is not None:
        for call in calls:
            report = ParamValidator().validate(call, model.input_shape)
            problems += [report.generate_report()] if report.has_errors() else []
    return "; ".join(problems)


def _with_subclasses(command: type) -> Iterator[type]:
    yield command
    for under in command.__subclasses__():
        yield from _with_subclasses(under)


@contextlib.contextmanager
def _files_that_are_read(words: Sequence[str]) -> Iterator[None]:
    """A folder in which every file that the words name exists."""
    before = Path.cwd()
    with TemporaryDirectory() as folder:
        for word in words:
            if word == "PATH":
                Path(folder, word).mkdir()
            name = PurePosixPath(word.removeprefix("file://"))
            if name.is_absolute() or ".." in name.parts or len(str(name)) > 100:
                continue
            if (
                word.startswith("file://")
                or name.suffix in (".json", ".py", ".yml", ".yaml")
                or word in ("FILE", "MANAGE_PY")
            ):
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("{}", "utf-8")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def _click(command: click.Command, name: str, words: Sequence[str]) -> str:
    with contextlib.ExitStack() as contexts:
        context = contexts.enter_context(command.make_context(name, [*words]))
        while isinstance(command, click.Group):
            rest = [*context.protected_args, *context.args]
            found_name, below, rest = command.resolve_command(context, rest)
            if below is None:
                return f"no command {found_name}"
            made = below.make_context(found_name, rest, parent=context)
            command, context = below, contexts.enter_context(made)
    return ""


def _lightgate(words: Sequence[str]) -> str:
    # What stands for the name of an app is none itself.
    words = ["app" if re.fullmatch(r"APP|FROM|TO|\$\w+", word) else word for word in words]
    with _files_that_are_read(words):
        return _click(lightgate, "lightgate", words)


def _sam(words: Sequence[str]) -> str:
    before = Path.cwd()
    os.chdir(ROOT)  # where samconfig.toml is
    try:
        return _click(sam, "sam", words)
    finally:
        os.chdir(before)


@cache
def _tests() -> Sequence[PurePosixPath]:
    return [PurePosixPath(file.relative_to(ROOT)) for file in ROOT.glob("tests/**/test_*.py")]


def _make(words: Sequence[str]) -> str:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in words:
        if word == "-s":
            continue
        name, is_variable, value = word.partition("=")
        if not is_variable:
            if not re.search(rf"^{re.escape(word)}:.*## ", makefile, re.MULTILINE):
                return f"no target {word}"
        elif f"$({name})" not in makefile and f"{name} ?=" not in makefile:
            return f"no target reads {name}"
        elif name == "ONLY" and value != "…" and not found(value, _tests()):
            return f"no test is at {value}"
    return ""


# In a process of its own: the settings of Django are those of a process.
_DJANGO = """
import sys
from django.conf import settings
from django.core.management import load_command_class
settings.configure(INSTALLED_APPS=["django.contrib.staticfiles"])
name, *words = sys.argv[1:]
app = {"collectstatic": "django.contrib.staticfiles"}.get(name, "django.core")
load_command_class(app, name).create_parser("manage.py", name).parse_args(words)
"""


def _python(words: Sequence[str]) -> str:
    match words:
        case ["-m", module, *_]:
            return "" if importlib.util.find_spec(module) else f"no module {module}"
        case ["manage.py"]:
            return ""
        case ["manage.py", *arguments]:
            read = [sys.executable, "-c", _DJANGO, *arguments]
            return subprocess.run(read, capture_output=True, text=True, check=False).stderr
    return "neither a module nor manage.py"


def _forms(program: str, *forms: str) -> Callable[[Sequence[str]], str]:
    """The forms in which the docs use a program that has no parser here."""
    patterns = [re.compile(form) for form in forms]

    def check(words: Sequence[str]) -> str:
        line = " ".join(words)
        known = any(pattern.fullmatch(line) for pattern in patterns)
        return "" if known else f"not a known form of {program}: {line}"

    return check


_IMAGE = r"\S+"
_CHECKS: dict[str, Callable[[Sequence[str]], str]] = {
    "aws": _aws,
    "lightgate": _lightgate,
    "sam": _sam,
    "make": _make,
    "python": _python,
    "sudo": _forms(
        "sudo",
        r"apt-get update",
        r"apt-get install --yes --no-install-recommends mariadb-server pgbouncer",
    ),
    ".ci/run": _forms(".ci/run", ""),
    "docker": _forms(
        "docker",
        rf"build( --platform linux/amd64)?( --build-arg \S+| --label \S+| -t {_IMAGE})*( \S+)?",
        rf"(push|pull) {_IMAGE}",
        rf"tag {_IMAGE} {_IMAGE}",
        r"login --username AWS --password-stdin \S+",
        rf"image inspect {_IMAGE}",
        rf"buildx imagetools inspect {_IMAGE}",
    ),
    "git": _forms("git", r"clone \S+( \S+)?", r"checkout \S+", r"pull"),
    "pip": _forms("pip", r"install (\.|-r \S+|git\+\S+)"),
    "pipx": _forms(
        "pipx", r"install( --force)?( --python 3\.13)? (\.|\$LIGHTGATE|git\+\S+|aws-sam-cli|awscli)"
    ),
    "uv": _forms("uv", r"run", r"tool install (\.|git\+\S+|aws-sam-cli)"),
}
PROGRAMS = frozenset(_CHECKS)
