"""Where a call of manage.py has its script: the gate puts a launcher between Python and the script.

Without Python among the words, the gate reads from the script itself which Python runs it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

type Words = tuple[str, ...]

_PYTHON = re.compile(r"(.*/)?(python|pypy)[0-9.]*t?")
_WITH_A_WORD = re.compile(r"-[a-zA-Z]*[WX]|--check-hash-based-pycs")
# Options of uv, whose value may be the name of a Python.
_NAMES_A_PYTHON = ("--python", "-p")


@dataclass(frozen=True, slots=True)
class PythonCall:
    """`python` are the words up to Python's own options. `script` is a path, or `-m` and a module.

    `script` is empty if no word is known to be Python.
    """

    python: Words
    script: Words


def python_call(manage: Words) -> PythonCall:
    """The last Python in the words runs manage.py: those before it may run another program."""
    return next(_calls(manage), PythonCall(manage, ()))


def _calls(manage: Words) -> Iterator[PythonCall]:
    for index in reversed(range(len(manage))):
        names_it = index > 0 and manage[index - 1] in _NAMES_A_PYTHON
        if _PYTHON.fullmatch(manage[index]) and not names_it:
            call = _without_options(manage, index + 1)
            if call is not None:
                yield call


def _without_options(words: Words, index: int) -> PythonCall | None:
    while index < len(words):
        word, before, after = words[index], words[:index], words[index + 1 :]
        if not word.startswith("-"):
            return PythonCall(before, words[index:])
        if word in ("-", "-c"):
            return None
        if word.startswith("-m") and len(word) > 2:
            return PythonCall(before, ("-m", word[2:], *after))
        if not word.startswith("--") and word.endswith("m"):
            flags = (word[:-1],) if len(word) > 2 else ()
            return PythonCall((*before, *flags), ("-m", *after)) if after else None
        index += 2 if _WITH_A_WORD.fullmatch(word) else 1
    return None


def helper_words(manage: Words, command: Words) -> dict[str, list[str] | bool]:
    """How the gate starts the Django helper: as the command itself, with the launcher in it.

    `isWhole` says whether the command shows all its options.
    """
    call = python_call(manage)
    migrate, is_whole = migrate_words(manage, command)
    return {
        "manage": list(manage),
        "python": list(call.python),
        "script": list(call.script),
        "migrate": list(migrate),
        "isWhole": is_whole,
    }


def migrate_words(manage: Words, command: Words) -> tuple[Words, bool]:
    """The words from `migrate` on, and whether they are the command's own.

    A command that does not show them, such as a line for a shell, is taken to give no options.
    """
    call = (*manage, "migrate")
    for start in range(len(command)):
        if command[start : start + len(call)] == call:
            return command[start + len(manage) :], True
    return ("migrate", "--noinput"), False
