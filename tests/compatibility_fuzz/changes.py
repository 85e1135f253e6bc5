"""A random change of the models, and the operations that Django's autodetector makes of it."""

import random
from collections.abc import Callable
from typing import Any

from django.db import models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState

from tests.compatibility_fuzz import own
from tests.compatibility_fuzz.django_setup import Abilities
from tests.compatibility_fuzz.fields import (
    GONE,
    LENGTHS,
    changed_options,
    database_default,
    default_of,
    evaluated,
    is_long_in_mysql,
    random_field,
    random_relation,
)
from tests.compatibility_fuzz.names import APPS, FIELDS
from tests.compatibility_fuzz.old_models import (
    Draft,
    Step,
    generated_field,
    has_composite_key,
    is_proxy,
    new_model,
    taken_names,
)
from tests.compatibility_fuzz.options import columns_of, random_constraint, random_index
from tests.compatibility_fuzz.values import MOST, value_of


class Answers(MigrationQuestioner):
    """Answers the questions of makemigrations at random."""

    def __init__(self, rng: random.Random, ab: Abilities) -> None:
        super().__init__()
        self.rng, self.ab = rng, ab

    def ask_rename(self, *_: Any) -> bool:
        return self.rng.random() < 0.6

    def ask_rename_model(self, *_: Any) -> bool:
        return self.rng.random() < 0.6

    def ask_initial(self, app_label: str) -> bool:
        return True

    def ask_not_null_addition(self, field_name: str, model_name: str) -> Any:
        return 1

    def ask_not_null_alteration(self, field_name: str, model_name: str) -> Any:
        return models.NOT_PROVIDED

    def ask_auto_now_add_addition(self, field_name: str, model_name: str) -> Any:
        from django.utils import timezone

        return timezone.now()

    def ask_unique_callable_default_addition(self, field_name: str, model_name: str) -> None:
        return None


def detected(old: ProjectState, new: ProjectState, answers: Answers) -> list[Step]:
    """What makemigrations would write, in the order in which it would run."""
    changes = MigrationAutodetector(old, new, answers)._detect_changes()
    waiting = [one for _, some in sorted(changes.items()) for one in some]
    written = {(one.app_label, one.name) for one in waiting}
    done: set[tuple[str, str]] = set()
    steps: list[Step] = []
    while waiting:
        ready = next(
            (
                one
                for one in waiting
                if all(key in done or key not in written for key in one.dependencies)
                and not any(
                    other.app_label == one.app_label and waiting.index(other) < waiting.index(one)
                    for other in waiting
                )
            ),
            waiting[0],
        )
        waiting.remove(ready)
        done.add((ready.app_label, ready.name))
        steps += [(ready.app_label, operation) for operation in ready.operations]
    return steps


def plan_by_autodetector(rng: random.Random, ab: Abilities, old: ProjectState) -> list[Step]:
    new = bare_clone(old)
    draft = Draft(rng, ab, new, count=100)
    names = list(CHANGES)
    weights = [weight for weight, _ in CHANGES.values()]
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        CHANGES[rng.choices(names, weights)[0]][1](draft)
    return detected(bare_clone(old), new, Answers(rng, ab))


def bare_clone(state: ProjectState) -> ProjectState:
    """A copy that shares no rendered class."""
    models = {key: model.clone() for key, model in state.models.items()}
    return ProjectState(models, state.real_apps)


def real_models(draft: Draft) -> list[Any]:
    return [one for one in draft.state.models.values() if not is_proxy(one)]


def put(model: Any, name: str, field: Any) -> None:
    """Set a field. Clones of a state share their fields, so none is changed in place."""
    model.fields[name] = field


def add_field(draft: Draft) -> None:
    rng = draft.rng
    model = rng.choice(real_models(draft))
    free = [one for one in FIELDS if one not in taken_names(draft.state, model)]
    if not free:
        return
    field = random_field(rng, draft.ab, draft.targets(), is_new=True)
    if type(field) is own.Below:
        numbers = [
            n for n, f in columns_of(model.fields).items()
            if f.get_internal_type().endswith("IntegerField")
        ]  # fmt: skip
        if not numbers:
            return
        field.other = rng.choice(numbers)
    if field.many_to_many and has_composite_key(model):
        return
    put(model, rng.choice(free), field)


def add_generated(draft: Draft) -> None:
    model = draft.rng.choice(real_models(draft))
    free = [one for one in FIELDS if one not in taken_names(draft.state, model)]
    field = generated_field(draft.rng, draft.ab, columns_of(model.fields))
    if free and field is not None:
        put(model, draft.rng.choice(free), field)


def chosen_field(draft: Draft, wants: Callable[[Any], bool] = lambda _: True) -> Any:
    found = [
        (model, name, field)
        for model in real_models(draft)
        for name, field in model.fields.items()
        if wants(field) and not getattr(field, "generated", False)
        and type(field).__name__ not in ("CompositePrimaryKey", "OrderWrt")
        and not getattr(field.remote_field, "parent_link", False)
    ]  # fmt: skip
    return draft.rng.choice(found) if found else None


def remove_field(draft: Draft) -> None:
    if found := chosen_field(draft, lambda one: not one.primary_key):
        model, name, _ = found
        del model.fields[name]
        forget(model, name)


def forget(model: Any, name: str) -> None:
    """Drop the options that name a field."""
    options = model.options
    for key in ("indexes", "constraints"):
        options[key] = [one for one in options.get(key, []) if name not in repr(one)]
    if options.get("unique_together"):
        options["unique_together"] = {t for t in options["unique_together"] if name not in t}
    if options.get("order_with_respect_to") == name:
        del options["order_with_respect_to"]
    options.pop("ordering", None)


def rename_field(draft: Draft) -> None:
    if found := chosen_field(draft, lambda one: not one.primary_key):
        model, name, field = found
        free = [one for one in FIELDS if one not in taken_names(draft.state, model)]
        if not free or any(name in repr(model.options.get(k, "")) for k in model.options):
            return
        new = draft.rng.choice(free)
        if draft.rng.random() < 0.4 and not field.many_to_many:
            field = changed_options(field, db_column=field.db_column or column_name(name, field))
        del model.fields[name]
        model.fields[new] = field


def column_name(name: str, field: Any) -> str:
    return f"{name}_id" if field.remote_field else name


WIDER = {
    "SmallIntegerField": ["IntegerField", "BigIntegerField"],
    "IntegerField": ["BigIntegerField", "BigIntegerField", "SmallIntegerField", "DecimalField",
                     "CharField", "PositiveIntegerField", "FloatField"],
    "BigIntegerField": ["IntegerField", "DecimalField"],
    "PositiveSmallIntegerField": ["SmallIntegerField", "IntegerField", "PositiveIntegerField"],
    "PositiveIntegerField": ["IntegerField", "BigIntegerField", "PositiveBigIntegerField"],
    "AutoField": ["BigAutoField", "BigAutoField", "SmallAutoField"],
    "SmallAutoField": ["AutoField", "BigAutoField"],
    "BigAutoField": ["AutoField"],
    "CharField": ["TextField", "SlugField", "URLField", "own.Tagged", "EmailField"],
    "SlugField": ["CharField", "TextField"],
    "URLField": ["TextField", "CharField"],
    "EmailField": ["CharField", "TextField"],
    "FileField": ["ImageField", "CharField", "TextField"],
    "FilePathField": ["CharField", "TextField"],
    "TextField": ["CharField", "BinaryField"],
    "DateField": ["DateTimeField"],
    "DateTimeField": ["DateField"],
    "FloatField": ["DecimalField"],
    "DecimalField": ["FloatField", "IntegerField"],
    "BooleanField": ["IntegerField"],
    "UUIDField": ["CharField"],
    "JSONField": ["TextField"],
    "Counter": ["BigIntegerField", "IntegerField"],
    "Tagged": ["CharField", "TextField"],
    "ForeignKey": ["OneToOneField", "own.Link"],
    "OneToOneField": ["ForeignKey"],
    "Link": ["ForeignKey"],
    "IntegerRangeField": ["BigIntegerRangeField"],
}  # fmt: skip


def change_type(draft: Draft) -> None:
    found = chosen_field(draft, lambda one: type(one).__name__ in WIDER)
    if not found:
        return
    model, name, field = found
    put(model, name, retyped(draft.rng, draft.ab, field))


def retyped(rng: random.Random, ab: Abilities, field: Any) -> Any:
    """The field as one of another kind."""
    name = rng.choice(WIDER[type(field).__name__])
    if name.startswith("own."):
        cls: Any = getattr(own, name.removeprefix("own."))
    elif name.endswith("RangeField"):
        from django.contrib.postgres import fields as pg

        cls = getattr(pg, name)
    else:
        cls = getattr(models, name)
    _, _, arguments, options = field.deconstruct()
    for key in ("max_length", "max_digits", "decimal_places", "encoder", "upload_to", "db_index",
                "auto_now", "auto_now_add", "default", "db_default", "path", "unique"):  # fmt: skip
        is_relation = field.remote_field and key == "db_index"
        if is_relation or key == "unique":
            if name == "OneToOneField" or type(field).__name__ == "OneToOneField":
                options.pop(key, None)
        elif key not in ("default", "db_default", "db_index") or rng.random() < 0.3:
            options.pop(key, None)
    if issubclass(cls, (models.CharField, models.FileField)):
        old = getattr(field, "max_length", None) or 100
        options["max_length"] = old if rng.random() < 0.7 else rng.choice((10, 100, 700))
    if cls is models.DecimalField:
        options.update(max_digits=rng.choice((5, 12, 20)), decimal_places=rng.choice((0, 2)))
    return cls(*arguments, **options)


def change_options(draft: Draft) -> None:
    found = chosen_field(draft, lambda one: not one.many_to_many)
    if not found:
        return
    model, name, field = found
    put(model, name, with_changed_option(draft, field))


def with_changed_option(draft: Draft, field: Any) -> Any:
    """The field with one option changed; the field itself if that option does not fit."""
    rng, ab = draft.rng, draft.ab
    keys = ["null", "null", "unique", "db_index", "db_default", "db_default", "default", "unseen",
            "db_column", "choices"]  # fmt: skip
    if getattr(field, "max_length", None):
        keys += ["max_length"] * 3
    if field.get_internal_type() == "DecimalField":
        keys += ["max_digits"] * 5
    if field.get_internal_type() == "JSONField":
        keys += ["encoder"] * 4
    if field.remote_field:
        keys += ["on_delete", "db_constraint", "db_constraint", "related_name", "to", "to_field"]
    if type(field).__name__ == "SlugField":
        keys += ["allow_unicode"] * 3
    key = rng.choice(keys)
    if field.primary_key and key in ("null", "unique", "db_index", "default", "db_default"):
        key = "unseen"
    is_long = is_long_in_mysql(field, ab)
    match key:
        case "null":
            return changed_options(field, null=not field.null)
        case "unique" if not is_long and not field.remote_field:
            return changed_options(field, unique=not field.unique)
        case "db_index" if not is_long:
            return changed_options(field, db_index=not field.db_index)
        case "db_default" if ab.has_db_default and not is_long:
            if field.remote_field:
                return changed_options(field, db_default=rng.choice((1, 2, 999, GONE)))
            value = database_default(rng, field, ab)
            if value is models.NOT_PROVIDED or rng.random() < 0.15:
                value = GONE
            return changed_options(field, db_default=value)
        case "default" if not field.remote_field:
            value = default_of(rng, field, ab)
            return changed_options(field, default=GONE if value is models.NOT_PROVIDED else value)
        case "unseen":
            return changed_options(
                field, help_text="new", verbose_name="new", blank=not field.blank
            )
        case "db_column":
            return changed_options(field, db_column=rng.choice(("c_1", "new_column")))
        case "choices" if field.get_internal_type() == "CharField":
            return changed_options(field, choices=[("a", "A")])
        case "max_length":
            return changed_options(field, max_length=rng.choice(LENGTHS))
        case "max_digits" if field.max_digits:
            more = rng.choice((1, 4, 4, -2))
            return changed_options(
                field,
                max_digits=max(field.max_digits + more, field.decimal_places, 1),
                decimal_places=field.decimal_places + rng.choice((0, 0, 0, 1)),
            )
        case "encoder":
            return changed_options(field, encoder=own.Encoded)
        case "on_delete":
            some = [models.CASCADE, models.PROTECT, models.DO_NOTHING]
            if ab.has_db_on_delete and field.db_constraint:
                some += [models.DB_CASCADE] * 2
            return changed_options(field, on_delete=rng.choice(some))
        case "db_constraint":
            if field.remote_field.on_delete.__class__.__name__ == "DatabaseOnDelete":
                return field
            return changed_options(field, db_constraint=not field.db_constraint)
        case "related_name":
            return changed_options(field, related_name=f"again_{rng.randrange(999)}")
        case "to":
            return changed_options(field, to=rng.choice(draft.targets()))
        case "allow_unicode":
            return changed_options(field, allow_unicode=not field.allow_unicode)
    return field


def change_db_default(draft: Draft) -> None:
    """Another default of the database for a column that has one."""
    found = chosen_field(draft, lambda one: "db_default" in one.deconstruct()[3])
    if found and not found[2].primary_key:
        model, name, field = found
        some = (2, 999) if field.remote_field else (database_default(draft.rng, field, draft.ab),)
        large = evaluated(value_of(field, draft.rng, MOST, draft.ab.vendor))
        if type(large) is int:
            some = (*some, large)
        value = draft.rng.choice((*some, *some, models.Value(None)))
        if value is not models.NOT_PROVIDED:
            put(model, name, changed_options(field, db_default=value))


def change_array(draft: Draft) -> None:
    found = chosen_field(draft, lambda one: type(one).__name__ == "ArrayField")
    if found:
        model, name, field = found
        base = {
            models.IntegerField: models.BigIntegerField(),
            models.CharField: models.CharField(max_length=900),
        }.get(type(field.base_field), models.TextField())
        put(model, name, changed_options(field, base_field=base))


def add_model(draft: Draft) -> None:
    for app, operation in new_model(draft, draft.rng.choice(APPS), is_new=True):
        operation.state_forwards(app, draft.state)


def add_proxy_and_key(draft: Draft) -> None:
    """A new proxy, and a new model that refers to it."""
    rng = draft.rng
    app = rng.choice(APPS)
    name = draft.fresh_name(app)
    olds = [m for m in real_models(draft) if not has_composite_key(m)]
    if not name or not olds:
        return
    old = rng.choice(olds)
    proxy = type(old)(app, name, [], {"proxy": True}, (f"{old.app_label}.{old.name}".lower(),), [])
    draft.state.add_model(proxy)
    other = draft.fresh_name(app)
    if other:
        key = random_relation(rng, draft.ab, [f"{app}.{name}"], is_new=True)
        fields = [("id", models.BigAutoField(primary_key=True)), ("it", key)]
        draft.state.add_model(type(old)(app, other, fields, {}, (models.Model,), []))


def remove_model(draft: Draft) -> None:
    rng = draft.rng
    used = {
        str(end).lower()
        for m in draft.state.models.values()
        for f in m.fields.values()
        if f.remote_field
        for end in (f.remote_field.model, getattr(f.remote_field, "through", None))
    } | {base for m in draft.state.models.values() for base in m.bases if isinstance(base, str)}
    free = [
        key for key in draft.state.models
        if ".".join(key) not in used and key != ("farm", "apple")
    ]  # fmt: skip
    if free:
        draft.state.remove_model(*rng.choice(free))


def rename_model(draft: Draft) -> None:
    rng = draft.rng
    key, model = rng.choice(list(draft.state.models.items()))
    name = draft.fresh_name(key[0])
    if name and key != ("farm", "apple"):
        if rng.random() < 0.4 and not is_proxy(model):
            model.options.setdefault("db_table", f"{key[0]}_{key[1]}")
        draft.state.rename_model(*key, name)


def change_table(draft: Draft) -> None:
    model = draft.rng.choice(real_models(draft))
    own_name = f"{model.app_label}_{model.name.lower()}"
    new = draft.rng.choice((own_name, f"moved_{model.name.lower()}"))
    if model.options.get("managed", True):
        model.options["db_table"] = new


def change_together(draft: Draft) -> None:
    model = draft.rng.choice(real_models(draft))
    names = sorted(
        n for n, f in columns_of(model.fields).items() if not is_long_in_mysql(f, draft.ab)
    )
    if model.options.get("unique_together"):
        model.options["unique_together"] = set()
    elif len(names) > 1:
        model.options["unique_together"] = {tuple(draft.rng.sample(names, 2))}


def repeat_unique(draft: Draft) -> None:
    """Make unique once more what is unique, be it with another column, and often drop the old."""
    rng, model = draft.rng, draft.rng.choice(real_models(draft))
    columns = columns_of(model.fields)
    old = [(name,) for name, field in columns.items() if field.unique]
    together = model.options.get("unique_together") or ()
    rules = [one.fields for one in model.options.get("constraints", []) if hasattr(one, "fields")]
    found = sorted({*old, *together, *filter(None, rules)})
    more = [n for n, f in columns.items() if not is_long_in_mysql(f, draft.ab)]
    if not found:
        return
    names = list(
        dict.fromkeys(
            [*rng.choice(found), *rng.sample(more, min(len(more), rng.choice((0, 1, 1))))]
        )
    )
    rng.shuffle(names)
    if rng.random() < 0.6:
        model.options.update(unique_together=set(), constraints=[])
    if rng.random() < 0.3:
        model.options["unique_together"] = {*model.options.get("unique_together", ()), tuple(names)}
    else:
        rule = models.UniqueConstraint(fields=names, name=f"new_{draft.number()}")
        model.options["constraints"] = [*model.options.get("constraints", []), rule]


def change_indexes(draft: Draft) -> None:
    model = draft.rng.choice(real_models(draft))
    found = model.options.setdefault("indexes", [])
    if found and draft.rng.random() < 0.5:
        model.options["indexes"] = []
    elif one := random_index(draft.rng, draft.ab, model.fields, f"new_{draft.number()}"):
        model.options["indexes"] = [*found, one]


def change_constraints(draft: Draft) -> None:
    model = draft.rng.choice(real_models(draft))
    found = model.options.setdefault("constraints", [])
    if found and draft.rng.random() < 0.5:
        model.options["constraints"] = []
    elif one := random_constraint(draft.rng, draft.ab, model.fields, f"new_{draft.number()}"):
        model.options["constraints"] = [*found, one]


def change_order(draft: Draft) -> None:
    model = draft.rng.choice(real_models(draft))
    foreign = [n for n, f in columns_of(model.fields).items() if f.remote_field]
    if model.options.get("order_with_respect_to"):
        del model.options["order_with_respect_to"]
        model.fields.pop("_order", None)
    elif foreign and not model.options.get("ordering"):
        model.options["order_with_respect_to"] = draft.rng.choice(foreign)


def change_small_options(draft: Draft) -> None:
    model = draft.rng.choice(list(draft.state.models.values()))
    key, value = draft.rng.choice((
        ("verbose_name", "new"), ("ordering", ["pk"]), ("db_table_comment", "new"),
        ("managed", False), ("permissions", [("eat", "may eat")]),
    ))  # fmt: skip
    if key == "ordering" and "order_with_respect_to" in model.options:
        return
    if key in ("db_table_comment", "managed") and is_proxy(model):
        return
    model.options[key] = value


CHANGES: dict[str, tuple[float, Callable[[Draft], None]]] = {
    "add field": (6, add_field),
    "add generated field": (0.6, add_generated),
    "add model": (4, add_model),
    "add proxy and key": (0.7, add_proxy_and_key),
    "change type": (5, change_type),
    "change options": (7, change_options),
    "change db_default": (1.5, change_db_default),
    "change array": (0.5, change_array),
    "change indexes": (3.5, change_indexes),
    "change constraints": (1.5, change_constraints),
    "change unique_together": (0.5, change_together),
    "repeat unique": (0.7, repeat_unique),
    "change order": (0.5, change_order),
    "change small options": (0.7, change_small_options),
    "change table": (0.6, change_table),
    "remove field": (0.7, remove_field),
    "remove model": (0.4, remove_model),
    "rename field": (0.8, rename_field),
    "rename model": (0.6, rename_model),
}
