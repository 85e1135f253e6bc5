"""How a class names the keys of a spec in its fields: one entry for each key.

The parser, docs/spec.schema.json and docs/spec.md are all made from these entries.
"""

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any

from lightgate.image.addresses import Hint, bare_name
from lightgate.json_reader import LONGEST_TEXT, Node

_NO_NUL = r"[^\0]+"


@dataclass(frozen=True, slots=True)
class ValueKind[T]:
    """What may stand behind a key: how it is read, and what JSON Schema says of it.

    `stand_in` takes the place of a required value that is missing. `objects` are the classes whose
    keys stand inside the value.
    """

    read: Callable[[Node], T]
    schema: Mapping[str, Any]
    stand_in: Any = None
    objects: tuple[type, ...] = ()


class _Required(enum.Enum):
    REQUIRED = enum.auto()


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an object in the spec. `meaning` and `example` are for its owner."""

    name: str
    kind: ValueKind[Any]
    meaning: str
    example: object


def key[T](
    name: str,
    kind: ValueKind[T],
    meaning: str = "",
    *,
    example: object = None,
    default: T | _Required = _Required.REQUIRED,
    default_factory: Callable[[], T] | None = None,
) -> T:
    """The field of a class that is read from the key `name`. Without a default it is required.

    A key without a `meaning` means what the object behind it says of itself.
    """
    metadata = {Key: Key(name, kind, meaning, example)}
    if default_factory is not None:
        return field(metadata=metadata, default_factory=default_factory)
    if isinstance(default, _Required):
        found: T = field(metadata=metadata)
        return found
    return field(metadata=metadata, default=default)


def keys_of(of: type) -> Iterator[tuple[Key, Field[Any]]]:
    for each in fields(of):
        if Key in each.metadata:
            yield each.metadata[Key], each


def is_required(of: Field[Any]) -> bool:
    return of.default is MISSING and of.default_factory is MISSING


def read_object[T](of: type[T], node: Node) -> T:
    """The object that the node describes; reports unknown and missing keys, and wrong values."""
    keys = list(keys_of(of))
    given = node.fields(
        required=[key.name for key, each in keys if is_required(each)],
        optional=[key.name for key, each in keys if not is_required(each)],
    )
    values = {}
    for key, each in keys:
        if key.name in given:
            values[each.name] = key.kind.read(given.nodes[key.name])
        elif is_required(each):
            values[each.name] = key.kind.stand_in
    return of(**values)


def whole(lowest: int, highest: int) -> ValueKind[int]:
    schema = {"type": "integer", "minimum": lowest, "maximum": highest}
    return ValueKind(lambda node: node.integer(lowest, highest), schema, lowest)


BOOLEAN = ValueKind(Node.boolean, {"type": "boolean"})


def choice[S: str](*options: S) -> ValueKind[S]:
    schema = {"type": "string", "enum": list(options)}
    return ValueKind(lambda node: node.choice(*options), schema, options[0])


def text(
    pattern: str = _NO_NUL,
    allowed: str = "",
    longest: int = LONGEST_TEXT,
    *,
    hint: Hint = lambda _: None,
    stricter: str | None = None,
) -> ValueKind[str]:
    """A text that matches the pattern, which `allowed` says in words.

    `stricter` is the pattern for the schema, where a rule allows less than the pattern.
    """

    def read(node: Node) -> str:
        return bare_name(node, pattern, allowed, longest, hint)

    return ValueKind(read, text_schema(stricter or pattern, longest), "")


def text_schema(pattern: str = _NO_NUL, longest: int = LONGEST_TEXT) -> dict[str, Any]:
    # The parameter store refuses {{ in every text.
    braces = {"pattern": r"\{\{"}
    whole_text = {"type": "string", "minLength": 1, "maxLength": longest}
    return {**whole_text, "pattern": f"^(?:{pattern})$", "not": braces}


def list_of[T](kind: ValueKind[T], *, if_empty: str | None = None) -> ValueKind[tuple[T, ...]]:
    """`if_empty` says what is wrong with a list of nothing; without it, such a list is valid."""

    def read(node: Node) -> tuple[T, ...]:
        items = node.items(texts=kind.schema.get("type") == "string")
        if if_empty is not None and node.value == []:
            node.problem(if_empty)
        return tuple(kind.read(item) for item in items)

    shortest = {} if if_empty is None else {"minItems": 1}
    return ValueKind(
        read, {"type": "array", **shortest, "items": kind.schema}, objects=kind.objects
    )


def object_of[T](of: type[T]) -> ValueKind[T]:
    schema = {"$ref": f"#/$defs/{definition(of)}"}
    return ValueKind(lambda node: read_object(of, node), schema, objects=(of,))


def definition(of: type) -> str:
    """The name of the class under `$defs` in the schema."""
    return of.__name__[0].lower() + of.__name__[1:]
