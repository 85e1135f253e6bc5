"""Words that only a shell understands in a list that no shell reads, and what to write instead."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from lightgate.json_reader import printable, shown
from lightgate.patterns import pattern
from lightgate.spec.django_command import OPERATOR, Split, split_command
from lightgate.spec.plain_secrets import secrets_in_arguments
from lightgate.spec.programs import Program, programs
from lightgate.spec.shell_line import ASSIGNMENT, COMPOUND, OF_THE_SHELL, Argv, simple_words

# Programs that fill in variables themselves, or give `$` another meaning.
_FILLS_IN_ITSELF = ("envsubst", "awk", "sed", "perl", "python", "dockerize")
# Programs to which an operator of the shell may be a plain argument.
_TAKES_OPERATORS = {"find", "expr", "test", "[", "jq", "awk", "parallel", "xargs"}
_ONLY_IN_A_SHELL = (OF_THE_SHELL | COMPOUND) - {"time"}
_LONGEST_SHOWN = 300
_PLAIN_WORD = pattern(r"[\w@%+=:,./-]+", re.ASCII)
# A command that runs on cannot stand between two others.
_RUN_ON = {"gunicorn", "uvicorn", "daphne", "hypercorn", "granian", "uwsgi", "waitress-serve"}


def wrong_words(command: Argv, manage: Argv | None = None) -> str | None:
    """What only a shell would understand, though no shell reads the list; None without it."""
    if not command:
        return None
    if any(character.isspace() for character in command[0]):
        line = " ".join([command[0], *map(shlex.quote, command[1:])])
        return (
            f"{shown(command[0])} is one word with spaces, and no program has such a name"
            f"{write(_from_line(line, manage), command) if line.strip() else ''}"
        )
    found = programs(command)
    for program in found:
        if program.manage_command and any(map(str.isspace, program.manage_command)):
            at = command.index(program.manage_command) if program.manage_command in command else 0
            words = (*command[:at], *command[at].split(), *command[at + 1 :])
            return (
                f"{shown(program.manage_command)} is one word with spaces, and manage.py has no "
                f"such command{write({'command': words} if at else {}, command)}"
            )
    if command[0] in ("CMD", "CMD-SHELL"):
        words = (*(["sh", "-c"] if command[0] == "CMD-SHELL" else []), *command[1:])
        return (
            f"{shown(command[0])} is no program; it may stand only in a healthCheck"
            f"{write({'command': words} if command[1:] else {}, command)}"
        )
    names = {program.name for program in found}
    operator = _operator(command)
    if operator is None and (command[0] in _ONLY_IN_A_SHELL or ASSIGNMENT.fullmatch(command[0])):
        line = shlex.join(command)
        words = simple_words(line) or ("sh", "-c", line)
        return (
            f"{shown(command[0])} is for a shell, and no shell reads this list"
            f"{write({'command': words}, command)}"
        )
    if operator is not None and not names & _TAKES_OPERATORS:
        line = " ".join(w if OPERATOR.fullmatch(w) else shlex.quote(w) for w in command)
        return (
            f"{shown(operator)} is for a shell, and no shell reads this list"
            f"{write(_from_line(line, manage), command)}"
        )
    return _variable(command, found)


def _operator(command: Argv) -> str | None:
    """The operator of the shell that joins two commands; before other text it is an argument."""
    for word, following in pairwise([*command[1:], "end"]):
        if OPERATOR.fullmatch(word) and _PLAIN_WORD.fullmatch(following):
            return word
    return None


def _variable(command: Argv, found: Sequence[Program]) -> str | None:
    for program in found:
        if program.in_shell or program.name.rstrip("0123456789.") in _FILLS_IN_ITSELF:
            continue
        match = re.search(r"\$\([^)]*\)|\$\{?([A-Z_][A-Z0-9_]*)", " ".join(program.arguments))
        if match is not None:
            line = " ".join(w if "$" in w else shlex.quote(w) for w in command)
            what = f"${match[1]}" if match[1] else match[0]
            # Behind a shell with variables the plan of `migrate` could not be read.
            is_call = program.manage_command == "migrate"
            instead = {} if is_call else {"command": ["sh", "-c", f"exec {line}"]}
            return (
                f"{what} is not filled in, because no shell reads this list; write its value"
                f"{write(instead, command).replace('; write', ', or') if instead else ''}"
            )
    return None


def _from_line(line: str, manage: Argv | None) -> Mapping[str, object]:
    """The keys for a line that somebody would type into a shell."""
    split = split_command(("sh", "-c", line), manage)
    if split is not None and not runs_on(split):
        return as_keys(split)
    if re.search(r"[;&|<>$`*?()]", line):
        return {"command": ["sh", "-c", line]}
    try:
        return {"command": shlex.split(line)}
    except ValueError:
        return {}


def as_keys(split: Split) -> Mapping[str, object]:
    keys = {"before": split.before, "command": split.command, "then": split.then}
    return {key: value for key, value in keys.items() if value}


def write(keys: Mapping[str, object], command: Argv) -> str:
    """The advice to write these keys; empty if they are too long, or have a secret."""
    texts = {key: json.dumps(value, ensure_ascii=False) for key, value in keys.items()}
    is_alone = list(keys) == ["command"]
    text = texts["command"] if is_alone else ", ".join(f'"{k}": {v}' for k, v in texts.items())
    if not keys or len(text) > _LONGEST_SHOWN or any(secrets_in_arguments(command)):
        return ""
    return f"; write {printable(text)}"


def instead_of_text(text: str) -> str:
    """The advice for a command that is one text and has more than one program in it."""
    split = split_command(("sh", "-c", text))
    if split is None or not (split.before or split.then) or runs_on(split):
        return ""
    return write(as_keys(split), ("sh", "-c", text))


def runs_on(split: Split) -> bool:
    found = [program for argv in split.then for program in programs(argv)]
    names = {PurePosixPath(program.name).name for program in found}
    return bool(names & _RUN_ON) or any(p.manage_command == "runserver" for p in found)
