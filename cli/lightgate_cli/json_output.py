"""What a command prints with --json: one document on standard output, its answer or a `Failure`."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from lightgate.codec import encode
from lightgate.errors import RefusalCode
from lightgate_cli.errors import Problem
from lightgate_cli.next_command import with_options

_OPTION = "--json"
_KEY = "lightgate_cli.json_output"
# The fields of answers that name commands.
_TOLD = ("nextSteps", "fix", "commands")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a command prints in place of its answer if it fails. The exit code is not 0.

    `error` is the kind of the problem, and `refusal` that of a refusal, as docs/runbook.md has
    them. `reasons` are sentences for people, and `hint` is what to do.
    """

    schema_version: int = 1
    error: Problem
    refusal: RefusalCode | None = None
    reasons: Sequence[str]
    hint: str | None = None


def remember(words: Sequence[str]) -> None:
    """Whether the call has --json, also if the call itself turns out to be wrong.

    What follows `--` is not the call's own, such as the command of lightgate run.
    """
    own = words[: words.index("--")] if "--" in words else words
    click.get_current_context().meta[_KEY] = _OPTION in own


def print_json(document: object) -> None:
    """Bytes: JSON is UTF-8, whatever the encoding of the terminal is."""
    ready = _with_options(encode(document))
    click.echo(json.dumps(ready, indent=2, ensure_ascii=False).encode())


def _with_options(value: Any, *, is_told: bool = False) -> Any:  # noqa: ANN401 - it is JSON
    """The sentences that say what to do have the options of the user, as the text has them.

    Nothing else is changed, such as a line of a log that names a command.
    """
    if isinstance(value, dict):
        return {name: _with_options(each, is_told=name in _TOLD) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_options(each, is_told=is_told) for each in value]
    return with_options(value) if is_told and isinstance(value, str) else value


def print_failure(
    problem: Problem, *reasons: str, hint: str = "", refusal: RefusalCode | None = None
) -> None:
    """Nothing without --json. The messages on standard error are the caller's matter."""
    if not click.get_current_context().meta.get(_KEY):
        return
    failure = Failure(
        error=problem,
        refusal=refusal,
        reasons=[with_options(reason) for reason in reasons],
        hint=with_options(hint) or None,
    )
    # Standard output may be what has failed.
    with contextlib.suppress(OSError):
        print_json(failure)
