"""The simple commands of a script for the shell, each as its words."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence

# What a command substitution leaves in the words around it.
SUBSTITUTED = "SUBSTITUTED"
_OPERATORS = ";&|()\n"
_KEYWORDS = ("do", "done", "then", "fi", "if", "else", "while", "until", "{", "}", "!")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1(.*?\n)(.*?\n)?\s*\2$", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def syntax_error(script: str) -> str:
    """What Bash says about the script without running it, or nothing."""
    read = ["bash", "-n"]
    return subprocess.run(read, input=script, capture_output=True, text=True, check=False).stderr


def documents_of(script: str) -> list[str]:
    """What the script writes with here-documents."""
    return [found[4] or "" for found in _HEREDOC.finditer(script)]


def commands_of(script: str) -> Iterator[Sequence[str]]:
    """Every command that the script may run, also within `$(…)`."""
    script = _HEREDOC.sub(r"\3", script.replace("\\\n", " "))
    outside, inside = _substitutions(script)
    for text in inside:
        yield from commands_of(text)
    words: list[str] = []
    for token in [*_tokens(outside), "\n"]:
        if token and set(token) <= set(_OPERATORS):
            if command := _command(words):
                yield command
            words = []
        else:
            words.append(token)


def _substitutions(script: str) -> tuple[str, list[str]]:
    """The script without its `$(…)`, and what stands in them."""
    inside = []
    while (start := script.find("$(")) >= 0:
        depth = 0
        for end in range(start + 1, len(script)):
            depth += {"(": 1, ")": -1}.get(script[end], 0)
            if depth == 0:
                break
        inside.append(script[start + 2 : end])
        script = script[:start] + SUBSTITUTED + script[end + 1 :]
    return script, inside


def _tokens(script: str) -> Iterator[str]:
    comments = re.compile(r"(^|\s)#[^\n]*")
    lexer = shlex.shlex(comments.sub(r"\1", script), posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    return iter(lexer)


def _command(words: Sequence[str]) -> Sequence[str]:
    """The words of a command without keywords, assignments and redirections."""
    kept = [*words]
    while kept and (kept[0] in _KEYWORDS or _ASSIGNMENT.match(kept[0])):
        del kept[0]
    if kept and kept[0] in ("for", "[[", "case", "esac"):
        return []
    return [
        word
        for index, word in enumerate(kept)
        if not re.match(r"\d?[<>]", word)
        and not (index and re.fullmatch(r"\d?[<>]+", kept[index - 1]))
    ]
