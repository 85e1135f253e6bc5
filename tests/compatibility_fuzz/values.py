"""Values of a field, as Python source: usual ones, the least, the most, and those of new code."""

import random
from typing import Any

USUAL, LEAST, MOST, NEW = "usual", "least", "most", "new"
WORDS = ("a", "b", "beet", "Kale", "oat 7", "rye-x", "straw", "teff", "ulu", "é", "100%")


def value_of(field: Any, rng: random.Random, mode: str, vendor: str) -> str | None:
    """The source of a value that the field takes, or None if there is none of this kind."""
    kind = field.get_internal_type()
    maker = _BY_TYPE.get(type(field).__name__) or _BY_TYPE.get(kind)
    if maker is None:
        for base in type(field).__mro__:
            maker = maker or _BY_TYPE.get(base.__name__)
    return maker(field, rng, mode, vendor) if maker else None


def _text(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    limit = getattr(field, "max_length", None)
    if mode == LEAST:
        return "''"
    if mode == MOST:
        most = min(limit or 12_000, 12_000)
        return f"long({most})" if rng.random() < 0.7 else f"wide({most})"
    if mode == NEW and rng.random() < 0.4:
        return f"'N{rng.randrange(10, 99)}' + long({min(limit or 9_000, 9_000) - 3})"
    word = (
        rng.choice(WORDS) + str(rng.randrange(10_000)) if rng.random() < 0.7 else rng.choice(WORDS)
    )
    return repr((f"N{rng.randrange(9999)}{word}" if mode == NEW else word)[:limit])


def _integer(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    from django.db import connection

    low, high = connection.ops.integer_field_range(field.get_internal_type())
    low, high = low or -(2**31), high or 2**31 - 1
    if mode == LEAST:
        return str(low)
    if mode == MOST:
        return str(high)
    if mode == NEW:
        return str(rng.choice([high - rng.randrange(1000), rng.randrange(20_000, 32_000), low + 1]))
    return str(rng.choice([rng.randrange(10), rng.randrange(65, 130), rng.randrange(10_000)]))


def _auto(field: Any, rng: random.Random, mode: str, vendor: str) -> str | None:
    if mode not in (NEW, MOST) or (mode == NEW and rng.random() < 0.5):
        return None
    most = int(_integer(field, rng, MOST, vendor))
    return str(most // 2 + rng.randrange(100))  # MySQL goes on from here


def _boolean(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    return {LEAST: "False", MOST: "True"}.get(mode) or str(rng.random() < 0.5)


def _decimal(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    if not field.max_digits:
        if mode in (MOST, NEW):
            return f"digits({20_000 if mode == MOST else 12_000})"
        return f"Decimal('{rng.randrange(1000)}.{rng.randrange(1, 9)}')"
    whole = field.max_digits - field.decimal_places
    most = "9" * whole + ("." if field.decimal_places else "") + "9" * field.decimal_places
    if mode == LEAST:
        return f"Decimal('-{most}')"
    if mode == MOST or (mode == NEW and rng.random() < 0.6):
        return f"Decimal('{most}')"
    some = rng.randrange(10 ** min(whole, 3)) if whole else 0
    return f"Decimal('{some}{'.5' if field.decimal_places else ''}')"


def _float(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    return {LEAST: "-1e300", MOST: "1e300"}.get(mode) or repr(rng.randrange(1000) / 4)


def _date(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    if mode == LEAST:
        return "date(1, 1, 1)" if vendor == "postgresql" else "date(1000, 1, 1)"
    if mode == MOST:
        return "date(9999, 12, 31)"
    year = 2300 if mode == NEW else 2001
    return f"date({year + rng.randrange(20)}, {rng.randrange(1, 13)}, {rng.randrange(1, 28)})"


def _datetime(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    day = _date(field, rng, mode, vendor).removeprefix("date(").removesuffix(")")
    return f"datetime({day}, {rng.randrange(24)}, {rng.randrange(60)}, tzinfo=UTC)"


def _time(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    return {LEAST: "time(0, 0)", MOST: "time(23, 59, 59, 999999)"}.get(
        mode
    ) or f"time({rng.randrange(24)}, {rng.randrange(60)})"


def _duration(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    return {LEAST: "timedelta(-9999)", MOST: "timedelta(99999)"}.get(
        mode
    ) or f"timedelta({rng.randrange(100)}, {rng.randrange(9000)})"


def _uuid(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    number = {LEAST: 0, MOST: 2**128 - 1}.get(mode, rng.getrandbits(120))
    return f"UUID(int={number})"


def _address(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    if mode == MOST and field.get_internal_type() == "GenericIPAddressField":
        return "'2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'"
    return f"'10.{rng.randrange(9)}.{rng.randrange(250)}.{int(mode == NEW)}'"


def _binary(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    if mode == LEAST:
        return "b''"
    if mode == MOST:
        return "long(9000).encode()"
    return repr(bytes([rng.randrange(256), rng.randrange(256), 7 if mode == NEW else 1]))


def _json(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    if mode == LEAST:
        return rng.choice(["{}", "[]", "0", "''"])
    if mode == MOST:
        return "{'a': long(9000), 'b': [1, None, {'c': 2.5}]}"
    return f"{{'a': {rng.randrange(9)}, 'b': [{rng.randrange(9)}, 'x'], 'n': {mode == NEW}}}"


def _array(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    if mode == LEAST:
        return "[]"
    is_nested = type(field.base_field).__name__ == "ArrayField"
    is_text = is_nested or type(field.base_field).__name__ in ("CharField", "TextField")
    count = 1 if is_nested else rng.randrange(1, 4)
    items = [value_of(field.base_field, rng, mode, vendor) for _ in range(count)]
    if any(item is None for item in items):
        return "[]"
    if not is_nested and rng.random() < 0.35:
        items.append("None")
    if field.size:
        items = items[: field.size]
    if mode == MOST and not is_text and rng.random() < 0.4:
        return f"[{', '.join(map(str, items))}] * 300"
    return f"[{', '.join(map(str, items))}]"


def _range(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    low = rng.randrange(1000)
    ends = {
        "DateRangeField": ("DateRange", "date(2001, 1, {})", 1, 28),
        "DateTimeRangeField": ("DateTimeTZRange", "datetime(2001, 1, {}, tzinfo=UTC)", 1, 28),
        "DecimalRangeField": ("NumericRange", "Decimal('{}.5')", 0, 0),
    }.get(type(field).__name__, ("NumericRange", "{}", 0, 0))
    name, form, first, last = ends
    if mode == LEAST:
        return f"{name}(empty=True)"
    if mode == MOST:
        return f"{name}(None, None)"
    if last:
        low = rng.randrange(first, last - 1)
    return f"{name}({form.format(low)}, {form.format(low + 1 + (0 if last else rng.randrange(9)))})"


def _hstore(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    if mode == MOST:
        return "{'a': long(9000), 'b': None}"
    return "{}" if mode == LEAST else f"{{'a': '{rng.randrange(9)}', 'b': None}}"


def _vector(field: Any, rng: random.Random, mode: str, vendor: str) -> str:
    if mode == MOST:
        return "lexemes(9000)"
    return "''" if mode == LEAST else repr(f"beet kale{rng.randrange(9)}")


_BY_TYPE: dict[str, Any] = {
    **dict.fromkeys(("CharField", "TextField", "SlugField", "FileField", "FilePathField"), _text),
    "Phrase": _text,
    **dict.fromkeys(
        (
            "IntegerField", "SmallIntegerField", "BigIntegerField", "PositiveIntegerField",
            "PositiveSmallIntegerField", "PositiveBigIntegerField", "OrderWrt",
        ),
        _integer,
    ),
    **dict.fromkeys(("AutoField", "BigAutoField", "SmallAutoField"), _auto),
    "BooleanField": _boolean,
    "DecimalField": _decimal,
    "FloatField": _float,
    "DateField": _date,
    "DateTimeField": _datetime,
    "TimeField": _time,
    "DurationField": _duration,
    "UUIDField": _uuid,
    "IPAddressField": _address,
    "GenericIPAddressField": _address,
    "BinaryField": _binary,
    "JSONField": _json,
    "ArrayField": _array,
    "RangeField": _range,
    "HStoreField": _hstore,
    "SearchVectorField": _vector,
}  # fmt: skip
