"""The programs that a container's command runs, also those in a shell line or behind a wrapper."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from lightgate.patterns import pattern
from lightgate.spec.shell_line import SHELLS

PYTHON = pattern(r"(?:python|pypy)[0-9.]*t?")
# They run the rest of their arguments. Options of theirs are left out with them.
_WRAPPERS = {
    *("exec", "command", "nohup", "time", "env", "nice", "ionice", "stdbuf", "setsid", "sudo"),
    *("tini", "dumb-init", "catatonit", "ddtrace-run", "elasticapm-run"),
    *("opentelemetry-instrument", "if", "then", "else", "do", "while", "until", "!", "{"),
}
# The same with a word of their own between.
_WRAPPERS_WITH_A_WORD = {
    *("gosu", "su-exec", "setuser", "s6-setuidgid", "poetry", "pipenv", "uv", "pdm", "hatch"),
    *("rye", "newrelic-admin", "coverage"),
}
# They run what stands behind `--`.
_BEHIND_DASHES = pattern(
    r"wait[-_]for.*|runuser|doppler|infisical|op|aws-vault|chamber|dotenv|watchmedo"
)
_ASSIGNMENT = pattern(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_VARIABLE = pattern(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")
_SEPARATOR = pattern(r"[;&|()]+")
_REDIRECTION = pattern(r"[<>&]*[<>][<>&]*")
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Program:
    """One program with its arguments. A module that Python runs counts as the program.

    `environment` are the variables that the line sets for it; `in_shell` says whether a shell
    fills in variables.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str]
    in_shell: bool

    @property
    def name(self) -> str:
        return PurePosixPath(self.words[0]).name if self.words else ""

    @property
    def arguments(self) -> tuple[str, ...]:
        return self.words[1:]

    def filled_in(self, environment: Mapping[str, str]) -> "Program":
        """The program as a shell starts it, as far as the variables are known."""
        if not self.in_shell:
            return self
        known = {**environment, **self.environment}

        def value(found: re.Match[str]) -> str:
            return known.get(found[1] or found[3]) or found[2] or found[0]

        words = tuple(_VARIABLE.sub(value, word) for word in self.words)
        return Program(words, self.environment, self.in_shell)

    def values(self, *options: str) -> list[str]:
        """What is given with any of the options: `--bind X`, `--bind=X`, `-b X` and `-bX`."""
        found = []
        for index, word in enumerate(self.arguments):
            name, is_joined, value = word.partition("=")
            if name in options and is_joined:
                found.append(value)
            elif word in options and index + 1 < len(self.arguments):
                found.append(self.arguments[index + 1])
            elif len(word) > 2 and word[:2] in options and not word.startswith("--"):
                found.append(word[2:])
        return found

    def has(self, *options: str) -> bool:
        return any(word.partition("=")[0] in options for word in self.arguments)

    @property
    def manage_command(self) -> str | None:
        """The command of manage.py, if the program is that."""
        names = ("manage.py", "manage", "django-admin", "django-admin.py", "django")
        is_django = self.name in names or self.name.endswith(".manage")
        return self.words[1] if is_django and len(self.words) > 1 else None


def programs(command: Sequence[str]) -> list[Program]:
    """Every program that the command names, in its order."""
    return list(_programs(tuple(command), {}, 0, in_shell=False))


def _programs(
    words: tuple[str, ...], environment: Mapping[str, str], depth: int, *, in_shell: bool
) -> Iterator[Program]:
    words, set_here = _unwrapped(words)
    environment = {**environment, **set_here}
    line = _shell_line(words)
    if line is None or depth == _DEEPEST:
        if words:
            yield Program(words, environment, in_shell)
        return
    for part in _parts(line):
        yield from _programs(part, environment, depth + 1, in_shell=True)


def _shell_line(words: tuple[str, ...]) -> str | None:
    """The line of `sh -c LINE`, also with other flags such as `-ec`, and that of `su`."""
    if not words or PurePosixPath(words[0]).name not in SHELLS | {"su"}:
        return None
    for index, word in enumerate(words[1:-1], 1):
        if re.fullmatch(r"-[a-z]*c[a-z]*", word):
            return words[index + 1]
    return None


def _parts(line: str) -> Iterator[tuple[str, ...]]:
    """The words of each simple command of the line."""
    for physical in line.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(physical, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            tokens = list(lexer)
        except ValueError:
            tokens = physical.split()
        part: list[str] = []
        skip = False
        for token in tokens:
            if skip:
                skip = False
            elif _SEPARATOR.fullmatch(token):
                yield tuple(part)
                part = []
            elif _REDIRECTION.fullmatch(token):
                skip = True
                # The number of what is redirected, as in `2>&1`, is no argument.
                if part and part[-1] in ("1", "2"):
                    part.pop()
            else:
                part.append(token)
        yield tuple(part)


def _unwrapped(words: tuple[str, ...]) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The command without what runs it, and the variables that are set for it."""
    environment: dict[str, str] = {}
    rest = list(words)
    while rest:
        name = PurePosixPath(rest[0]).name
        if found := _ASSIGNMENT.fullmatch(rest[0]):
            environment[found[1]] = found[2]
            del rest[0]
        elif name in _WRAPPERS:
            rest = _without_options(rest[1:])
        elif name == "timeout":
            rest = _without_options(rest[1:])[1:]
        elif name in _WRAPPERS_WITH_A_WORD and len(rest) > 1:
            rest = _without_options(rest[2:])
        elif _BEHIND_DASHES.fullmatch(name) and "--" in rest:
            rest = rest[rest.index("--") + 1 :]
        elif PYTHON.fullmatch(name) and (called := _called_by_python(rest[1:])):
            return called, environment
        else:
            break
    return tuple(rest), environment


def _without_options(words: list[str]) -> list[str]:
    """The words behind leading options, and behind the number or signal that one may take."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in ("-m", "--"):
            break
        if rest and option in ("-n", "-k", "-s", "-u", "-c", "--signal", "--kill-after"):
            del rest[0]
    return rest


def _called_by_python(words: list[str]) -> tuple[str, ...]:
    """The script or the module with its arguments; nothing for a program text or no script."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "-m":
            return tuple(rest)
        if option == "-c":
            return ()
        if option in ("-W", "-X") and rest:
            del rest[0]
    return tuple(rest)
