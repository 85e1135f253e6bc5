"""Values as JSON: the one codec for what travels from step to step and what goes on record.

A dataclass becomes an object, its fields become keys in camel case. A moment is written as ISO
8601, a duration as a number of seconds under a key that ends in `Seconds`. A field whose default is
None is left out while it is None, so that `IsPresent` in the state machine means something.
"""

import enum
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal, TypeAliasType, Union, cast, get_args, get_origin, get_type_hints

from lightgate.errors import LightgateError

_NOTHING = object()


class DecodeError(LightgateError):
    """A document is not what the codec has written. The text names the path and the value."""


def encode(value: object, *, complete: bool = False) -> Any:  # noqa: ANN401 - JSON
    """The value as JSON, see the module. With `complete` no field is left out."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {str(key): encode(member, complete=complete) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [encode(member, complete=complete) for member in value]
    if is_dataclass(value) and not isinstance(value, type):
        members = {field: getattr(value, field.name) for field in fields_of(value.__class__)}
        return {
            field.key: encode(member, complete=complete)
            for field, member in members.items()
            if complete or member is not None or not field.is_left_out
        }
    return value


def decode[T](
    kind: type[T], document: object, path: str = "$", *, ignore_unknown: bool = False
) -> T:
    """The value that `encode` has written.

    Among several dataclasses the value of `status` chooses. Unknown keys are an error unless
    `ignore_unknown`: what is on record may be of another version of Lightgate.

    Raises:
        DecodeError: it is not of this kind.
    """
    return cast("T", _Decoder(ignore_unknown=ignore_unknown).decode(kind, document, path))


@dataclass(frozen=True, slots=True)
class EncodedField:
    """A field as `encode` writes it. `is_left_out`: not while it is None."""

    name: str
    key: str
    kind: Any
    has_default: bool
    is_left_out: bool


@cache
def fields_of(kind: type) -> tuple[EncodedField, ...]:
    hints = get_type_hints(kind)
    found = []
    for field in fields(kind):
        has_default = field.default is not MISSING or field.default_factory is not MISSING
        found.append(
            EncodedField(
                name=field.name,
                key=_key(field.name, hints[field.name]),
                kind=hints[field.name],
                has_default=has_default,
                is_left_out=field.default is None,
            )
        )
    return tuple(found)


def _key(name: str, kind: object) -> str:
    first, *rest = name.split("_")
    key = first + "".join(word.capitalize() for word in rest)
    return f"{key}Seconds" if timedelta in _parts(kind) else key


def _parts(kind: object) -> set[object]:
    return {kind}.union(*(_parts(part) for part in get_args(kind)))


class _Decoder:
    def __init__(self, *, ignore_unknown: bool) -> None:
        self._ignore_unknown = ignore_unknown

    def decode(self, kind: Any, document: object, path: str) -> object:  # noqa: ANN401 - a type
        if isinstance(kind, TypeAliasType):
            return self.decode(kind.__value__, document, path)
        if kind in (Any, object):
            return document
        origin = get_origin(kind)
        if origin in (Union, types.UnionType):
            return self._one_of(get_args(kind), document, path)
        if isinstance(kind, type) and is_dataclass(kind):
            return self._dataclass(kind, document, path)
        if origin in (Mapping, dict):
            _, member = get_args(kind)
            found = _checked(Mapping, document, path)
            return {key: self.decode(member, each, f"{path}.{key}") for key, each in found.items()}
        if origin in (Sequence, tuple, list):
            member = get_args(kind)[0]
            found = _checked(list, document, path)
            return tuple(
                self.decode(member, each, f"{path}[{index}]") for index, each in enumerate(found)
            )
        return _scalar(kind, document, path)

    def _one_of(self, kinds: Sequence[Any], document: object, path: str) -> object:
        if document is None and types.NoneType in kinds:
            return None
        options = [kind for kind in kinds if kind is not types.NoneType]
        if len(options) > 1:
            status = _checked(Mapping, document, path).get("status", _NOTHING)
            if status is _NOTHING:
                raise DecodeError(f"{path}.status is missing")
            allowed = {word: kind for kind in options for word in _statuses(kind)}
            if not isinstance(status, str) or status not in allowed:
                words = ", ".join(sorted(allowed))
                raise DecodeError(f"{path}.status cannot be {_shown(status)} (allowed: {words})")
            options = [allowed[status]]
        return self.decode(options[0], document, path)

    def _dataclass(self, kind: type, document: object, path: str) -> object:
        found = dict(_checked(Mapping, document, path))
        values: dict[str, object] = {}
        for field in fields_of(kind):
            member = found.pop(field.key, _NOTHING)
            if member is not _NOTHING:
                values[field.name] = self.decode(field.kind, member, f"{path}.{field.key}")
            elif not field.has_default:
                raise DecodeError(f"{path}.{field.key} is missing")
        if found and not self._ignore_unknown:
            raise DecodeError(" and ".join(f"{path}.{key} is unknown" for key in found))
        return kind(**values)


def _statuses(kind: type) -> Sequence[str]:
    """The values that the field `status` can have."""
    [of_status] = [field.kind for field in fields_of(kind) if field.name == "status"]
    if isinstance(of_status, type) and issubclass(of_status, enum.Enum):
        return [member.value for member in of_status]
    return get_args(of_status)


def _checked(kind: Any, document: object, path: str) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(document, kind):
        raise DecodeError(f"{path} has to be {_NAMES[kind]}, and is {_shown(document)}")
    return document


def _scalar(kind: Any, document: object, path: str) -> object:  # noqa: ANN401 - a type
    if get_origin(kind) is Literal:
        if document in get_args(kind):
            return document
        raise DecodeError(f"{path} has to be one of {get_args(kind)}, and is {_shown(document)}")
    if kind is datetime:
        return _converted(_moment, _checked(str, document, path), path)
    if issubclass(kind, enum.Enum):
        return _converted(kind, document, path)
    if kind in (float, timedelta):
        number = _checked(int | float, document, path)
        if not isinstance(document, bool):
            return number if kind is float else timedelta(seconds=number)
    elif type(document) is kind:
        return document
    raise DecodeError(f"{path} has to be {_NAMES[kind]}, and is {_shown(document)}")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("without an offset from UTC")
    return moment


def _converted(convert: Callable[[Any], object], document: object, path: str) -> object:
    try:
        return convert(document)
    except ValueError as error:
        raise DecodeError(f"{path} cannot be {_shown(document)}: {error}") from error


_NAMES: Mapping[object, str] = {
    Mapping: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    timedelta: "a number of seconds",
    int | float: "a number",
}


def _shown(document: object) -> str:
    text = repr(document)
    return text if len(text) <= 100 else f"{text[:100]}…"
