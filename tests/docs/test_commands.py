"""Every command in the docs is one that its program takes."""

import re
from collections.abc import Sequence

import pytest

from tests.docs.pages import Code, all_code
from tests.docs.programs import PROGRAMS, problem_of
from tests.docs.shell import commands_of, syntax_error

SCRIPTS = ("sh", "console")
LANGUAGES = {*SCRIPTS, "text", "json", "yaml", "python", "sql", "words"}
CODE = all_code()
# What stands for any command, and no command.
SYNOPSES = re.compile(r"COMMAND|^[\w ]+ …$")


def scripts_of(code: Code) -> Sequence[str]:
    """The script in a block, or in backticks if it begins with a program and has an argument."""
    if code.language == "sh":
        return [code.text]
    if code.language == "console":
        return [line[2:] for line in code.text.splitlines() if line.startswith("$ ")]
    if code.language == "words" and not SYNOPSES.search(code.text):
        program, _, rest = code.text.partition(" ")
        if program in PROGRAMS and rest:
            return [one_form(code.text)]
    return []


def one_form(synopsis: str) -> str:
    """The command with each optional part, and with the first of two choices."""
    return re.sub(r"\[(.*?)( or [^]]*)?\]", r"\1", synopsis)


def is_name(code: Code) -> bool:
    """Whether a sentence only names a command, such as `lightgate pause`, and does not call it."""
    return code.language == "words" and not re.search(r" (?:-|[A-Z]{3,}|[a-z]+://)", code.text)


def problems_of(code: Code) -> list[str]:
    return [
        f"{code.place}: {' '.join(command)}: {problem}"
        for script in scripts_of(code)
        for problem, command in [
            (syntax_error(script), [script]),
            *(
                (problem_of(command, is_name=is_name(code)), command)
                for command in commands_of(script)
            ),
        ]
        if problem
    ]


def test_every_block_has_a_language() -> None:
    """A command without one would not be checked."""
    assert [code.place for code in CODE if code.language not in LANGUAGES] == [], LANGUAGES


@pytest.mark.parametrize(
    "code", [code for code in CODE if scripts_of(code)], ids=lambda code: code.place
)
def test_every_command_is_one_that_its_program_takes(code: Code) -> None:
    assert problems_of(code) == []
