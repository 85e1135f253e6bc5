"""Random fields of every kind that the server and Django's version have."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta  # noqa: F401 - for values
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import functions

from tests.compatibility_fuzz import own
from tests.compatibility_fuzz.django_setup import Abilities
from tests.compatibility_fuzz.values import LEAST, MOST, USUAL, value_of

type Kind = tuple[type[Any], dict[str, Any]]

LENGTHS = (10, 30, 100, 255, 300, 700, 1500, 5000)
KEY_LENGTHS = (10, 30, 100)


def plain_kinds(ab: Abilities) -> dict[str, Callable[[random.Random], Kind]]:
    """How each kind of column without a relation is made, by name."""
    lengths = LENGTHS if ab.is_postgresql else (10, 30, 100, 255, 300, 700, 1500)

    def length(rng: random.Random) -> dict[str, Any]:
        return {"max_length": rng.choice(lengths)}

    def digits(rng: random.Random) -> dict[str, Any]:
        return {"max_digits": rng.choice((5, 8, 12, 20)), "decimal_places": rng.choice((0, 2, 4))}

    kinds: dict[str, Callable[[random.Random], Kind]] = {
        "char": lambda rng: (models.CharField, length(rng)),
        "slug": lambda rng: (models.SlugField, {**length(rng), "db_index": rng.random() < 0.5}),
        "url": lambda rng: (models.URLField, length(rng)),
        "email": lambda rng: (models.EmailField, length(rng)),
        "file": lambda rng: (models.FileField, length(rng)),
        "path": lambda rng: (models.FilePathField, length(rng)),
        "text": lambda _: (models.TextField, {}),
        "integer": lambda _: (models.IntegerField, {}),
        "small": lambda _: (models.SmallIntegerField, {}),
        "big": lambda _: (models.BigIntegerField, {}),
        "positive": lambda _: (models.PositiveIntegerField, {}),
        "positive small": lambda _: (models.PositiveSmallIntegerField, {}),
        "positive big": lambda _: (models.PositiveBigIntegerField, {}),
        "decimal": lambda rng: (models.DecimalField, digits(rng)),
        "float": lambda _: (models.FloatField, {}),
        "boolean": lambda _: (models.BooleanField, {}),
        "date": lambda rng: (models.DateField, {"auto_now": True} if rng.random() < 0.1 else {}),
        "datetime": lambda rng: (
            models.DateTimeField,
            {"auto_now_add": True} if rng.random() < 0.1 else {},
        ),
        "time": lambda _: (models.TimeField, {}),
        "duration": lambda _: (models.DurationField, {}),
        "json": lambda _: (models.JSONField, {}),
        "uuid": lambda _: (models.UUIDField, {}),
        "address": lambda _: (models.GenericIPAddressField, {}),
        "binary": lambda _: (models.BinaryField, {}),
        "own phrase": lambda rng: (own.Phrase, length(rng)),
        "own tagged": lambda rng: (own.Tagged, length(rng)),
        "own counter": lambda _: (own.Counter, {}),
    }
    if ab.is_postgresql:
        from django.contrib.postgres import fields as pg
        from django.contrib.postgres.search import SearchVectorField

        def array(rng: random.Random) -> Kind:
            base = rng.choice((
                models.IntegerField(), models.IntegerField(), models.TextField(),
                models.CharField(max_length=rng.choice((20, 800))), models.DateField(),
                pg.ArrayField(models.IntegerField()),
            ))  # fmt: skip
            return pg.ArrayField, {"base_field": base}

        ranges = (pg.IntegerRangeField, pg.BigIntegerRangeField, pg.DecimalRangeField,
                  pg.DateRangeField, pg.DateTimeRangeField)  # fmt: skip
        if ab.has_decimals_without_digits:
            kinds["endless"] = lambda _: (models.DecimalField, {})
        kinds["array"] = array
        kinds["array of integers"] = lambda _: (
            pg.ArrayField,
            {"base_field": models.IntegerField()},
        )
        kinds["range"] = lambda rng: (rng.choice(ranges), {})
        kinds["vector"] = lambda _: (SearchVectorField, {})
        if "hstore" in ab.extensions:
            kinds["hstore"] = lambda _: (pg.HStoreField, {})
    return kinds


def is_long_in_mysql(field: Any, ab: Abilities) -> bool:
    """Whether MySQL cannot index it or give it a default."""
    if ab.is_postgresql:
        return False
    kind = field.get_internal_type()
    if kind in ("TextField", "BinaryField", "JSONField") or type(field) is own.Phrase:
        return True
    return bool((getattr(field, "max_length", 0) or 0) > 255)


def random_field(
    rng: random.Random,
    ab: Abilities,
    targets: Sequence[str],
    *,
    is_new: bool = False,
    relation: float = 0.3,
) -> Any:
    """A field with some of the options that it can have. `targets` are what it may refer to."""
    if targets and rng.random() < relation:
        return random_relation(rng, ab, targets, is_new=is_new)
    if is_new and rng.random() < 0.07:
        kind = rng.choice((own.Must, own.Below))
        options: dict[str, Any] = {"null": True} if rng.random() < 0.7 else {"default": 1}
        return kind(**options)
    kinds = plain_kinds(ab)
    cls, options = kinds[rng.choice(list(kinds))](rng)
    return with_options(rng, ab, cls, options, is_new=is_new)


def with_options(
    rng: random.Random, ab: Abilities, cls: Any, options: dict[str, Any], *, is_new: bool = False
) -> Any:
    field = cls(**options)
    is_long = is_long_in_mysql(field, ab)
    options["null"] = rng.random() < (0.6 if is_new else 0.4)
    if options["null"] and rng.random() < 0.5:
        options["blank"] = True
    if not is_long and cls is not models.BooleanField and rng.random() < 0.1:
        options["unique"] = True
    elif not is_long and rng.random() < 0.15:
        options["db_index"] = True
    if rng.random() < 0.07:
        options["db_column"] = f"{rng.choice(('c', 'size', 'name', 'x'))}_{rng.randrange(9)}"
    must_have = is_new and not options["null"]
    if rng.random() < (0.75 if must_have else 0.2):
        options["default"] = default_of(rng, field, ab)
    if not is_long and ab.has_db_default and rng.random() < (0.35 if is_new else 0.25):
        options["db_default"] = database_default(rng, field, ab)
    auto = {"auto_now", "auto_now_add"} & set(options)
    for key in ("default", "db_default"):
        if key in options and (auto or options[key] is models.NOT_PROVIDED):
            del options[key]
    return cls(**options)


def default_of(rng: random.Random, field: Any, ab: Abilities) -> Any:
    """A constant for `default`, or NOT_PROVIDED."""
    kind = field.get_internal_type()
    if type(field).__name__ in ("ArrayField", "HStoreField"):
        return list if type(field).__name__ == "ArrayField" else dict
    if kind == "JSONField":
        return dict
    if "Range" in type(field).__name__:
        return models.NOT_PROVIDED
    return evaluated(value_of(field, rng, rng.choice((USUAL, USUAL, LEAST)), ab.vendor))


def database_default(rng: random.Random, field: Any, ab: Abilities) -> Any:
    """A constant, an expression, and at times what the column refuses; or NOT_PROVIDED."""
    kind = field.get_internal_type()
    if rng.random() < 0.07:
        return rng.choice((None, models.Value(None)))
    if "Range" in type(field).__name__ or type(field).__name__ in ("HStoreField", "ArrayField"):
        return models.NOT_PROVIDED
    if kind.startswith("Positive") and rng.random() < 0.2:
        return -5
    if kind in ("DateTimeField", "DateField") and rng.random() < 0.5:
        return functions.Now() if kind == "DateTimeField" else models.NOT_PROVIDED
    if kind == "JSONField":
        return rng.choice(({"a": 1}, models.Value({"a": 1}, models.JSONField()), []))
    if kind in ("IntegerField", "BigIntegerField", "SmallIntegerField") and rng.random() < 0.5:
        return rng.choice((0, 1, 1, 7))
    if kind == "BooleanField":
        return rng.choice((False, True))
    found = evaluated(value_of(field, rng, rng.choice((USUAL, USUAL, LEAST, MOST)), ab.vendor))
    return models.NOT_PROVIDED if isinstance(found, str | bytes) and len(found) > 900 else found


def random_relation(
    rng: random.Random, ab: Abilities, targets: Sequence[str], *, is_new: bool = False
) -> Any:
    to = rng.choice(list(targets))
    kind = rng.choice(("foreign", "foreign", "foreign", "foreign", "one", "many", "many", "own"))
    options: dict[str, Any] = {}
    if kind == "many":
        if rng.random() < 0.1:
            options["db_constraint"] = False
        if rng.random() < 0.2:
            options["db_table"] = f"links_{rng.randrange(99)}"
        return models.ManyToManyField(to, related_name=f"many_{rng.randrange(10**6)}", **options)
    options["null"] = rng.random() < (0.65 if is_new else 0.5)
    deletes = [models.CASCADE, models.CASCADE, models.PROTECT, models.RESTRICT, models.DO_NOTHING]
    if options["null"]:
        deletes += [models.SET_NULL, models.SET_NULL]
    if ab.has_db_on_delete:
        deletes += [models.DB_CASCADE, *([models.DB_SET_NULL] if options["null"] else [])]
    options["on_delete"] = rng.choice(deletes)
    if rng.random() < 0.12:
        options["db_constraint"] = False
        if options["on_delete"].__class__.__name__ == "DatabaseOnDelete":
            options["on_delete"] = models.CASCADE
    if kind != "one" and rng.random() < 0.15:
        options["db_index"] = False
    if ab.has_db_default and rng.random() < 0.1:
        options["db_default"] = rng.choice((1, 999))
    if rng.random() < 0.06:
        options["db_column"] = f"ref_{rng.randrange(9)}"
    options["related_name"] = f"back_{rng.randrange(10**6)}"
    cls = {"foreign": models.ForeignKey, "one": models.OneToOneField, "own": own.Link}[kind]
    return cls(to, **options)


def evaluated(source: str | None) -> Any:
    if source is None:
        return models.NOT_PROVIDED
    names = {"long": long, "wide": wide, "digits": digits, "lexemes": lexemes}
    return eval(source, {**globals(), **names, "Decimal": Decimal, "UUID": UUID})


_NOISE = random.Random(20).choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", k=20_000)
_LONG = "".join(_NOISE)


def long(length: int) -> str:
    """Letters that do not compress."""
    return _LONG[:length]


def wide(length: int) -> str:
    """Letters of four bytes each."""
    return "".join(chr(0x1F300 + ord(one)) for one in _LONG[:length])


def digits(length: int) -> Decimal:
    noise = random.Random(7)
    return Decimal("".join(noise.choices("123456789", k=length)))


def lexemes(length: int) -> str:
    return " ".join(_LONG[n : n + 40] for n in range(0, length, 40))


def changed_options(field: Any, **changes: Any) -> Any:
    """The same field with some options changed; None takes one away."""
    _, _, arguments, options = field.deconstruct()
    options.update(changes)
    return type(field)(*arguments, **{k: v for k, v in options.items() if v is not _GONE})


class _Gone:
    pass


_GONE = GONE = _Gone()
