"""Random indexes, constraints and conditions over the fields of a model."""

import random
from collections.abc import Mapping
from typing import Any

from django.db import models
from django.db.models import F, Func, Q, Value, functions

from tests.compatibility_fuzz.django_setup import Abilities
from tests.compatibility_fuzz.fields import is_long_in_mysql

INTEGERS = ("IntegerField", "SmallIntegerField", "BigIntegerField", "PositiveIntegerField",
            "PositiveSmallIntegerField", "PositiveBigIntegerField")  # fmt: skip
TEXTS = ("CharField", "TextField", "SlugField", "FileField", "FilePathField")

OLD = "by_"
"""How the names of the indexes of old models begin."""

type Fields = Mapping[str, Any]


def columns_of(fields: Fields) -> dict[str, Any]:
    """The fields that have a column of their own."""
    return {
        name: field
        for name, field in fields.items()
        if not field.many_to_many
        and type(field).__name__ not in ("CompositePrimaryKey", "GeneratedField")
    }


def random_condition(rng: random.Random, fields: Fields) -> Any:
    found = [condition_of(rng, name, field) for name, field in columns_of(fields).items()]
    some = [one for one in found if one is not None]
    if not some:
        return Q(pk__isnull=False)
    one = rng.choice(some)
    if len(some) > 1 and rng.random() < 0.2:
        return one | rng.choice(some)
    return ~one if rng.random() < 0.1 else one


def condition_of(rng: random.Random, name: str, field: Any) -> Any:
    kind = field.get_internal_type()
    if rng.random() < 0.25:
        return Q(**{f"{name}__isnull": rng.random() < 0.3})
    if kind in INTEGERS:
        return rng.choice((
            Q(**{f"{name}__gte": rng.choice((-1000, 0, 0, 5))}),
            Q(**{f"{name}__lt": rng.choice((100, 20_000))}),
            Q(**{f"{name}__gte": Value(100) / F(name)}),
        ))  # fmt: skip
    if kind in ("CharField", "TextField"):
        return rng.choice((Q(**{f"{name}__gt": ""}), ~Q(**{name: "beet"})))
    if kind == "BooleanField":
        return Q(**{name: True})
    if kind in ("DecimalField", "FloatField"):
        return Q(**{f"{name}__gte": 0})
    return None


def random_index(rng: random.Random, ab: Abilities, fields: Fields, name: str) -> Any:
    """An index that the server mostly takes."""
    columns = {n: f for n, f in columns_of(fields).items() if not is_long_in_mysql(f, ab)}
    if not columns:
        return None
    names = list(columns)
    options: dict[str, Any] = {"name": name}
    if rng.random() < 0.15 and ab.is_postgresql:
        options["condition"] = random_condition(rng, fields)
    if rng.random() < 0.2:
        expression = random_expression(rng, columns)
        if expression is not None:
            return models.Index(expression, **options)
    if ab.is_postgresql and rng.random() < 0.5:
        found = special_index(rng, ab, columns, options)
        if found is not None:
            return found
    chosen = rng.sample(names, min(len(names), rng.choice((1, 1, 1, 2, 2, 3))))
    long = [one for one in names if may_be_long(columns[one])]
    if long and rng.random() < 0.5:
        one = rng.choice(long)
        chosen = [one, *(other for other in chosen if other != one)]
    if ab.is_postgresql and rng.random() < 0.12:
        options["include"] = [rng.choice(names)]
    signs = [("-" if rng.random() < 0.2 else "") + one for one in chosen]
    return models.Index(fields=signs, **options)


def may_be_long(field: Any) -> bool:
    """Whether some value does not fit into an index row of PostgreSQL."""
    kind = field.get_internal_type()
    if kind == "DecimalField":
        return not field.max_digits
    is_text = kind in TEXTS and (field.max_length or 9999) > 600
    others = ("BinaryField", "JSONField", "SearchVectorField", "ArrayField", "HStoreField")
    return is_text or kind in others or type(field).__name__ in (*others, "Phrase")


def special_index(
    rng: random.Random, ab: Abilities, columns: Fields, options: dict[str, Any]
) -> Any:
    from django.contrib.postgres import indexes as pg

    some = [one for one in columns.items() if may_be_long(one[1])]
    if not some or rng.random() < 0.5:
        some = list(columns.items())
    name, field = rng.choice(some)
    kind, cls = field.get_internal_type(), type(field).__name__
    found: list[Any] = [pg.BrinIndex, pg.HashIndex, pg.BTreeIndex]
    if cls in ("ArrayField", "SearchVectorField", "HStoreField") or kind == "JSONField":
        found += [pg.GinIndex] * 3
    elif "btree_gin" in ab.extensions:
        found.append(pg.GinIndex)
    if "Range" in cls or cls in ("SearchVectorField", "HStoreField"):
        found += [pg.GistIndex] * 3
    elif "btree_gist" in ab.extensions and kind != "BooleanField":
        found.append(pg.GistIndex)
    if kind in TEXTS or "Range" in cls or kind == "GenericIPAddressField":
        found.append(pg.SpGistIndex)
    if kind in ("CharField", "TextField") and "pg_trgm" in ab.extensions and rng.random() < 0.3:
        return pg.GinIndex(fields=[name], opclasses=["gin_trgm_ops"], **options)
    if kind in ("IntegerField", "TextField") and "bloom" in ab.extensions:
        found.append(pg.BloomIndex)
    if options["name"].startswith(OLD) and may_be_long(field):
        # They keep long values of rows whose insert was undone.
        found = [one for one in found if one not in (pg.BrinIndex, pg.GistIndex)]
    index = rng.choice(found)
    more = [name]
    if index in (pg.BrinIndex, pg.BTreeIndex, pg.GinIndex, pg.GistIndex) and rng.random() < 0.25:
        more = rng.sample(list(columns), min(2, len(columns)))
    if index is pg.SpGistIndex and rng.random() < 0.2:
        options["include"] = [name]
    return index(fields=more, **options)


def random_expression(rng: random.Random, fields: Fields) -> Any:
    name, field = rng.choice(list(fields.items()))
    kind = field.get_internal_type()
    found: list[Any] = [F(name), F(name)]
    if kind in TEXTS:
        found += [functions.Lower(name), functions.Left(name, 5), functions.MD5(name)]
    if kind in INTEGERS:
        found += [functions.Abs(name), F(name) + 1, Value(100) / F(name)]
    if kind in ("DecimalField", "FloatField"):
        found += [functions.Sqrt(name), functions.Floor(name)]
    if kind == "JSONField":
        found = [functions.Lower(Func(F(name), Value("a"), function="jsonb_extract_path_text"))]
    return rng.choice(found)


def random_constraint(rng: random.Random, ab: Abilities, fields: Fields, name: str) -> Any:
    columns = {n: f for n, f in columns_of(fields).items() if not is_long_in_mysql(f, ab)}
    if not columns:
        return None
    kind = rng.choice(("check", "check", "unique", "unique", "exclusion"))
    if kind == "check":
        key = "condition" if ab.version >= (5, 1) else "check"
        return models.CheckConstraint(**{key: random_condition(rng, fields)}, name=name)
    if kind == "exclusion" and ab.is_postgresql:
        return random_exclusion(rng, ab, columns, name)
    options: dict[str, Any] = {"name": name}
    if ab.is_postgresql:
        if rng.random() < 0.2:
            options["condition"] = random_condition(rng, fields)
        elif rng.random() < 0.15:
            options["deferrable"] = models.Deferrable.DEFERRED
        elif rng.random() < 0.1:
            options["include"] = [rng.choice(list(columns))]
        elif rng.random() < 0.1 and ab.version >= (5, 0):
            options["nulls_distinct"] = False
        if rng.random() < 0.15 and "deferrable" not in options and "include" not in options:
            return models.UniqueConstraint(random_expression(rng, columns), **options)
    return models.UniqueConstraint(
        fields=rng.sample(list(columns), min(len(columns), rng.choice((1, 2, 2)))), **options
    )


def constraint_on_default(rng: random.Random, ab: Abilities, fields: Fields, name: str) -> Any:
    """A constraint on a column with a default of the database, which the default meets."""
    for column, field in columns_of(fields).items():
        value = field.deconstruct()[3].get("db_default")
        is_number = field.get_internal_type() in INTEGERS and type(value) is int
        if is_number and not field.primary_key and value < 20_000:
            condition = Q(**{f"{column}__lt": 20_000})
        elif field.get_internal_type() in ("CharField", "TextField") and type(value) is str:
            condition = ~Q(**{column: rng.choice(("beet", "Kale"))}) if value else None
        else:
            continue
        if condition is not None:
            key = "condition" if ab.version >= (5, 1) else "check"
            return models.CheckConstraint(**{key: condition}, name=name)
    return None


def random_exclusion(rng: random.Random, ab: Abilities, columns: Fields, name: str) -> Any:
    from django.contrib.postgres.constraints import ExclusionConstraint

    ranges = [n for n, f in columns.items() if "Range" in type(f).__name__]
    if ranges:
        expressions: list[Any] = [(rng.choice(ranges), "&&")]
    elif "btree_gist" in ab.extensions:
        numbers = [n for n, f in columns.items() if f.get_internal_type() in INTEGERS]
        if not numbers:
            return None
        expressions = [(rng.choice(numbers), rng.choice(("=", "<>")))]
    else:
        return None
    return ExclusionConstraint(name=name, expressions=expressions)
