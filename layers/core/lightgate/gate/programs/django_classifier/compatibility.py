"""What each operation of a migration means for the release that still serves."""

# ruff: noqa: ANN401, SIM905 - Django has no types; a split text is shorter than a list

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Iterator

from django.db.migrations import RunPython  # type: ignore[import-untyped]

from lightgate.gate.programs.django_classifier.columns import PLAIN, bound, differences
from lightgate.gate.programs.django_classifier.defaults import has_default, is_filled, takes_default
from lightgate.gate.programs.django_classifier.indexes import (
    LONGEST_KEY,
    find_field,
    find_index_hazard,
    key_length,
)
from lightgate.gate.programs.django_classifier.relations import (
    BREAKS,
    RESTRICTED,
    column_of,
    concrete,
    fields_of,
    has_no_table,
    held,
    is_ambiguous,
    is_joined,
    is_one_column,
    keeping,
    on,
    parents,
    table_name,
    table_of,
)
from lightgate.gate.programs.django_classifier.uniques import (
    columns_of,
    is_plain,
    subjects,
    uniques,
)
from lightgate.gate.programs.django_helper.classes import ORDER

if TYPE_CHECKING:
    from lightgate.gate.programs.django_classifier.relations import Finding

# `compatible`: the release that still serves can go on reading and writing. `restricted`: it works
# but for the statements that are named. `data`: rows change. `breaking`: its usual reads or writes
# fail, or rely on what the database promises no more. `unknown` is never taken for safe.
# Only Django's own operations are known. A subclass may do anything.
DJANGOS = ("django.db.migrations.operations.", "django.contrib.postgres.operations")
SILENT = (
    "RenameIndex AlterModelOptions AlterModelManagers AlterModelTableComment AlterConstraint "
    "ValidateConstraint CreateCollation"
).split()
# They add types, functions and operators of their own, and change no others.
EXTENSIONS = (
    "bloom btree_gin btree_gist citext cube fuzzystrmatch hstore ltree pg_trgm pgcrypto unaccent "
    "uuid-ossp"
).split()


# Django renames the row of a renamed model in its table.
CONTENT_TYPE = ("contenttypes", "contenttype")


class Known:
    """What there is before the plan, and `created`: the models whose tables old code cannot know.

    `declared` is what the spec says of migrations that cannot be read. `is_atomic` says whether the
    migration that is read is one transaction.

    An unmanaged model, or one whose table exists already, is not among them.
    """

    is_atomic = False

    def __init__(
        self,
        connection: Any,
        tables: Iterable[str] = (),
        extensions: Iterable[str] = (),
        declared: dict[str, str] | None = None,
    ) -> None:
        self.declared = declared or {}
        self.connection, self.extensions = connection, set(extensions)
        self.tables = {name.lower() for name in tables}
        self.created: set[Any] = set()
        self.stated: set[Any] = set()  # the columns that the plan has changed for Django alone
        self.domains: set[str] = set()  # types that may have a default, a check and NOT NULL
        # The rows and bytes of large tables, as the server estimates them.
        self.large: dict[str, tuple[int, int]] = {}
        self.uniques: dict[Any, Any] = {}  # of each model, before the plan names it first


def classify(operation: Any, app: str, state: Any, known: Known, /) -> Finding:
    """Its class, what decides it where its name does not say so, and the statements named by it.

    Each statement is `DELETE table`, or another of the four.
    """
    found = [(ORDER[0], "", []), *findings(operation, app, state, known)]
    known.stated |= altered(operation, "state_operations") - altered(
        operation, "database_operations"
    )
    label, why, _ = max(found, key=lambda one: ORDER.index(one[0]))
    return label, why, sorted({s for one in found for s in one[2]}) if label == RESTRICTED else []


def findings(operation: Any, app: str, state: Any, known: Known, /) -> Iterator[Finding]:
    """All that it may mean for old code."""
    kind = type(operation)
    name = kind.__name__ if kind.__module__.startswith(DJANGOS) else ""
    model, *_ = named = subjects(operation, app)
    for one in named:
        if one in state.models:
            known.uniques.setdefault(one, uniques(state.models[one]))
    options = state.models[model].options if model in state.models else {}
    for inner in getattr(operation, "state_operations", ()):
        if type(inner).__name__ in ("CreateModel", "DeleteModel", "RenameModel"):
            known.created.difference_update(subjects(inner, app))
    if name == "RenameModel" and CONTENT_TYPE in state.models and model not in known.created:
        yield "data", "contenttypes", []
    if name == "SeparateDatabaseAndState":
        created, known.created = known.created, set(known.created)
        for inner, then in inner_steps(operation, app, state):
            yield from findings(inner, app, then, known)
        known.created = created
    elif name == "RunPython":
        if operation.code is not RunPython.noop:
            yield "data", "", []
    elif not name or (name == "RunSQL" and operation.sql != operation.noop):
        yield "unknown", "", []
    elif name.endswith("Concurrently") and known.is_atomic:
        yield "unknown", "atomic", []
    elif name.endswith("Extension"):
        if operation.name not in (*EXTENSIONS, *known.extensions):
            yield "unknown", "extension", []
    elif name == "CreateModel":
        yield from create(operation, model, state, known)
    elif name == "RemoveCollation":
        yield BREAKS
    elif name in SILENT or name == "RunSQL" or has_no_table(options, model):
        return
    elif model in known.created:
        if name in ("RenameModel", "DeleteModel"):
            known.created.discard(model)  # another table may get the name
        if name == "RenameModel":
            known.created.add((app, operation.new_name.lower()))
        yield from held(getattr(operation, "field", None), model, state, known.created)
    elif judge := JUDGES.get(name.replace("Concurrently", "")):
        yield from judge(operation, model, state, known)
    elif not is_same(name, operation, model, state, known):
        yield BREAKS


def altered(operation: Any, which: str, /) -> set[Any]:
    """The columns that these inner operations change."""
    return {
        (one.model_name_lower, one.name)
        for one in getattr(operation, which, ())
        if type(one).__name__ == "AlterField"
    }


def inner_steps(operation: Any, app: str, state: Any, /) -> Iterator[tuple[Any, Any]]:
    """The operations on the database of a SeparateDatabaseAndState, and the state before each."""
    state = state.clone()
    for inner in operation.database_operations:
        yield inner, state
        inner.state_forwards(app, state)


def create(operation: Any, model: Any, state: Any, known: Known, /) -> Iterator[Finding]:
    known.created.discard(model)
    options = operation.options
    table = table_name(options, model).lower()
    if (
        has_no_table(options, model)
        # The database refuses it, or somebody else has made it.
        or (table in known.tables or '"' in table or len(table) >= 60)
    ):
        return
    known.created.add(model)
    for _, field in fields_of(operation):
        yield from held(field, model, state, known.created)
    for parent in {concrete(one, state) for one in parents(operation, model)} - known.created:
        yield keeping(parent, state)


def add_field(operation: Any, model: Any, state: Any, known: Known, /) -> Iterator[Finding]:
    field, name = operation.field, operation.name
    yield from held(field, model, state, known.created)
    if field.many_to_many:
        return
    if getattr(field, "generated", False):
        yield BREAKS[0], "GeneratedField", []
    elif has_default(field) and (
        not takes_default(field)
        or field.unique
        # The default may be too long for the new index.
        or (field.db_index and key_length(field, known.connection) > LONGEST_KEY)
    ):
        yield BREAKS[0], "db_default", []
    elif not (field.null or is_filled(field)) or field.primary_key:
        yield BREAKS
    if not field.remote_field:
        made = bound(name, field)
        one = made.db_parameters(known.connection)
        if one["type"] is None:
            return
        is_own = not (is_django(field, "db_check") and is_django(field, "db_parameters"))
        if one["check"] and is_own:
            yield BREAKS[0], "check", []
        is_plain_type = PLAIN.fullmatch(one["type"]) and one["type"].lower() not in known.domains
        if not is_plain_type or made.db_type_suffix(known.connection):
            yield "unknown", "type", []
    if is_ambiguous(column_of(name, field), model, state, known.created):
        yield RESTRICTED, "ambiguous", on(table_of(model, state), "SELECT")


def is_django(field: Any, method: str, /) -> bool:
    """Whether the method of the field is one of Django's."""
    owner = next(one for one in type(field).__mro__ if method in one.__dict__)
    return owner.__module__.startswith("django.")


def alter_field(operation: Any, model: Any, state: Any, known: Known, /) -> Iterator[Finding]:
    name, old = operation.name, state.models[model].fields[operation.name]
    if (model[1], name) in known.stated:
        yield "unknown", "state", []
    yield from differences(name, old, operation.field, model, state, known.connection)


def alter_index_together(
    operation: Any, model: Any, state: Any, known: Known, /
) -> Iterator[Finding]:
    added, removed = sets(operation, model, state)
    for names in added:
        yield from long_keys(names, model, state, known)
    if removed:
        yield RESTRICTED, "slow", on(table_of(model, state), "SELECT")


def long_keys(names: Any, model: Any, state: Any, known: Known, /) -> Iterator[Finding]:
    """What the database refuses because an index on these fields holds no longer values."""
    found = (find_field(name, state.models[model].fields) for name in names)
    if sum(key_length(field, known.connection) for field in found) > LONGEST_KEY:
        yield RESTRICTED, "unbounded", on(table_of(model, state), "INSERT", "UPDATE")


def alter_unique_together(
    operation: Any, model: Any, state: Any, known: Known, /
) -> Iterator[Finding]:
    added, removed = sets(operation, model, state)
    for names in added:
        yield from refusals(names, (), model, state, known)
    if removed:
        yield RESTRICTED, "unique", on(table_of(model, state), "INSERT", "SELECT")


def sets(operation: Any, model: Any, state: Any, /) -> tuple[set[Any], set[Any]]:
    """The sets of fields that the option gets, and those that it loses."""
    now = set(map(tuple, operation.option_value or ()))
    was = set(map(tuple, state.models[model].options.get(operation.option_name) or ()))
    return now - was, was - now


def add_index(operation: Any, model: Any, state: Any, known: Known, /) -> Iterator[Finding]:
    if not type(operation.index).__module__.startswith("django."):
        yield "unknown", "index", []
        return
    why = find_index_hazard(operation.index, state.models[model].fields, known.connection)
    if why:
        yield RESTRICTED, why, on(table_of(model, state), "INSERT", "UPDATE")


def remove_index(_: Any, model: Any, state: Any, __: Known, /) -> Iterator[Finding]:
    yield RESTRICTED, "slow", on(table_of(model, state), "SELECT")


def add_constraint(operation: Any, model: Any, state: Any, known: Known, /) -> Iterator[Finding]:
    rule = operation.constraint
    # With a deferrable rule, PostgreSQL takes no INSERT with ON CONFLICT without a target.
    if is_plain(rule, "include"):
        yield from refusals(rule.fields, rule.include, model, state, known)
    else:
        yield BREAKS


def refusals(
    names: Any, include: Any, model: Any, state: Any, known: Known, /
) -> Iterator[Finding]:
    """The rows that the database refuses once these fields are unique, and took before."""
    columns = columns_of(names, state.models[model].fields)
    if not any(one <= columns for one in known.uniques[model]):
        yield BREAKS
    yield from long_keys([*names, *include], model, state, known)


def remove_constraint(operation: Any, model: Any, state: Any, _: Known, /) -> Iterator[Finding]:
    constraints = state.models[model].options.get("constraints", [])
    names = {one.name: type(one).__name__ for one in constraints}
    kind, table = names.get(operation.name), table_of(model, state)
    if kind in ("CheckConstraint", "ExclusionConstraint"):
        yield RESTRICTED, "free", on(table, "SELECT")
    elif kind == "UniqueConstraint":
        yield RESTRICTED, "unique", on(table, "INSERT", "SELECT")
    else:
        yield BREAKS


JUDGES: dict[str, Any] = {
    "AddField": add_field,
    "AlterField": alter_field,
    "AlterIndexTogether": alter_index_together,
    "AlterUniqueTogether": alter_unique_together,
    "AddConstraint": add_constraint,
    "AddIndex": add_index,
    "RemoveIndex": remove_index,
    "RemoveConstraint": remove_constraint,
}


def is_same(name: str, operation: Any, model: Any, state: Any, known: Known, /) -> bool:
    """Whether it changes nothing that old code knows; otherwise it breaks old code."""
    found = state.models[model]
    get = found.options.get
    if name == "RenameModel":
        return get("db_table") and not is_joined(model, state)
    if name == "AlterModelTable":
        return table_name({"db_table": operation.table}, model) == table_of(model, state)
    if name == "AlterOrderWithRespectTo":
        return bool(operation.order_with_respect_to) == bool(get("order_with_respect_to"))
    old = str(getattr(operation, "old_name", None) or getattr(operation, "name", ""))
    field = found.fields.get(old)
    if name not in ("RenameField", "RemoveField") or not field:
        return False
    new = getattr(operation, "new_name", "")
    if field.many_to_many:
        return bool(field.remote_field.through or (new and field.db_table))
    if new:
        return is_one_column(column_of(old, field), column_of(new, field), known.connection)
    return not (field.remote_field or bound(old, field).db_parameters(known.connection)["type"])
