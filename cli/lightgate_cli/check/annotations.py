"""The result as workflow commands, which GitHub shows beside the lines of a pull request.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from collections.abc import Collection
from pathlib import Path

from lightgate.migrations.compatibility import reason_of
from lightgate.spec.effect import Effect, allows
from lightgate_cli.check.judged import Migration


def annotation(migration: Migration, allowed: Collection[Effect], top: Path | None) -> str | None:
    """An error if the class is not allowed, a warning if an allowed one is not compatible."""
    if migration.effect is Effect.COMPATIBLE:
        return None
    level = "warning" if allows(allowed, {migration.effect}) else "error"
    reasons = [reason_of(one) for one in migration.operations]
    text = "\n".join([*reasons, *([migration.declared] if migration.declared else [])])
    return _command(level, migration.file, migration.line, _title(migration), text, top)


def file_annotation(file: Path, title: str, text: str, top: Path | None) -> str:
    return _command("warning", file, 1, title, text, top)


def _title(migration: Migration) -> str:
    return f"{migration.name} is {migration.effect.value}"


def _command(level: str, file: Path, line: int, title: str, text: str, top: Path | None) -> str:
    properties = {"title": title}
    if top is not None and file.is_relative_to(top):
        properties = {"file": str(file.relative_to(top)), "line": str(line), **properties}
    shown = ",".join(f"{key}={_escaped_property(value)}" for key, value in properties.items())
    return f"::{level} {shown}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
