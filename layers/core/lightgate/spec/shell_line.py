"""A line for a shell, taken apart as far as its meaning is certain."""

import re
import shlex
from pathlib import PurePosixPath

from lightgate.patterns import pattern

type Argv = tuple[str, ...]

SHELLS = {"sh", "bash", "dash", "ash", "zsh", "ksh"}
# They change the shell itself, or end it, so the next command does not run as it would alone.
OF_THE_SHELL = {
    *("cd", "export", "set", "unset", "source", ".", "eval", "exec", "trap", "umask", "ulimit"),
    *("alias", "exit", "return", "pushd", "popd", "shopt", "readonly", "declare", "local", "wait"),
}
COMPOUND = {
    *("if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac"),
    *("{", "}", "!", "[[", "function", "select", "time", "coproc"),
}
# Whatever a shell reads as more than a plain word.
_SPECIAL = pattern(r"[$`*?\[\]~#{}();&|<>!\\\n]")
ASSIGNMENT = pattern(r"[A-Za-z_]\w*=.*", re.DOTALL)
# The end of a line that changes nothing but which code a failure has.
_END = pattern(r"(?:\s*(?:;|\|\|\s*exit(?:\s+(?:[1-9]\d*|\$\?|\"\$\?\"))?))*\s*$")
_SET = pattern(r"set((?: -[eux]*(?:o (?:errexit|nounset|xtrace|pipefail))?)+)\s*(?:[;\n]|&&)\s*")


def shell_line(words: Argv) -> tuple[str, bool] | None:
    """The line of `sh -c LINE`, and whether the shell ends at the first error.

    None for anything else, and for a login or interactive shell, which reads files first.
    """
    words = words[1:] if words and PurePosixPath(words[0]).name == "busybox" else words
    if not words or PurePosixPath(words[0]).name not in SHELLS:
        return None
    letters, rest = "", list(words[1:])
    while rest and re.fullmatch(r"-[a-z]+", rest[0]):
        option = rest.pop(0)
        letters += option[1:]
        if option.endswith("o"):
            if rest[:1] != ["pipefail"]:
                return None
            del rest[0]
    is_plain = len(rest) == 1 and "c" in letters and set(letters) <= set("ceuxo")
    return (rest[0], "e" in letters) if is_plain else None


def simple_words(line: str) -> Argv | None:
    """The words of a line that is one plain command, which runs the same without a shell."""
    # Both streams of a command go to one pipe anyway.
    line = _trimmed(re.sub(r"\s2>&1(?=[\s;]*$)", "", _trimmed(line)))
    if _SPECIAL.search(line):
        return None
    try:
        words = tuple(shlex.split(line))
    except ValueError:
        return None
    words = words[1:] if words[:1] == ("exec",) else words
    if not words or words[0] in OF_THE_SHELL | COMPOUND:
        return None
    if ASSIGNMENT.fullmatch(words[0]):
        return ("env", *words)
    return words


def commands_in_turn(line: str, *, stops_at_errors: bool) -> list[str] | None:
    """The commands of a line that run one after the other, each only if the former succeeded.

    None if they run in any other way, or if one of them changes the shell for the next.
    """
    text = _trimmed(line)
    if found := _SET.match(text):
        text = text[found.end() :]
        stops_at_errors = stops_at_errors or re.search("-[ux]*e|errexit", found[1]) is not None
        if "pipefail" in found[1] and "|" in text:
            return None
    parts = _parts(text, stops_at_errors=stops_at_errors)
    if parts is None:
        return None
    for index, part in enumerate(parts):
        first = part.split(maxsplit=1)[0]
        is_last = index == len(parts) - 1
        if first in COMPOUND or (first in OF_THE_SHELL and not (is_last and first == "exec")):
            return None
        if all(ASSIGNMENT.fullmatch(word) for word in part.split()):
            return None
    return parts


def _trimmed(line: str) -> str:
    return _END.sub("", line.replace("\\\n", " ").strip(), count=1)


def _parts(line: str, *, stops_at_errors: bool) -> list[str] | None:
    """The text of each command; None if the line has another structure.

    A shell with -e goes on after a failure on the left of `&&`, so the two do not mix.
    """
    parts, quote, separators, position = [""], "", set(), 0
    while position < len(line):
        character, rest = line[position], line[position:]
        position += 1
        if character == "\\" and quote != "'":
            return None
        if quote or character in "'\"":
            quote = ("" if character == quote else quote) if quote else character
        elif rest.startswith("&&") or character in ";\n":
            position += rest.startswith("&&")
            separators.add(character)
            parts.append("")
            continue
        elif _is_other_structure(parts[-1], rest):
            return None
        parts[-1] += character
    found = [part.strip() for part in parts if part.strip()]
    is_mixed = len(separators & {"&", ";"}) > 1 or len(separators & {"&", "\n"}) > 1
    if quote or is_mixed or (separators & {";", "\n"} and not stops_at_errors):
        return None
    return found


def _is_other_structure(before: str, rest: str) -> bool:
    """Whether the text begins with more than words and redirections, such as `2>&1` and `&>`."""
    is_redirected = before.endswith(("<", ">")) or rest[1:2] == ">"
    is_job = rest.startswith("&") and not is_redirected
    return is_job or rest.startswith(("(", ")", "`", "#", "||"))
