"""The page of the classifier's rules: ``python -m tests.compatibility_fuzz.page``.

It writes `docs/compatibility.md`: the class of each example, with the reason. With
``--check`` it writes nothing, and the exit code is 1 if the page is old. It is 1 as well if a rule
or a reason has no example.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from lightgate.gate.programs.django_helper.classes import worst
from lightgate.migrations import compatibility
from lightgate.migrations.compatibility import explain
from lightgate.migrations.plan import Operation
from lightgate.spec.effect import Effect
from tests.compatibility_fuzz.django_setup import set_up
from tests.compatibility_fuzz.examples import (
    APP,
    EXAMPLES,
    MARIADB,
    MODELS,
    POSTGRESQL,
    Example,
    migration_of,
)

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
WIDTH = 100
OWN = "tests.compatibility_fuzz.examples_own."
NOWHERE = {"HOST": "127.0.0.1", "NAME": "none", "OPTIONS": {}}
WORKS = "Old code reads and writes as before"

OPENING = """\
# Which migrations old code can work with

Lightgate gives each operation of a migration a class. The class says what the *old code*, the
version that is live before the release, can do once the migration is applied.
[lightgate check](check.md) reports the classes, and the [spec](spec.md) says after which of them
Lightgate rolls back automatically.

| Class | Meaning | Automatic rollback |
| --- | --- | --- |
| `compatible` | Old code reads and writes as before. | yes |
| `restricted` | Old code works, and only the named statements may fail. | yes, by default |
| `data` | The app's own code changes rows. | only if the spec allows it |
| `breaking` | Usual reads or writes of old code fail or go wrong. | only if the spec allows it |
| `unknown` | Lightgate cannot read it: anything may happen. | only if the spec allows it |

The class of a migration is that of its worst operation. Old code does not use a table that the same
plan creates, so a later change of that table cannot break it.

`make docs` generates this page: the class of each example is what the classifier says of it. A test
applies each example to a real PostgreSQL, and to MariaDB where the rule is another one there. It
compares what old code can do before and after, with SELECT, INSERT, UPDATE, DELETE and relations,
also after new code has written rows:

- After a `compatible` example nothing fails.
- After a `restricted` one only the named statements fail.
- After a `breaking` one something fails.
- **By choice** marks a rule that is more careful than its example needs.

## The old models

Each example changes these models. Some have more.
"""
LINTER = """\
## What django-migration-linter reports

| It reports | Example | Class |
| --- | --- | --- |
"""
UNPROVEN = """\
## Not judged

An operation that raises an error while Lightgate reads it is `unknown`, and the message has the
error. Lightgate still judges the operations after it.
"""


@cache
def connections() -> Any:
    """PostgreSQL and MariaDB, which nothing connects to."""
    set_up({"ENGINE": "django.db.backends.postgresql", **NOWHERE})
    import pymysql  # type: ignore[import-untyped]

    pymysql.version_info = (2, 2, 8, "final", 0)
    pymysql.install_as_MySQLdb()
    from django.db.utils import ConnectionHandler

    from lightgate.gate.programs.django_check import SERVERS

    found = ConnectionHandler(
        {
            "default": {"ENGINE": "django.db.backends.postgresql", **NOWHERE},
            MARIADB: {"ENGINE": "django.db.backends.mysql", **NOWHERE},
        }
    )
    for name, vendor in (("default", "postgresql"), (MARIADB, "mysql")):
        vars(found[name]).update(SERVERS[vendor][1])
    facts = found[MARIADB].mysql_server_data
    vars(found[MARIADB])["mysql_server_data"] = {**facts, "version": "10.11.6-MariaDB"}
    return {POSTGRESQL: found["default"], MARIADB: found[MARIADB]}


def told(example: Example, connection: Any, tables: Sequence[str] = ()) -> dict[str, Any]:
    """The description of the migration by the classifier, after its old models."""
    from django.db.migrations.state import ProjectState

    from lightgate.gate.programs.django_classifier.compatibility import Known
    from lightgate.gate.programs.django_classifier.operations import describe

    state = ProjectState()
    for one in (*(MODELS if example.engine == POSTGRESQL else ()), *example.old):
        one.state_forwards(APP, state)
    if example.is_reversed:
        for one in example.operations:
            one.state_forwards(APP, state)
    known = Known(connection, tables)
    return describe((migration_of(example), example.is_reversed), state, known)


def deciding(example: Example) -> Operation:
    """The operation that decides the class, as the plan of a release has it."""
    found = operations_of(example)
    label = worst(one.effect.value for one in found)
    return next(one for one in found if one.effect.value == label)


@cache
def operations_of(example: Example) -> list[Operation]:
    listed = told(example, connections()[example.engine])["operations"]
    found = []
    for label, kind, *more in listed:
        target, why, problem, statements = [*more, *[""] * (4 - len(more))]
        found.append(
            Operation(
                migration="",
                kind=kind,
                effect=Effect(label),
                target=target or None,
                detail=why or None,
                problem=problem or None,
                statements=statements or (),
                is_reversed=example.is_reversed,
            )
        )
    return found


def section(example: Example) -> str:
    if example.is_reversed:
        return "Reversed migrations"
    if "lightgate" in example.attributes:
        return "Declared classes"
    kinds = [type(one) for one in example.operations]
    if not kinds or not kinds[0].__module__.startswith("django."):
        return "What is not Django's own"
    kind = deciding(example).kind
    return kind if kind in {one.__name__ for one in kinds} else kinds[0].__name__


def text() -> str:
    sections: dict[str, list[int]] = {}
    for number, example in enumerate(EXAMPLES):
        sections.setdefault(section(example), []).append(number)
    lines = [OPENING, *code(MODELS)]
    for title, numbers in sections.items():
        lines += ["", f"## {title}", "", "| Example | Rule | Class | What may happen |"]
        lines += ["| ---: | --- | --- | --- |", *map(row, numbers)]
        for number in numbers:
            lines += ["", *shown(number)]
    lines += ["", LINTER.rstrip(), *linter_rows(), "", UNPROVEN.rstrip()]
    return formatted("\n".join(lines) + "\n")


def formatted(page: str) -> str:
    """The code of the page in the style of the project."""
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", str(PAGE)]
    ran = subprocess.run(command, input=page, capture_output=True, text=True, check=True)
    return ran.stdout


def row(number: int) -> str:
    example = EXAMPLES[number]
    found = deciding(example)
    why = WORKS if found.effect is Effect.COMPATIBLE else sentence(explain(found))
    choice = f" **By choice:** {example.careful}" if example.careful else ""
    on = " (MariaDB)" if example.engine == MARIADB else ""
    cells = [str(number + 1), sentence(example.condition) + on, f"`{found.effect.value}`"]
    return f"| {' | '.join([*cells, f'{why}.{choice}'])} |"


def sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def shown(number: int) -> Iterator[str]:
    example = EXAMPLES[number]
    yield f"Example {number + 1}:"
    yield ""
    values = [
        f"{key} = {f'{APP}.own.apply' if callable(value) else repr(value)}"
        for key, value in example.attributes.items()
    ]
    yield from code(example.operations, before=example.old, values=values)
    if example.fails:
        yield ""
        after = f", once new code has written `{example.writes}`" if example.writes else ""
        yield f"What fails{after}: `{example.fails}`"
    elif example.writes:
        yield ""
        yield f"New code may write: `{example.writes}`"


def code(
    operations: Sequence[Any], before: Sequence[Any] = (), values: Sequence[str] = ()
) -> list[str]:
    """The operations as a migration has them."""
    lines = ["```python"]
    if before:
        lines += ["# More old models:", *map(written, before), "# The migration:"]
    return [*lines, *values, *map(written, operations), "```"]


def written(operation: Any) -> str:
    """The operation in one line or, if that is too long, with a line for each part."""
    from django.db.migrations.writer import MigrationWriter, OperationWriter

    name, arguments, options = operation.deconstruct()
    parts = [MigrationWriter.serialize(one)[0] for one in arguments]
    parts += [f"{key}={MigrationWriter.serialize(one)[0]}" for key, one in options.items()]
    module = type(operation).__module__
    prefix = "" if module.startswith("django.contrib") else "migrations."
    prefix = f"{APP}.own." if module + "." == OWN else prefix
    line = f"{prefix}{name}({', '.join(parts)})"
    if len(line) > WIDTH or "\n" in line:
        line = OperationWriter(operation, indentation=0).serialize()[0].rstrip().rstrip(",")
    line = line.replace(OWN, f"{APP}.own.").replace("django.db.models.deletion.", "models.")
    return re.sub(r"django\.(?:contrib\.postgres|db\.models)\.[a-z_.]+\.(?=[A-Z])", "", line)


def linter_rows() -> Iterator[str]:
    for number, example in enumerate(EXAMPLES):
        if example.linter:
            yield f"| {example.linter} | {number + 1} | `{deciding(example).effect.value}` |"


# Reasons that no example can have.
EXEMPT: dict[tuple[str, str], str] = {}


def uncovered(examples: Sequence[Example]) -> list[str]:
    """The operations of Django and the reasons for a class that none of the examples has."""
    from django.contrib.postgres import operations as postgres
    from django.db.migrations import operations as django
    from django.db.migrations.operations.base import Operation as Base

    reasons: set[tuple[str, str]] = set()
    kinds: set[str] = set()
    for example in examples:
        kinds |= {type(one).__name__ for one in example.operations}
        reasons |= {reason_of(one) for one in operations_of(example)}
    names = {
        name
        for module in (django, postgres)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, Base) and kind is not Base
        and not name.endswith(("Extension", "CollationOperation"))
    } | {"CreateExtension"}  # fmt: skip
    wanted = {(table, key) for table in TABLES for key in getattr(compatibility, table)}
    missing = sorted(wanted - reasons - EXEMPT.keys())
    return [*sorted(names - kinds), *(f"{table}[{key!r}]" for table, key in missing)]


TABLES = ("_WHY", "_WHY_THAT", "_WHY_UNKNOWN", "_WHY_UNKNOWN_THAT", "_WHY_REVERSED")


def reason_of(operation: Operation) -> tuple[str, str]:
    """The table and the key of the sentence that `explain` takes for it."""
    detail = operation.detail or ""
    if operation.is_reversed:
        return "_WHY_REVERSED", operation.kind
    if operation.effect is Effect.RESTRICTED:
        return "_WHY_THAT", detail
    if operation.effect is Effect.BREAKING:
        return ("_WHY_THAT", detail) if detail else ("_WHY", operation.kind)
    if operation.effect is Effect.COMPATIBLE:
        return "", ""
    return ("_WHY_UNKNOWN_THAT", detail) if detail else ("_WHY_UNKNOWN", operation.kind)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.compatibility_fuzz.page")
    parser.add_argument("--check", action="store_true", help="only say whether the page is old")
    is_check = parser.parse_args().check
    connections()
    new = text()
    if not is_check:
        PAGE.write_text(new, "utf-8")
        return 0
    if missing := uncovered(EXAMPLES):
        print(f"No example has these rules: {', '.join(missing)}.", file=sys.stderr)
        return 1
    if PAGE.exists() and PAGE.read_text("utf-8") == new:
        return 0
    print(f"{PAGE} is old: run `make docs`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
