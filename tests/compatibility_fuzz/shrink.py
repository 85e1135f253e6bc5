"""Make a case that shows a miss smaller, as long as it shows the same miss."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection, migrations

from tests.compatibility_fuzz.statements import Statement
from tests.compatibility_fuzz.verdicts import MISS, Symptom, judge
from tests.compatibility_fuzz.world import Case, Outcome, SetupRefusedError, World


def outcome_of(case: Case) -> Outcome | None:
    """What the case shows, or None if its setup is refused."""
    try:
        world = World(case)
        with world.standing():
            return world.try_plan(case.plan, case.writes)
    except SetupRefusedError:
        return None


def shrunk(case: Case, symptom: Symptom, *, tries: int) -> tuple[Case, Outcome | None]:
    """The smallest case that was found in so many tries, and what it shows."""
    search = Search(case, symptom.kind, tries)
    statement = next((one for one in case.statements if is_call(one, symptom.statement)), None)
    if statement is not None:
        search.accepts(replace(case, statements=(statement,)))
    if search.outcome is None and not search.accepts(case):
        return case, None
    while search.tries > 0 and search.goes_on():
        pass
    return search.case, search.outcome


def is_call(statement: Statement, source: str) -> bool:
    """Whether the source is that of the statement, whose fields of today are not known here."""
    whole = statement.source()
    if statement.arguments is None:
        return whole == source
    return whole.partition("(")[0] == source.partition("(")[0] and all(
        f"{key}={value}" not in source or f"{key}={value}" in whole
        for key, value in statement.arguments.items()
    )


@dataclass
class Search:
    """The smallest case so far that shows a miss of this kind."""

    case: Case
    kind: str
    tries: int
    outcome: Outcome | None = None

    def accepts(self, candidate: Case) -> bool:
        """Take the candidate if it shows the miss."""
        if self.tries <= 0:
            return False
        self.tries -= 1
        try:
            found = outcome_of(candidate)
        except Exception:  # noqa: BLE001 - the smaller models are not valid
            return False
        if found is None or judge(found.claim, found.symptoms) != MISS:
            return False
        if all(one.kind != self.kind for one in found.symptoms):
            return False
        self.case, self.outcome = candidate, found
        return True

    def goes_on(self) -> bool:
        """Go once over all parts; whether one of them could be left out."""
        found = [self.drops(key) for key in ("plan", "setup", "writes", "rows")]
        found += [self.reduces_models(key) for key in ("plan", "setup")]
        found += [self.drops_arguments(key) for key in ("rows", "writes", "statements")]
        return any(found)

    def drops(self, key: str) -> bool:
        found = False
        items = getattr(self.case, key)
        if len(items) > 3:
            for half in (items[: len(items) // 2], items[len(items) // 2 :]):
                found = found or self.accepts(replace(self.case, **{key: half}))
        least = 1 if key in ("plan", "setup") else 0
        for number in reversed(range(len(getattr(self.case, key)))):
            items = getattr(self.case, key)
            if len(items) > least:
                less = items[:number] + items[number + 1 :]
                found = self.accepts(replace(self.case, **{key: less})) or found
        return found

    def reduces_models(self, key: str) -> bool:
        found = False
        for number in range(len(getattr(self.case, key))):
            is_smaller = True
            while is_smaller:
                is_smaller = False
                steps = getattr(self.case, key)
                app, operation = steps[number]
                if isinstance(operation, migrations.CreateModel):
                    is_smaller = any(
                        self.accepts(replace(self.case, **{key: put(steps, number, (app, less))}))
                        for less in smaller_models(operation)
                    )
                found = found or is_smaller
        return found

    def drops_arguments(self, key: str) -> bool:
        found = False
        for number in range(len(getattr(self.case, key))):
            for argument in list(getattr(self.case, key)[number].arguments or ()):
                items = getattr(self.case, key)
                less = put(items, number, items[number].without(argument))
                found = self.accepts(replace(self.case, **{key: less})) or found
        return found


def put(items: tuple[Any, ...], number: int, item: Any) -> tuple[Any, ...]:
    return (*items[:number], item, *items[number + 1 :])


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
