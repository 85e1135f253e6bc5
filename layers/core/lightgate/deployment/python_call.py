"""Where a call of manage.py has its script: the gate puts a launcher between Python and the script.

Without Python among the words, the gate reads from the script itself which Python runs it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lightgate.patterns import pattern

type _Words = tuple[str, ...]

_PYTHON = pattern(r"(.*/)?(python|pypy)[0-9.]*t?")
_WITH_A_WORD = pattern(r"-[a-zA-Z]*[WX]|--check-hash-based-pycs")
# Options of uv, whose value may be the name of a Python.
_NAMES_A_PYTHON = ("--python", "-p")


@dataclass(frozen=True, slots=True)
class PythonCall:
    """`python` are the words up to Python's own options. `script` is a path, or `-m` and a module.

    `python` is empty if no word is known to be Python.
    """

    python: _Words
    script: _Words


def helper_words(manage: _Words, command: _Words) -> dict[str, list[str] | int]:
    """Where the launcher belongs in the words that start the Django helper.

    `script` is the number of words before the script, 0 if only the script shows which Python runs
    it. `migrate` is the number of words before `migrate` in the command, 0 if it does not show
    them, such as a line for a shell. Then it is taken to give no options.
    """
    call = python_call(manage)
    return {
        "manage": [*call.python, *call.script],
        "script": len(call.python),
        "migrate": _words_before_migrate(manage, command),
    }


def python_call(manage: _Words) -> PythonCall:
    """The last Python in the words runs manage.py: those before it may run another program."""
    return next(_calls(manage), PythonCall((), manage))


def _calls(manage: _Words) -> Iterator[PythonCall]:
    for index in reversed(range(len(manage))):
        names_it = index > 0 and manage[index - 1] in _NAMES_A_PYTHON
        if _PYTHON.fullmatch(manage[index]) and not names_it:
            call = _without_options(manage, index + 1)
            if call is not None:
                yield call


def _without_options(words: _Words, index: int) -> PythonCall | None:
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


def _words_before_migrate(manage: _Words, command: _Words) -> int:
    call = (*manage, "migrate")
    starts = (n for n in range(len(command)) if command[n : n + len(call)] == call)
    return next((start + len(manage) for start in starts), 0)
