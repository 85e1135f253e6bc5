"""Short names for what a plan does, so that cases of one kind are counted together."""

from collections.abc import Sequence
from typing import Any

from django.db.migrations.state import ProjectState

from tests.compatibility_fuzz.old_models import Step

_UNSEEN = ("verbose_name", "help_text", "blank", "related_name")


def kinds_of_plan(plan: Sequence[Step], old: ProjectState) -> list[str]:
    """A name for each operation. `old` is changed."""
    found = []
    for app, operation in plan:
        found.append(kind_of(operation, app, old))
        operation.state_forwards(app, old)
    return found


def kind_of(operation: Any, app: str, state: ProjectState) -> str:
    name = type(operation).__name__
    if name == "AlterField":
        old = state.models[app, operation.model_name_lower].fields[operation.name]
        return f"{name}({change_of(old, operation.field)})"
    if name in ("AddField", "AddNothing"):
        return f"{name}({field_kind(operation.field)})"
    if name == "RemoveField":
        old = state.models[app, operation.model_name_lower].fields[operation.name]
        return f"{name}({type(old).__name__})"
    if name == "CreateModel":
        return f"{name}({model_kind(operation)})"
    if name in ("AddIndex", "AddIndexConcurrently"):
        model = state.models[app, operation.model_name_lower]
        return f"{name}({index_kind(operation.index, model)})"
    if name in ("AddConstraint", "AddConstraintNotValid"):
        return f"{name}({type(operation.constraint).__name__})"
    if name == "CreateExtension":
        return f"{name}({operation.name})"
    if name == "AlterModelOptions":
        return f"{name}({', '.join(sorted(operation.options))})"
    if name == "RunPython":
        return f"{name}({operation.code.__name__})"
    if name == "RunSQL":
        return f"{name}({' '.join(str(operation.sql).split()[:2])})"
    if name == "SeparateDatabaseAndState":
        inner = [kind_of(one, app, state) for one in operation.database_operations]
        return f"{name}({', '.join(inner) or 'nothing'})"
    if name == "AlterModelTable":
        model = state.models[app, operation.name_lower]
        old = model.options.get("db_table") or f"{app}_{operation.name_lower}"
        new = operation.table or f"{app}_{operation.name_lower}"
        return f"{name}({'the same' if old == new else 'another'})"
    return name


def field_kind(field: Any) -> str:
    words = [type(field).__name__]
    if type(field).__name__ == "DecimalField" and not field.max_digits:
        words.append("without digits")
    for key in ("null", "unique"):
        if getattr(field, key, False) and not (key == "unique" and field.one_to_one):
            words.append(key)
    if field.db_index and not field.remote_field:
        words.append("db_index")
    options = field.deconstruct()[3]
    if "db_default" in options:
        words.append("db_default")
    if field.remote_field and options.get("db_constraint") is False:
        words.append("without constraint")
    return " ".join(words)


def change_of(old: Any, new: Any) -> str:
    kinds = (type(old).__name__, type(new).__name__)
    words = [kinds[0] if kinds[0] == kinds[1] else "→".join(kinds)]
    was, now = old.deconstruct()[3], new.deconstruct()[3]
    for key in sorted({*was, *now}):
        if repr(was.get(key)) == repr(now.get(key)) or (key in _UNSEEN and kinds[0] != kinds[1]):
            continue
        change = key
        if key in ("null", "unique", "db_index", "db_constraint"):
            change = f"{key}={now.get(key, key in ('db_constraint',))}"
        elif key in ("max_length", "max_digits") and was.get(key) and now.get(key):
            change = f"{'wider' if now[key] > was[key] else 'narrower'} {key}"
        words.append(change)
    return " ".join(words) if len(words) > 1 or kinds[0] != kinds[1] else f"{words[0]} again"


def model_kind(operation: Any) -> str:
    words = []
    if operation.options.get("proxy"):
        return "proxy"
    if operation.options.get("managed") is False:
        words.append("unmanaged")
    for base in operation.bases:
        if isinstance(base, str):
            words.append("child")
        elif base.__name__ != "Model":
            words.append(f"of abstract {base.__name__}")
    words += sorted({
        type(one).__name__ for _, one in operation.fields if one.remote_field
        and not getattr(one.remote_field, "parent_link", False)
    })  # fmt: skip
    return " ".join(words) or "plain"


def index_kind(index: Any, model: Any) -> str:
    words = [type(index).__name__]
    if index.expressions:
        words.append("expression")
    if index.condition:
        words.append("condition")
    for name in sorted({one.lstrip("-") for one in [*index.fields, *index.include]}):
        field = model.fields.get(name)
        words.append(type(field).__name__ if field else name)
        if words[-1] == "DecimalField" and not field.max_digits:
            words[-1] += " without digits"
    if index.include:
        words.append("include")
    return " ".join(words)
