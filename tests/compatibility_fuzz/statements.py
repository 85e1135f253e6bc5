"""What old code does with its models, and what new code writes, as Python source."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection

from tests.compatibility_fuzz.options import INTEGERS, TEXTS
from tests.compatibility_fuzz.values import LEAST, MOST, NEW, USUAL, value_of

SELECT, INSERT, UPDATE, DELETE, RELATE = "select", "insert", "update", "delete", "relate"
NULLS, OMITTED = "nulls", "omitted"

type Rows = dict[str, list[str]]
"""The names of the rows of each table."""


@dataclass(frozen=True, eq=False)
class Statement:
    """One statement. `code` may have {arguments}, which are those of the fields that exist."""

    verb: str
    model: str
    code: str
    arguments: Mapping[str, str] | None = None
    is_keyed: bool = False
    """Whether it gives tuples that begin with the primary key."""
    row: str = ""
    """The name of the row that it writes."""

    def source(self, fields: Sequence[str] | None = None) -> str:
        if self.arguments is None:
            return self.code
        some = {k: v for k, v in self.arguments.items() if fields is None or k in fields}
        return self.code.replace("{arguments}", ", ".join(f"{k}={v}" for k, v in some.items()))

    def without(self, argument: str) -> "Statement":
        kept = {k: v for k, v in (self.arguments or {}).items() if k != argument}
        return replace(self, arguments=kept)


def tables_of(model: Any) -> list[str]:
    """The tables of a model and of its parents."""
    concrete = model._meta.concrete_model._meta
    return [concrete.db_table, *(p._meta.db_table for p in concrete.get_parent_list())]


def writable(model: Any) -> list[Any]:
    return [
        one
        for one in model._meta.concrete_fields
        if not getattr(one, "generated", False)
        and not getattr(one.remote_field, "parent_link", False)
        and type(one).__name__ != "OrderWrt"
    ]


def is_auto(field: Any) -> bool:
    return field.get_internal_type().endswith("AutoField")


def reference(field: Any, rng: random.Random, rows: Rows, avoid: int | None = None) -> str | None:
    target = field.remote_field.model._meta.concrete_model._meta.db_table
    found = rows.get(target, [])
    if not found:
        return None
    name = found[avoid % len(found)] if avoid is not None else rng.choice(found)
    to = field.target_field
    return f"key({name!r})" if to.primary_key else f"key({name!r}, {to.attname!r})"


def arguments(
    model: Any, rng: random.Random, mode: str, rows: Rows, number: int | None = None
) -> dict[str, str] | None:
    """The values of a new row, or None if a row that it must refer to is missing."""
    found: dict[str, str] = {}
    for field in writable(model):
        may_omit = field.null or field.has_default() or is_filled(field)
        if mode == OMITTED and may_omit and not field.primary_key:
            continue
        if mode == NULLS and field.null:
            found[field.attname] = "None"
            continue
        if field.remote_field:
            source = reference(field, rng, rows, number)
            if source is None and not may_omit:
                return None
            if source is None or (field.null and mode == USUAL and rng.random() < 0.2):
                continue
            found[field.attname] = source
            continue
        if is_auto(field) and mode != NEW:
            if mode == MOST and connection.vendor == "postgresql":
                found[field.attname] = str(value_of(field, rng, MOST, "postgresql"))
            continue
        if mode == NEW and field.null and rng.random() < 0.3:
            found[field.attname] = "None"
            continue
        if mode in (USUAL, NEW) and is_filled(field) and rng.random() < 0.3:
            continue
        if mode == USUAL and field.has_default() and rng.random() < 0.3:
            continue
        kind = mode if mode in (LEAST, MOST, NEW) else USUAL
        source = value_of(field, rng, kind, connection.vendor)
        if source is not None:
            found[field.attname] = source
        elif not may_omit and not is_auto(field):
            return None
    return found


def is_filled(field: Any) -> bool:
    from django.db.models import NOT_PROVIDED

    return getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED or bool(
        getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    )


def label(model: Any) -> str:
    return str(model._meta.label_lower)


def create(
    model: Any, verb: str, given: Mapping[str, str], row: str = "", *, twice: bool = False
) -> Statement:
    code = f"{model.__name__}.objects.create({{arguments}})"
    return Statement(
        verb, label(model), f"[{code}, {code}][0]" if twice else code, dict(given), row=row
    )


def first_rows(models: Sequence[Any], rng: random.Random) -> tuple[list[Statement], Rows]:
    """Rows for each model, in an order in which they can be written."""
    rows: Rows = {}
    statements = []
    for model in models:
        if not model._meta.managed or model._meta.proxy:
            continue
        for number in range(rng.choice((2, 2, 3))):
            mode = (USUAL, USUAL, rng.choice((USUAL, NULLS, OMITTED)))[number]
            given = arguments(model, rng, mode, rows, number)
            if given is None:
                continue
            name = f"{model._meta.model_name}{number}"
            statements.append(create(model, INSERT, given, name))
            for table in tables_of(model):
                rows.setdefault(table, []).append(name)
    return statements, rows


def old_statements(
    models: Sequence[Any], rng: random.Random, rows: Rows, limit: int
) -> list[Statement]:
    """Those that any application has, and so many of the others, of each sort as many."""
    always: list[Statement] = []
    sorts: list[list[Statement]] = [[], [], [], [], []]
    for model in models:
        always += usual_statements(model, rng, rows)
        sorts[0] += [*lookups(model, rng, rows), *joins(model, rng)]
        sorts[1] += functions_of(model, rng)
        sorts[2] += raw_statements(model)
        sorts[3] += more_writes(model, rng, rows)
        sorts[4] += relations(model, rng, rows)
    kept: list[Statement] = []
    for number, found in enumerate(sorts):
        share = (limit - len(kept)) // (len(sorts) - number)
        kept += rng.sample(found, min(len(found), share))
    order = {SELECT: 0, UPDATE: 1, INSERT: 2, RELATE: 3, DELETE: 4}
    return sorted([*always, *kept], key=lambda one: order[one.verb])


def statements_about(
    models: Sequence[Any], rng: random.Random, rows: Rows, names: set[str], limit: int
) -> list[Statement]:
    """So many of the statements that name one of these fields."""
    if not names:
        return []
    wanted = re.compile(rf"(?:\b|__)(?:{'|'.join(map(re.escape, sorted(names)))})(?:\b|__|_id\b)")
    found = [
        one
        for model in models
        for some in (
            lookups(model, rng, rows), functions_of(model, rng), raw_statements(model),
            more_writes(model, rng, rows), joins(model, rng),
        )
        for one in some
        if wanted.search(one.code) or names & set(one.arguments or ())
    ]  # fmt: skip
    return rng.sample(found, min(len(found), limit))


def usual_statements(model: Any, rng: random.Random, rows: Rows) -> Iterator[Statement]:
    """What any application does."""
    name, where = model.__name__, label(model)
    fields = [one.attname for one in model._meta.concrete_fields]
    listed = ", ".join(map(repr, ["pk", *fields]))
    yield Statement(
        SELECT, where, f"{name}.objects.order_by('pk').values_list({listed})", is_keyed=True
    )
    yield Statement(SELECT, where, f"read_all({name})")
    for field in model._meta.concrete_fields:
        if type(field).__name__ == "ArrayField":
            item = value_of(field.base_field, rng, USUAL, connection.vendor)
            code = f"{name}.objects.filter({field.name}__contains=[{item}]).values_list('pk')"
            yield Statement(SELECT, where, code, is_keyed=True)
    if not model._meta.managed:
        return
    for mode in (USUAL, NULLS, OMITTED, MOST):
        given = arguments(model, rng, mode, rows, len(rows.get(model._meta.db_table, [])))
        if given is not None:
            yield create(model, INSERT, given)
    yield Statement(UPDATE, where, f"save_all({name})")
    mine = rows.get(model._meta.concrete_model._meta.db_table, [])
    for row in mine[:1]:
        yield Statement(INSERT, where, f"copy(get({name}, {row!r}))")
    for row in mine[:2]:
        yield Statement(DELETE, where, f"get({name}, {row!r}).delete()")
    yield Statement(DELETE, where, f"{name}.objects.all().delete()")
    for field in rng.sample(writable(model), min(2, len(writable(model)))):
        if mine and not field.primary_key and not field.remote_field:
            source = value_of(field, rng, rng.choice((USUAL, LEAST)), connection.vendor)
            if source is not None:
                code = f"{name}.objects.filter(pk=key({mine[0]!r})).update({field.name}={source})"
                yield Statement(UPDATE, where, code)


def more_writes(model: Any, rng: random.Random, rows: Rows) -> Iterator[Statement]:
    name, where = model.__name__, label(model)
    if not model._meta.managed:
        return
    mine = rows.get(model._meta.concrete_model._meta.db_table, [])
    for mode in (USUAL, LEAST, OMITTED):
        given = arguments(model, rng, mode, rows, len(mine))
        if given is None:
            continue
        yield create(model, INSERT, given)
        yield create(model, INSERT, given, twice=True)
        many = f"{name}.objects.bulk_create([{name}({{arguments}})])"
        yield Statement(INSERT, where, many, given)
        many = f"{name}.objects.bulk_create([{name}({{arguments}})], ignore_conflicts=True)"
        yield Statement(INSERT, where, many, given)
    basis = arguments(model, rng, USUAL, rows, len(mine))
    for field in writable(model):
        if basis is None:
            break
        source = value_of(field, rng, MOST, connection.vendor)
        if source is not None and not field.remote_field:
            yield create(model, INSERT, {**basis, field.attname: source})
            if mine and not field.primary_key:
                code = f"{name}.objects.filter(pk=key({mine[0]!r})).update({field.name}={source})"
                yield Statement(UPDATE, where, code)
        if field.remote_field and not field.db_constraint and not field.target_field.remote_field:
            source = value_of(field.target_field, rng, NEW, connection.vendor) or "777777"
            yield create(model, INSERT, {**basis, field.attname: source})
        if field.null and mine and not field.remote_field:
            code = f"{name}.objects.filter(pk=key({mine[0]!r})).update({field.name}=None)"
            yield Statement(UPDATE, where, code)
        if field.get_internal_type() in INTEGERS:
            change = f"{field.name}=F({field.name!r}) + 1"
            yield Statement(UPDATE, where, f"{name}.objects.update({change})")
        if field.unique and not field.primary_key and basis.get(field.attname):
            more = f"update_conflicts=True, unique_fields=[{field.name!r}]"
            more += f", update_fields=[{field.name!r}]"
            code = f"{name}.objects.bulk_create([{name}({{arguments}})], {more})"
            yield Statement(INSERT, where, code, basis)
    for row in mine[:1]:
        yield Statement(UPDATE, where, f"get({name}, {row!r}).save()")
        code = f"list({name}.objects.select_for_update(of=('self',)).filter(pk=key({row!r})))"
        yield Statement(UPDATE, where, code)
        given = ", ".join(repr(one.name) for one in writable(model) if not one.primary_key)
        if given:
            code = f"{name}.objects.bulk_update([get({name}, {row!r})], [{given}])"
            yield Statement(UPDATE, where, code)


def lookups(model: Any, rng: random.Random, rows: Rows) -> Iterator[Statement]:
    name, where = model.__name__, label(model)

    def select(code: str, *columns: str) -> Statement:
        listed = ", ".join(map(repr, ["pk", *columns]))
        code = f"{name}.objects.{code}.values_list({listed})"
        return Statement(SELECT, where, code, is_keyed=True)

    yield Statement(SELECT, where, f"find_each({name}, 'pk')")
    for field in model._meta.concrete_fields:
        if field.remote_field:
            continue
        f, kind, cls = field.name, field.get_internal_type(), type(field).__name__
        if sort_of(field) in ("integer", "big", "text", "date"):
            yield Statement(SELECT, where, f"find_each({name}, {f!r})")
        for mode in (USUAL, LEAST):
            source = value_of(field, rng, mode, connection.vendor)
            if source is not None:
                yield select(f"filter({f}={source})", f)
                yield select(f"exclude({f}={source})", f)
                yield select(f"filter({f}__in=[{source}, {source}])", f)
        yield select(f"filter({f}__isnull=True)")
        yield select(f"order_by({f!r}, 'pk')", f)
        if kind in TEXTS:
            yield select(f"filter({f}__icontains='e')", f)
            yield select(f"filter({f}__startswith='b')", f)
            yield select(f"filter({f}__regex='^[a-z]+')", f)
        if kind in INTEGERS or kind in ("DecimalField", "FloatField"):
            yield select(f"filter({f}__gte=1, {f}__lt=500)", f)
        if kind in ("DateField", "DateTimeField"):
            yield select(f"filter({f}__year=2001)", f)
            yield select(f"filter({f}__gte='2001-01-01')", f)
        if kind == "JSONField":
            yield select(f"filter({f}__a=1)", f)
            yield select(f"filter({f}__has_key='a')", f)
            yield select(f"filter({f}__b__0__gte=1)", f)
        if cls == "ArrayField":
            item = value_of(field.base_field, rng, USUAL, connection.vendor)
            yield select(f"filter({f}__contains=[{item}])", f)
            yield select(f"filter({f}__overlap=[{item}, {item}])", f)
            yield select(f"filter({f}__contained_by=[{item}, {item}])", f)
            yield select(f"filter({f}__0={item})", f)
            yield select(f"filter({f}__len__gte=1)", f)
        if "Range" in cls:
            source = value_of(field, rng, USUAL, connection.vendor)
            yield select(f"filter({f}__overlap={source})", f)
            yield select(f"filter({f}__contains={source})", f)
            yield select(f"filter({f}__isempty=True)", f)
        if cls == "HStoreField":
            yield select(f"filter({f}__a='1')", f)
            yield select(f"filter({f}__has_key='a')", f)
        if cls == "SearchVectorField":
            yield select(f"filter({f}='beet')")
            yield select(f"annotate(x=SearchRank(F({f!r}), SearchQuery('beet')))", "x")
        for aggregate in ("Max", "Count"):
            yield Statement(SELECT, where, f"{name}.objects.aggregate(x={aggregate}({f!r}))")
        if kind in INTEGERS or kind == "DecimalField":
            yield Statement(SELECT, where, f"{name}.objects.aggregate(x=Sum({f!r}), y=Avg({f!r}))")
        if connection.vendor == "postgresql":
            yield Statement(SELECT, where, f"{name}.objects.aggregate(x=ArrayAgg({f!r}))")
        yield Statement(
            SELECT, where, f"{name}.objects.values({f!r}).annotate(x=Count('pk')).order_by({f!r})"
        )


FUNCTIONS = {
    "text": (
        "Upper({f})", "Lower({f})", "Length({f})", "Left({f}, 2)", "Substr({f}, 1, 2)",
        "Concat({f}, Value('x'))", "StrIndex({f}, Value('e'))", "MD5({f})", "Trim({f})",
        "Replace({f}, Value('e'), Value('o'))", "Cast({f}, TextField())",
        "Coalesce({f}, Value('x'))", "Greatest({f}, Value('b'))", "Reverse({f})",
    ),
    "integer": (
        "Chr({f})", "Abs({f})", "Mod({f}, 3)", "Round({f})", "Cast({f}, TextField())",
        "F({f}) + 1", "F({f}) * Value(2)", "Power({f}, 2)", "Coalesce({f}, 0)", "Sign({f})",
        "F({f}).bitand(3)", "Greatest({f}, 5)",
        "Cast({f}, DecimalField(max_digits=20, decimal_places=2))",
        "Repeat(Value('x'), F({f}))", "Left(Value('words'), F({f}))",
        "Substr(Value('words'), F({f}))", "LPad(Value('x'), F({f}))",
        "Round(Value(Decimal('1.25')), precision=F({f}))",
    ),
    "number": ("Round({f})", "Floor({f})", "Ceil({f})", "F({f}) * 2", "Abs({f})"),
    "date": (
        "ExtractYear({f})", "TruncMonth({f})", "F({f}) + timedelta(1)", "Cast({f}, TextField())",
        "ExtractWeekDay({f})",
    ),
    "datetime": (
        "ExtractHour({f})", "TruncDay({f})", "TruncDate({f})", "F({f}) + timedelta(1)",
        "Now() - F({f})",
    ),
    "duration": ("F({f}) + timedelta(1)",),
    "json": ("KeyTextTransform('a', {f})", "Cast({f}, TextField())"),
}  # fmt: skip
FUNCTIONS["big"] = tuple(
    one
    for one in FUNCTIONS["integer"]
    if not one.startswith(("Chr", "Left", "Substr", "LPad", "Rep"))
)
PAIRS = (
    ("text", "integer", "Left({a}, F({b}))"),
    ("text", "integer", "Substr({a}, F({b}))"),
    ("text", "integer", "Repeat({a}, F({b}))"),
    ("text", "integer", "LPad({a}, F({b}))"),
    ("number", "integer", "Round({a}, precision=F({b}))"),
    ("number", "integer", "F({a}) * F({b})"),
    ("integer", "integer", "F({a}) - F({b})"),
    ("date", "integer", "ExpressionWrapper(F({a}) + F({b}), DateField())"),
    ("date", "integer", "ExpressionWrapper(F({a}) - F({b}), DateField())"),
    ("date", "date", "F({a}) - F({b})"),
    ("text", "text", "Concat({a}, {b}, output_field=TextField())"),
    ("text", "text", "Coalesce({a}, {b}, output_field=TextField())"),
    ("array", "integer", "ArrayPosition({a}, {b})"),
)  # fmt: skip


_SORTS = {
    "DecimalField": "number",
    "FloatField": "number",
    "DateField": "date",
    "DateTimeField": "datetime",
    "DurationField": "duration",
    "JSONField": "json",
}


def sort_of(field: Any) -> str:
    kind = field.get_internal_type()
    if "Big" in kind and "Range" not in kind:
        return "big"
    if kind in INTEGERS or is_auto(field):
        return "integer"
    if kind in TEXTS:
        return "text"
    return _SORTS.get(kind, "array" if type(field).__name__ == "ArrayField" else "")


def paths(model: Any) -> list[tuple[str, Any]]:
    """The columns of a model, and those of the models that it refers to."""
    found = [(one.name, one) for one in model._meta.concrete_fields if not one.remote_field]
    for field in model._meta.concrete_fields:
        if field.remote_field:
            to = field.remote_field.model
            found += [
                (f"{field.name}__{one.name}", one)
                for one in to._meta.concrete_fields
                if not one.remote_field
            ]
    return found


def functions_of(model: Any, rng: random.Random) -> Iterator[Statement]:
    name, where = model.__name__, label(model)

    def annotated(expression: str, guard: str = "") -> Statement:
        code = f"{name}.objects{guard}.annotate(x={expression}).values_list('pk', 'x')"
        return Statement(SELECT, where, code, is_keyed="Now()" not in code)

    found = paths(model)
    for path, field in found:
        sort = sort_of(field)
        # Values for which these functions are defined. The type of the column is what may change.
        is_number = sort in ("integer", "big")
        guard = f".filter({path}__gt=0, {path}__lt=1000)" if is_number else ""
        some = FUNCTIONS.get(sort, ())
        for expression in some if "__" not in path else some[:4]:
            yield annotated(expression.format(f=repr(path)), guard)
    for first, second, expression in PAIRS:
        for a, one in found:
            for b, two in found:
                if a == b or sort_of(one) != first or sort_of(two) != second:
                    continue
                guard = f".filter({b}__gt=0, {b}__lt=1000)" if second == "integer" else ""
                yield annotated(expression.format(a=repr(a), b=repr(b)), guard)


def joins(model: Any, rng: random.Random) -> Iterator[Statement]:
    name, where = model.__name__, label(model)

    def select(code: str) -> Statement:
        return Statement(SELECT, where, f"{name}.objects.{code}", is_keyed=True)

    for field in model._meta.concrete_fields:
        if not field.remote_field:
            continue
        to = field.remote_field.model
        listed = ", ".join(repr(f"{field.name}__{one.attname}") for one in to._meta.concrete_fields)
        yield select(f"order_by('pk').values_list('pk', {listed})")
        yield Statement(
            SELECT,
            where,
            f"[one.{field.name} for one in {name}.objects.select_related({field.name!r})]",
        )
        yield Statement(SELECT, where, f"list({name}.objects.prefetch_related({field.name!r}))")
        yield select(f"filter({field.name}__isnull=False).values_list('pk', '{field.attname}')")
        inner = f"{to.__name__}.objects.filter(pk=OuterRef({field.attname!r}))"
        if field.target_field.primary_key:
            yield select(f"annotate(x=Exists({inner})).values_list('pk', 'x')")
            yield select(f"filter({field.name}__in={to.__name__}.objects.all()).values_list('pk')")
    for related in model._meta.related_objects:
        accessor = related.name
        yield Statement(
            SELECT, where, f"{name}.objects.annotate(x=Count({accessor!r})).values_list('pk', 'x')"
        )
        yield select(f"filter({accessor}__isnull=False).values_list('pk')")
        if related.get_accessor_name():
            yield Statement(
                SELECT,
                where,
                f"list({name}.objects.prefetch_related({related.get_accessor_name()!r}))",
            )
    for many in model._meta.many_to_many:
        yield select(f"filter({many.name}__isnull=False).values_list('pk', '{many.name}')")
        yield Statement(SELECT, where, f"list({name}.objects.prefetch_related({many.name!r}))")
    yield Statement(SELECT, where, f"list({name}.objects.dates('made', 'month'))")
    yield Statement(SELECT, where, f"{name}.objects.count()")
    yield Statement(
        SELECT, where, f"{name}.objects.values_list('pk').union({name}.objects.values_list('pk'))"
    )


def raw_statements(model: Any) -> Iterator[Statement]:
    """Statements with column names that no table qualifies."""
    name, where = model.__name__, label(model)
    quote = connection.ops.quote_name
    mine = [one for one in model._meta.local_concrete_fields if one.column]
    if not mine:
        return
    table = quote(model._meta.db_table)
    listed = ", ".join(quote(one.column) for one in mine)
    if not model._meta.proxy and len(model._meta.get_parent_list()) == 0:
        yield Statement(SELECT, where, f"read_raw({name}, {f'SELECT * FROM {table}'!r})")
        yield Statement(SELECT, where, f"read_raw({name}, {f'SELECT {listed} FROM {table}'!r})")
    for field in mine:
        column = quote(field.column)
        extra = f"select={{'x': {column!r}}}, where=[{f'{column} IS NOT NULL'!r}]"
        yield Statement(
            SELECT, where, f"{name}.objects.extra({extra}).values_list('pk', 'x')", is_keyed=True
        )
        for key in mine:
            if not key.remote_field or key is field:
                continue
            others = [o for o in key.remote_field.model._meta.concrete_fields if not o.primary_key]
            if others:
                join = f"{name}.objects.order_by({f'{key.name}__{others[0].name}'!r}, 'pk')"
                code = f"{join}.extra({extra}).values_list('pk', 'x')"
                yield Statement(SELECT, where, code, is_keyed=True)
            to = key.remote_field.model._meta
            text = (
                f"SELECT {column} FROM {table} JOIN {quote(to.db_table)} AS other"
                f" ON {table}.{quote(key.column)} = other.{quote(key.target_field.column)}"
            )
            yield Statement(SELECT, where, f"query({text!r})")
    numbers = [one for one in mine if sort_of(one) == "integer"]
    dates = [one for one in mine if sort_of(one) == "date"]
    for one in dates:
        for two in numbers:
            a, b = quote(one.column), quote(two.column)
            text = f"SELECT {a} + {b} FROM {table} WHERE {b} BETWEEN 0 AND 1000"
            yield Statement(SELECT, where, f"query({text!r})")


def relations(model: Any, rng: random.Random, rows: Rows) -> Iterator[Statement]:
    name, where = model.__name__, label(model)
    mine = rows.get(model._meta.concrete_model._meta.db_table, [])
    if not mine:
        return
    for many in model._meta.many_to_many:
        to = many.remote_field.model
        others = rows.get(to._meta.concrete_model._meta.db_table, [])
        if not others:
            continue
        side = f"get({name}, {mine[0]!r}).{many.name}"
        other = f"get({to.__name__}, {rng.choice(others)!r})"
        yield Statement(RELATE, where, f"{side}.add({other})")
        yield Statement(RELATE, where, f"[{side}.add({other}), {side}.remove({other})]")
        yield Statement(RELATE, where, f"[{side}.set([{other}]), {side}.clear()]")
        yield Statement(RELATE, where, f"{side}.create(**{{}})")
        yield Statement(DELETE, where, f"[{side}.add({other}), get({name}, {mine[0]!r}).delete()]")
    for field in model._meta.concrete_fields:
        if field.remote_field and not getattr(field.remote_field, "parent_link", False):
            source = reference(field, rng, rows)
            if source and not field.primary_key:
                code = (
                    f"{name}.objects.filter(pk=key({mine[-1]!r})).update({field.attname}={source})"
                )
                yield Statement(RELATE, where, code)
    for related in model._meta.related_objects:
        accessor = related.get_accessor_name()
        theirs = rows.get(related.related_model._meta.concrete_model._meta.db_table, [])
        if accessor and theirs and related.one_to_many:
            other = f"get({related.related_model.__name__}, {theirs[0]!r})"
            side = f"get({name}, {mine[0]!r}).{accessor}"
            yield Statement(RELATE, where, f"{side}.add({other}, bulk=False)")
            if related.field.null:
                yield Statement(RELATE, where, f"{side}.clear()")


def new_writes(models: Sequence[Any], rng: random.Random, rows: Rows) -> list[Statement]:
    """What new code writes: rows that refer to old ones, and values that only it allows."""
    rows = {table: list(names) for table, names in rows.items()}
    found: list[Statement] = []
    for number, model in enumerate(models):
        if model._meta.proxy or not model._meta.managed:
            continue
        for again in range(2):
            given = arguments(model, rng, NEW, rows, again)
            if given is None:
                continue
            name = f"new{number}_{again}"
            found.append(create(model, INSERT, given, name))
            rows.setdefault(model._meta.db_table, []).append(name)
        for many in model._meta.many_to_many:
            if not many.remote_field.through._meta.auto_created:
                continue
            mine = rows.get(model._meta.db_table, [])
            to = many.remote_field.model
            others = rows.get(to._meta.concrete_model._meta.db_table, [])
            if mine and others:
                for one, two in ((mine[0], others[0]), (mine[-1], others[-1])):
                    side = f"get({model.__name__}, {one!r}).{many.name}"
                    code = f"{side}.add(get({to.__name__}, {two!r}))"
                    found.append(Statement(RELATE, label(model), code))
    return found
