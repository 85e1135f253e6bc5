"""A random set of models, as the operations that create them."""

import random
from dataclasses import dataclass, field
from typing import Any

from django.db import migrations, models
from django.db.migrations.state import ProjectState

from tests.compatibility_fuzz import own
from tests.compatibility_fuzz.django_setup import Abilities
from tests.compatibility_fuzz.fields import is_long_in_mysql, random_field
from tests.compatibility_fuzz.names import APPS, FIELDS, MODELS
from tests.compatibility_fuzz.options import (
    OLD,
    columns_of,
    constraint_on_default,
    random_constraint,
    random_index,
)

type Step = tuple[str, Any]
"""An operation, and the app in which it is."""


@dataclass
class Draft:
    """The models that have been made so far."""

    rng: random.Random
    ab: Abilities
    state: ProjectState = field(default_factory=ProjectState)
    count: int = 0

    def fresh_name(self, app: str) -> str | None:
        taken = {name for _, name in self.state.models}
        free = [name for name in MODELS[app] if name.lower() not in taken]
        return free[0] if free else None

    def number(self) -> int:
        self.count += 1
        return self.count

    def targets(self) -> list[str]:
        """What a foreign key may refer to."""
        return [
            f"{model.app_label}.{model.name}"
            for model in self.state.models.values()
            if not has_composite_key(model) and not is_unmanaged(model)
        ]


def has_composite_key(model: Any) -> bool:
    return any(type(one).__name__ == "CompositePrimaryKey" for one in model.fields.values())


def is_unmanaged(model: Any) -> bool:
    return model.options.get("managed") is False


def is_proxy(model: Any) -> bool:
    return bool(model.options.get("proxy"))


def old_models(rng: random.Random, ab: Abilities) -> list[Step]:
    """Two to five models of some apps. The first is always `farm.Apple`."""
    draft = Draft(rng, ab)
    steps: list[Step] = []
    for number in range(rng.randrange(2, 5)):
        app = "farm" if not number else rng.choice(APPS)
        for step in new_model(draft, app, is_plain=not number):
            step[1].state_forwards(step[0], draft.state)
            steps.append(step)
    return steps


def new_model(
    draft: Draft, app: str, *, is_plain: bool = False, is_new: bool = False
) -> list[Step]:
    """The operations that create one more model."""
    rng, ab = draft.rng, draft.ab
    name = draft.fresh_name(app)
    if name is None:
        return []
    others = [m for m in draft.state.models.values() if not has_composite_key(m)]
    chance = 1.0 if is_plain else rng.random()
    if chance < 0.1 and others:
        parent = rng.choice(others)
        label = f"{parent.app_label}.{parent.name}"
        options = {"proxy": True}
        return [(app, migrations.CreateModel(name, [], options, bases=(label.lower(),)))]
    if chance < 0.14 and (tables := [m for m in others if not is_proxy(m)]):
        model = rng.choice(tables)
        table = model.options.get("db_table") or f"{model.app_label}_{model.name.lower()}"
        if len(model.bases) == 1 and not isinstance(model.bases[0], str):
            fields = [(n, twin(f)) for n, f in columns_of(model.fields).items()]
            options = {"managed": False, "db_table": table}
            return [(app, migrations.CreateModel(name, fields, options, bases=(models.Model,)))]
    if chance < 0.24 and (
        parents := [m for m in others if not is_proxy(m) and not is_unmanaged(m)]
    ):
        parent = rng.choice(parents)
        label = f"{parent.app_label}.{parent.name}"
        key = models.OneToOneField(
            label, models.CASCADE, parent_link=True, auto_created=True, primary_key=True,
            serialize=False,
        )  # fmt: skip
        fields = [(f"{parent.name.lower()}_ptr", key)]
        taken = field_names(draft.state, parent)
        fields += some_fields(draft, rng.randrange(0, 3), is_new=is_new, taken=taken)
        return [(app, migrations.CreateModel(name, fields, bases=(label.lower(),)))]
    if chance < 0.32 and len(targets := draft.targets()) > 1:
        return through_model(draft, app, name, targets)
    fields = keys(rng, ab, may_be_composite=not is_plain)
    bases: tuple[Any, ...] = (models.Model,)
    if 0.32 <= chance < 0.4:
        bases = (rng.choice((own.Dated, own.Owned, own.Sized)),)
    taken = {n for n, _ in fields} | {f.name for b in bases for f in b_fields(b)}
    fields += some_fields(draft, rng.randrange(1, 6), is_new=is_new, taken=taken)
    whole = dict(fields)
    options = some_options(draft, app, name, whole)
    return [(app, migrations.CreateModel(name, list(whole.items()), options, bases=bases))]


def b_fields(base: Any) -> list[Any]:
    return list(base._meta.local_fields) if base is not models.Model else []


def twin(one: Any) -> Any:
    """The same column in a model that shares the table."""
    _, _, arguments, options = one.deconstruct()
    options.pop("related_name", None)
    if one.remote_field:
        options["related_name"] = "+"
    return type(one)(*arguments, **options)


def through_model(draft: Draft, app: str, name: str, targets: list[str]) -> list[Step]:
    one, two = draft.rng.sample(targets, 2)
    fields = [
        ("id", models.BigAutoField(primary_key=True)),
        ("first", models.ForeignKey(one, models.CASCADE, related_name="+")),
        ("second", models.ForeignKey(two, models.CASCADE, related_name="+")),
        *some_fields(draft, 1, relation=0, is_new=True, taken={"id"}),
    ]
    many = models.ManyToManyField(
        two, through=f"{app}.{name}", related_name=f"through_{draft.rng.randrange(10**6)}"
    )
    first_app, first_name = one.split(".")
    return [
        (app, migrations.CreateModel(name, fields)),
        (first_app, migrations.AddField(first_name, f"links{draft.number()}", many)),
    ]


def keys(rng: random.Random, ab: Abilities, *, may_be_composite: bool) -> list[tuple[str, Any]]:
    chance = rng.random()
    if chance < 0.5:
        return [("id", models.BigAutoField(primary_key=True))]
    if chance < 0.75:
        return [("id", models.AutoField(primary_key=True))]
    if chance < 0.83:
        return [("code", models.CharField(max_length=rng.choice((20, 200)), primary_key=True))]
    if chance < 0.88:
        return [("id", models.UUIDField(primary_key=True))]
    if chance < 0.93:
        return [("size", models.IntegerField(primary_key=True))]
    if chance < 0.97 and ab.has_composite_keys and may_be_composite:
        return [
            ("pk", models.CompositePrimaryKey("code", "size")),
            ("code", models.CharField(max_length=30)),
            ("size", models.IntegerField()),
        ]
    return [("id", models.SmallAutoField(primary_key=True))]


def taken_names(state: ProjectState, model: Any) -> set[str]:
    """Names that a new field of the model cannot have."""
    label = f"{model.app_label}.{model.name}".lower()
    below = [
        one
        for one in state.models.values()
        if any(isinstance(base, str) and base.lower() == label for base in one.bases)
    ]
    found = field_names(state, model)
    for one in below:
        found |= taken_names(state, one)
    return found


def field_names(state: ProjectState, model: Any) -> set[str]:
    """Names of the fields of a model and of its parents."""
    names = set(model.fields)
    for base in model.bases:
        if isinstance(base, str):
            parent = state.models.get(tuple(base.lower().split(".")))
            names |= field_names(state, parent) if parent else set()
        else:
            names |= {one.name for one in b_fields(base)}
    return names


def some_fields(
    draft: Draft, count: int, *, is_new: bool = False, taken: set[str], relation: float = 0.3
) -> list[tuple[str, Any]]:
    free = [name for name in FIELDS if name not in taken]
    chosen = draft.rng.sample(free, min(count, len(free)))
    found = []
    for name in chosen:
        one = random_field(draft.rng, draft.ab, draft.targets(), is_new=is_new, relation=relation)
        found.append((name, one))
    return found


def generated_field(rng: random.Random, ab: Abilities, fields: dict[str, Any]) -> Any:
    """A generated column over the others, if Django has them."""
    if not ab.has_generated:
        return None
    numbers = [n for n, f in fields.items() if f.get_internal_type().endswith("IntegerField")]
    texts = [n for n, f in fields.items() if f.get_internal_type() == "CharField"]
    output: Any
    if numbers and rng.random() < 0.6:
        name, output = rng.choice(numbers), models.IntegerField(null=True)
        expression: Any = rng.choice((
            models.F(name) + 1, models.F(name) * 2, models.Value(100) / models.F(name),
        ))  # fmt: skip
    elif texts:
        name = rng.choice(texts)
        expression = models.functions.Upper(name)
        output = models.CharField(max_length=rng.choice((20, 5000)), null=True)
    else:
        return None
    options: dict[str, Any] = {"unique": True} if rng.random() < 0.1 else {}
    return models.GeneratedField(
        expression=expression, output_field=output, db_persist=True, **options
    )


def some_options(draft: Draft, app: str, name: str, fields: dict[str, Any]) -> dict[str, Any]:
    rng, ab = draft.rng, draft.ab
    options: dict[str, Any] = {}
    columns = {n: f for n, f in columns_of(fields).items() if not is_long_in_mysql(f, ab)}
    if rng.random() < 0.1:
        options["db_table"] = rng.choice((f"own_{name.lower()}", f"{app}_{name}_"))
    if len(columns) > 2 and rng.random() < 0.12:
        options["unique_together"] = {tuple(rng.sample(sorted(columns), 2))}
    if rng.random() < 0.25 and (
        one := random_index(rng, ab, fields, f"{OLD}{draft.number()}_{name}")
    ):
        options["indexes"] = [one]
    if rng.random() < 0.2 and (
        one := random_constraint(rng, ab, fields, f"is_{draft.number()}_{name}")
    ):
        options["constraints"] = [one]
    if "constraints" not in options and rng.random() < 0.5:
        one = constraint_on_default(rng, ab, fields, f"is_{draft.number()}_{name}")
        options |= {"constraints": [one]} if one else {}
    foreign = [n for n, f in columns.items() if f.remote_field]
    if foreign and rng.random() < 0.15:
        options["order_with_respect_to"] = rng.choice(foreign)
    elif rng.random() < 0.1:
        options["ordering"] = [rng.choice(sorted(fields))]
    if not has_many_or_new(fields) and rng.random() < 0.15:
        generated = generated_field(rng, ab, columns)
        free = [n for n in FIELDS if n not in fields]
        if generated is not None and free:
            fields[rng.choice(free)] = generated
    return options


def has_many_or_new(fields: dict[str, Any]) -> bool:
    return any(type(one).__name__ == "CompositePrimaryKey" for one in fields.values())
