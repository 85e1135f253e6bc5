"""Make a case that shows a miss smaller, as long as it shows the same miss."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.db import connection, migrations

from tests.compatibility_fuzz.verdicts import MISS, Symptom, judge
from tests.compatibility_fuzz.world import Case, Outcome, SetupRefusedError, World

LONGEST = 20.0  # seconds


def outcome_of(case: Case) -> Outcome | None:
    """What the case shows, or None if its setup is refused."""
    try:
        world = World(case)
        with world.standing():
            return world.try_plan(case.plan, case.writes)
    except SetupRefusedError:
        return None


def shrunk(
    case: Case, symptom: Symptom, *, seconds: float = LONGEST
) -> tuple[Case, Outcome | None]:
    """The smallest case that was found, and what it shows."""
    end = time.monotonic() + seconds

    def shows(candidate: Case) -> Outcome | None:
        try:
            found = outcome_of(candidate)
        except Exception:  # noqa: BLE001 - the smaller models are not valid
            return None
        if found is None or judge(found.claim, found.symptoms) != MISS:
            return None
        return found if any(one.kind == symptom.kind for one in found.symptoms) else None

    statement = next(
        (
            one
            for one in case.statements
            if one.source() == symptom.statement or same_call(one.source(), symptom.statement)
        ),
        None,
    )
    if statement is not None:
        alone = replace(case, statements=(statement,))
        if shows(alone):
            case = alone
    kept = shows(case)
    is_smaller = True
    while is_smaller and kept:
        is_smaller = False
        for candidate in smaller(case):
            if time.monotonic() > end:
                return case, kept
            if found := shows(candidate):
                case, kept, is_smaller = candidate, found, True
                break
    return case, kept


def same_call(one: str, two: str) -> bool:
    return one.partition("(")[0] == two.partition("(")[0] and set(two) <= set(one)


def smaller(case: Case) -> Iterator[Case]:
    """The case with one thing less, the largest things first."""
    for key in ("plan", "setup", "writes", "rows"):
        items = getattr(case, key)
        if len(items) > 3:
            yield replace(case, **{key: items[: len(items) // 2]})
            yield replace(case, **{key: items[len(items) // 2 :]})
        for number in reversed(range(len(items))):
            if len(items) > 1 or key not in ("plan", "setup"):
                yield replace(case, **{key: items[:number] + items[number + 1 :]})
    for key in ("plan", "setup"):
        steps = getattr(case, key)
        for number, (app, operation) in enumerate(steps):
            if isinstance(operation, migrations.CreateModel):
                for less in smaller_models(operation):
                    changed = (*steps[:number], (app, less), *steps[number + 1 :])
                    yield replace(case, **{key: changed})
    for key in ("rows", "writes", "statements"):
        statements = getattr(case, key)
        for number, one in enumerate(statements):
            for argument in one.arguments or ():
                less = one.without(argument)
                yield replace(
                    case, **{key: (*statements[:number], less, *statements[number + 1 :])}
                )


def smaller_models(operation: Any) -> Iterator[Any]:
    for name, _ in operation.fields:
        fields = [(n, f) for n, f in operation.fields if n != name]
        yield migrations.CreateModel(operation.name, fields, operation.options, operation.bases)
    for option in operation.options:
        if option not in ("proxy", "managed"):
            options = {k: v for k, v in operation.options.items() if k != option}
            yield migrations.CreateModel(operation.name, operation.fields, options, operation.bases)


def source_of(case: Case, outcome: Outcome, about: str) -> str:
    """The case as Python: its models, rows, plan, and the statement that fails."""
    from django.db.migrations.writer import OperationWriter

    imports: set[str] = {"from django.db import migrations, models"}

    def written(steps: Any) -> str:
        lines = []
        for app, operation in steps:
            text, needed = OperationWriter(operation, indentation=2).serialize()
            imports.update(
                needed - {"from django.db import migrations", "from django.db import models"}
            )
            lines.append(f"    ({app!r},\n{text.rstrip().removesuffix(',')}),\n")
        return "[\n" + "".join(lines) + "]"

    try:
        setup, plan = written(case.setup), written(case.plan)
    except ValueError as error:  # Django cannot write some value
        setup, plan = repr(case.setup), f"{case.plan!r}  # {error}"

    def listed(statements: Any) -> str:
        lines = [f"    {f'{one.row} = ' if one.row else ''}{one.source()}" for one in statements]
        return "\n".join(lines) or "    (none)"

    symptom = outcome.symptoms[0]
    return "\n".join([
        f"# {about}",
        f"# On {connection.vendor}. The classes of the operations: "
        + "; ".join(" ".join(one) for one in outcome.claim.operations),
        *sorted(imports),
        f"old = {setup}",
        f"plan = {plan}",
        "# Rows of old code:",
        *(f"# {line}" for line in listed(case.rows).splitlines()),
        "# Written by new code after the plan:",
        *(f"# {line}" for line in listed(case.writes).splitlines()),
        "# Old code could do this before the plan, and cannot after it"
        + (" (once new code has written):" if symptom.needs_new_rows else ":"),
        f"#     {symptom.statement}",
        f"# {symptom.error}: {symptom.text}",
    ])  # fmt: skip
