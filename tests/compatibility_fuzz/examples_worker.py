"""Run the examples on a server, under old and new code, and write a line of JSON for each."""

import itertools
import json
import random
import sys
import warnings
from collections.abc import Iterator
from typing import Any


def main(database: dict[str, Any], wanted: list[int]) -> None:
    warnings.simplefilter("ignore")
    from tests.compatibility_fuzz.django_setup import set_up

    set_up(database)
    from django.db import connection

    from tests.compatibility_fuzz.examples import EXAMPLES, POSTGRESQL

    engine = "postgresql" if connection.vendor == "postgresql" else "mariadb"
    with connection.cursor() as cursor:
        if engine == POSTGRESQL:
            cursor.execute("SELECT name FROM pg_available_extensions")
        has = {name for (name,) in cursor.fetchall()} if engine == POSTGRESQL else set()
    numbered = [(n, one) for n, one in enumerate(EXAMPLES) if one.engine == engine and n in wanted]
    for number, example in numbered:
        for one in example.operations:
            if type(one).__name__ == "CreateExtension" and one.name not in has:
                print(json.dumps({"example": number, "missing": one.name}), flush=True)
                wanted.remove(number)
    numbered = [one for one in numbered if one[0] in wanted]
    # Those with the same old models share them.
    own = [
        one
        for one in numbered
        if one[1].old or one[1].is_reversed or one[1].most_rows < 3 or engine != POSTGRESQL
    ]
    for group in ([one for one in numbered if one not in own], *([one] for one in own)):
        for line in lines_of(group):
            print(json.dumps(line, default=str), flush=True)


def lines_of(group: Any) -> Iterator[dict[str, Any]]:
    from django.db.migrations import CreateModel, DeleteModel
    from django.db.migrations.state import ProjectState

    from tests.compatibility_fuzz.examples import APP, MODELS, POSTGRESQL
    from tests.compatibility_fuzz.generate import in_order
    from tests.compatibility_fuzz.statements import first_rows, old_statements
    from tests.compatibility_fuzz.world import Case, World

    if not group:
        return
    first = group[0][1]
    setup = [*(MODELS if first.engine == POSTGRESQL else ()), *first.old]
    if first.is_reversed:
        gone = {one.name_lower for one in first.operations if isinstance(one, DeleteModel)}
        setup = [one for one in setup if one.name_lower not in gone]
        setup += [one for one in first.operations if not isinstance(one, DeleteModel)]
    steps = [(APP, one) for one in setup]
    state = ProjectState()
    for app, operation in steps:
        operation.state_forwards(app, state)
    rng = random.Random("examples")
    models = in_order([one for one in steps if isinstance(one[1], CreateModel)], state.apps)
    rows, names = first_rows(models, rng)
    rows = [one for one in rows if int(one.row[-1]) < first.most_rows]
    world = World(Case(tuple(steps), tuple(rows), tuple(old_statements(models, rng, names, 60))))
    with world.standing():
        for number, example in group:
            yield {"example": number, **found_of(example, world, models, names)}


def found_of(example: Any, world: Any, models: Any, rows: Any) -> dict[str, Any]:
    from django.db import connection

    from tests.compatibility_fuzz.examples import migration_of
    from tests.compatibility_fuzz.generate import depth, fields_of
    from tests.compatibility_fuzz.page import told
    from tests.compatibility_fuzz.statements import new_writes, statements_about
    from tests.compatibility_fuzz.verdicts import Claim, judge

    migration = migration_of(example)
    rng = random.Random("statements")
    changed = {name for one in migration.operations for name in fields_of(one)}
    more = statements_about(models, rng, rows, changed, 80)
    if example.fails:
        more.append(statement_of(example.fails))

    def writes(apps: Any) -> Any:
        new = sorted(apps.get_models(), key=lambda one: (depth(one, ()), one._meta.label_lower))
        found = new_writes(new, random.Random("writes"), rows)
        return [*found, statement_of(example.writes)] if example.writes else found

    plan = reversed_plan(example, world) if example.is_reversed else migration
    outcome = world.try_plan(plan, writes, more)
    whole = told(example, connection, world.tables)
    operations = tuple(tuple(map(str, one)) for one in whole["operations"])
    named = [s.lower() for one in whole["operations"] for s in [*one, *[[]] * 6][5]]
    claim = Claim(whole["class"], operations, frozenset(named))
    return {
        "class": claim.label,
        "operations": operations,
        "problem": outcome.problem,
        "verdict": judge(claim, outcome.symptoms),
        "verbs": sorted({one.verb for one in world.before}),
        "statements": outcome.compared,
        "broken": [[s.verb, s.table, s.error, s.text, s.statement, s.is_weak, claim.allows(s)]
            for s in outcome.symptoms],
    }  # fmt: skip


def statement_of(code: str) -> Any:
    from tests.compatibility_fuzz.statements import INSERT, SELECT, UPDATE, Statement

    if code.startswith("save_all("):
        name = code.removeprefix("save_all(").removesuffix(")")
        return Statement(UPDATE, f"crops.{name.lower()}", code)
    verbs = {"create": INSERT, "bulk_create": INSERT, "update": UPDATE}
    verb = next((verb for call, verb in verbs.items() if f".{call}(" in code), SELECT)
    model = f"crops.{code.partition('.')[0].lower()}"
    return Statement(verb, model, code, is_keyed="values_list(" in code)


def reversed_plan(example: Any, world: Any) -> Any:
    """The operations of the example backwards, as operations of Django's forwards."""
    from django.db.migrations.operations.base import Operation
    from django.db.migrations.state import ProjectState

    from tests.compatibility_fuzz.examples import APP, MODELS

    before = ProjectState()
    for one in itertools.chain(MODELS, example.old):
        one.state_forwards(APP, before)

    class Reversed(Operation):
        def __init__(self, operation: Any) -> None:
            self.operation = operation

        def state_forwards(self, app: str, state: Any) -> None:
            state.models = {key: one.clone() for key, one in before.models.items()}

        def database_forwards(self, app: str, editor: Any, old: Any, new: Any) -> None:
            self.operation.database_backwards(app, editor, old, new)

    (operation,) = example.operations
    return [(APP, Reversed(operation))]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), json.loads(sys.argv[2]))
