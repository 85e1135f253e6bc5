"""Operations that people write by hand."""

import random
from collections.abc import Callable
from typing import Any

from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

from tests.compatibility_fuzz import own
from tests.compatibility_fuzz.changes import (
    WIDER,
    bare_clone,
    chosen_field,
    real_models,
    retyped,
    with_changed_option,
)
from tests.compatibility_fuzz.django_setup import Abilities
from tests.compatibility_fuzz.fields import random_field, random_relation
from tests.compatibility_fuzz.names import APPS, FIELDS
from tests.compatibility_fuzz.old_models import (
    Draft,
    Step,
    has_composite_key,
    is_unmanaged,
    taken_names,
)
from tests.compatibility_fuzz.options import columns_of, random_constraint, random_index

type Maker = Callable[[Draft], list[Step]]


def plan_by_hand(rng: random.Random, ab: Abilities, old: ProjectState) -> list[Step]:
    draft = Draft(rng, ab, bare_clone(old), count=200)
    steps: list[Step] = []
    makers = {**MAKERS, **(POSTGRESQL if ab.is_postgresql else {})}
    for _ in range(rng.choice((1, 1, 1, 2))):
        maker = rng.choice(list(makers))
        for step in makers[maker](draft):
            step[1].state_forwards(step[0], draft.state)
            steps.append(step)
    return steps


def table_of(model: Any) -> str:
    name = model.options.get("db_table") or f"{model.app_label}_{model.name.lower()}"
    return str(connection.ops.quote_name(name))


def noop(draft: Draft) -> list[Step]:
    return [("farm", migrations.RunPython(migrations.RunPython.noop))]


def run_python(draft: Draft) -> list[Step]:
    return [("farm", migrations.RunPython(draft.rng.choice((own.empty, own.fill))))]


def run_sql(draft: Draft) -> list[Step]:
    rng = draft.rng
    model = rng.choice(real_models(draft))
    table = table_of(model)
    quote = connection.ops.quote_name
    columns = list(columns_of(model.fields).items())
    some = ["SELECT 1", "", f"UPDATE {table} SET {{0}} = {{0}}"]
    some += [f"ALTER TABLE {table} ADD COLUMN extra integer", f"DELETE FROM {table}"]
    some += [f"ALTER TABLE {table} ADD COLUMN must integer NOT NULL"]
    if columns:
        some += [
            f"ALTER TABLE {table} DROP COLUMN {{0}}",
            f"CREATE INDEX by_hand ON {table} ({{0}})",
        ]
    name, field = rng.choice(columns) if columns else ("id", None)
    column = getattr(field, "db_column", None) or (
        f"{name}_id" if field and field.remote_field else name
    )
    statement = rng.choice(some).replace("{0}", quote(column))
    return [(model.app_label, migrations.RunSQL(statement or migrations.RunSQL.noop))]


def same_table(draft: Draft) -> list[Step]:
    model = draft.rng.choice(real_models(draft))
    name = draft.rng.choice((
        model.options.get("db_table"), f"{model.app_label}_{model.name.lower()}"
    ))  # fmt: skip
    return [(model.app_label, migrations.AlterModelTable(model.name, name))]


def rename_with_table(draft: Draft) -> list[Step]:
    rng = draft.rng
    found = [m for m in real_models(draft) if (m.app_label, m.name) != ("farm", "Apple")]
    if not found:
        return []
    model = rng.choice(found)
    name = draft.fresh_name(model.app_label)
    if not name:
        return []
    steps: list[Step] = []
    if not model.options.get("db_table"):
        table = f"{model.app_label}_{model.name.lower()}"
        steps.append((model.app_label, migrations.AlterModelTable(model.name, table)))
    return [*steps, (model.app_label, migrations.RenameModel(model.name, name))]


def declare_again(draft: Draft) -> list[Step]:
    found = chosen_field(draft)
    if not found:
        return []
    model, name, field = found
    if draft.rng.random() < 0.3:
        return [(model.app_label, migrations.AlterField(model.name, name, field.clone()))]
    if field.many_to_many:
        _, _, arguments, options = field.deconstruct()
        options["related_name"] = f"again_{draft.rng.randrange(999)}"
        again = type(field)(*arguments, **options)
    elif draft.rng.random() < 0.4 and type(field).__name__ in WIDER:
        again = retyped(draft.rng, draft.ab, field)
    else:
        again = with_changed_option(draft, field)
    return [(model.app_label, migrations.AlterField(model.name, name, again))]


def add_index_together(draft: Draft) -> list[Step]:
    model = draft.rng.choice(real_models(draft))
    names = sorted(columns_of(model.fields))
    if len(names) < 2 or draft.ab.version >= (5, 1):
        return []
    pair = {tuple(draft.rng.sample(names, 2))}
    return [(model.app_label, migrations.AlterIndexTogether(model.name, pair))]


def child_without_link(draft: Draft) -> list[Step]:
    """A child of multi-table inheritance, whose link is left to Django."""
    rng = draft.rng
    app = rng.choice(APPS)
    name = draft.fresh_name(app)
    parents = [m for m in real_models(draft) if not has_composite_key(m) and not is_unmanaged(m)]
    if not name or not parents:
        return []
    parent = rng.choice(parents)
    bases = (f"{parent.app_label}.{parent.name}".lower(),)
    fields: list[Any] = [("extra_words", models.TextField(null=True))]
    return [(app, migrations.CreateModel(name, fields, bases=bases))]


def child_of_abstract(draft: Draft) -> list[Step]:
    """A model of an abstract base, whose fields are not among those of the operation."""
    app = draft.rng.choice(APPS)
    name = draft.fresh_name(app)
    if not name:
        return []
    base = draft.rng.choice((own.Owned, own.Owned, own.Dated, own.Sized))
    fields = [("id", models.BigAutoField(primary_key=True))]
    return [(app, migrations.CreateModel(name, fields, bases=(base,)))]


def separate(draft: Draft) -> list[Step]:
    rng = draft.rng
    maker = rng.choice((add_one_field, add_one_index, declare_again, remove_one_field))
    found = maker(draft)
    if not found:
        return []
    app, operation = found[0]
    state = [] if rng.random() < 0.15 else [operation]
    database = [] if rng.random() < 0.3 else [operation]
    return [(app, migrations.SeparateDatabaseAndState(database, state))]


def add_one_field(draft: Draft, cls: Any = migrations.AddField) -> list[Step]:
    rng = draft.rng
    model = rng.choice(real_models(draft))
    free = [one for one in FIELDS if one not in taken_names(draft.state, model)]
    if not free:
        return []
    field = random_field(rng, draft.ab, draft.targets(), is_new=True)
    if isinstance(field, own.Below):
        return []
    return [(model.app_label, cls(model.name, rng.choice(free), field))]


def add_field_of_subclass(draft: Draft) -> list[Step]:
    return add_one_field(draft, own.AddNothing)


def add_and_drop_default(draft: Draft) -> list[Step]:
    """A column that must have a value, with `preserve_default`."""
    model = draft.rng.choice(real_models(draft))
    free = [one for one in FIELDS if one not in taken_names(draft.state, model)]
    if not free:
        return []
    field = models.IntegerField(default=draft.rng.choice((0, 1)))
    operation = migrations.AddField(model.name, free[0], field, preserve_default=False)
    return [(model.app_label, operation)]


def remove_one_field(draft: Draft) -> list[Step]:
    found = chosen_field(draft, lambda one: not one.primary_key)
    if not found or found[1] in repr(found[0].options):
        return []
    return [(found[0].app_label, migrations.RemoveField(found[0].name, found[1]))]


def drop_and_add(draft: Draft) -> list[Step]:
    """A column that is replaced by another one of the same name."""
    found = remove_one_field(draft)
    if not found:
        return []
    app, operation = found[0]
    field = draft.state.models[app, operation.model_name_lower].fields[operation.name]
    if field.many_to_many:
        return []
    return [*found, (app, migrations.AddField(operation.model_name, operation.name, field.clone()))]


def add_one_index(draft: Draft) -> list[Step]:
    model = draft.rng.choice(real_models(draft))
    index = random_index(draft.rng, draft.ab, model.fields, f"hand_{draft.number()}")
    return [(model.app_label, migrations.AddIndex(model.name, index))] if index else []


def rename_index(draft: Draft) -> list[Step]:
    found = [(m, i) for m in real_models(draft) for i in m.options.get("indexes", [])]
    if not found:
        return []
    model, index = draft.rng.choice(found)
    operation = migrations.RenameIndex(model.name, new_name="renamed", old_name=index.name)
    return [(model.app_label, operation)]


def manager(draft: Draft) -> list[Step]:
    model = draft.rng.choice(list(draft.state.models.values()))
    return [(model.app_label, migrations.AlterModelManagers(model.name, []))]


def links_to_new_and_old(draft: Draft) -> list[Step]:
    """A new model, and an old one that gets a relation to it."""
    rng = draft.rng
    app = rng.choice(APPS)
    name = draft.fresh_name(app)
    olds = [m for m in real_models(draft) if not has_composite_key(m)]
    if not name or not olds:
        return []
    old = rng.choice(olds)
    fields: list[Any] = [("id", models.BigAutoField(primary_key=True))]
    free = [one for one in FIELDS if one not in taken_names(draft.state, old)]
    if rng.random() < 0.5:
        label = f"{old.app_label}.{old.name}"
        fields.append(("it", random_relation(rng, draft.ab, [label], is_new=True)))
    steps: list[Step] = [(app, migrations.CreateModel(name, fields))]
    if free and rng.random() < 0.7:
        link = random_relation(rng, draft.ab, [f"{app}.{name}"], is_new=True)
        steps.append((old.app_label, migrations.AddField(old.name, free[0], link)))
    return steps


def index_concurrently(draft: Draft) -> list[Step]:
    from django.contrib.postgres.operations import AddIndexConcurrently

    found = add_one_index(draft)
    if not found:
        return []
    app, operation = found[0]
    return [(app, AddIndexConcurrently(operation.model_name, operation.index))]


def extension(draft: Draft) -> list[Step]:
    from django.contrib.postgres.operations import CreateExtension

    known = ("intarray", "unaccent", "citext", "ltree", "cube", "pgcrypto", "tablefunc", "seg")
    # `intarray` has operators of its own for arrays of integers.
    found = [one for one in (*known, *["intarray"] * 9) if one in draft.ab.installable]
    return [("farm", CreateExtension(draft.rng.choice(found)))] if found else []


def not_valid(draft: Draft) -> list[Step]:
    from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint

    model = draft.rng.choice(real_models(draft))
    found = random_constraint(draft.rng, draft.ab, model.fields, f"hand_{draft.number()}")
    if type(found).__name__ != "CheckConstraint":
        return []
    steps: list[Step] = [(model.app_label, AddConstraintNotValid(model.name, found))]
    if draft.rng.random() < 0.5:
        steps.append((model.app_label, ValidateConstraint(model.name, found.name)))
    return steps


def collation(draft: Draft) -> list[Step]:
    from django.contrib.postgres.operations import CreateCollation

    return [("farm", CreateCollation("by_hand", locale="C", provider="libc"))]


MAKERS: dict[str, Maker] = {
    one.__name__: one
    for one in (
        noop, run_python, run_sql, same_table, rename_with_table, declare_again, declare_again,
        add_index_together, child_without_link, child_of_abstract, separate, add_one_field,
        add_field_of_subclass, add_and_drop_default, drop_and_add, add_one_index, rename_index,
        manager, links_to_new_and_old,
    )
}  # fmt: skip
POSTGRESQL: dict[str, Maker] = {
    one.__name__: one for one in (index_concurrently, extension, not_valid, collation)
}
