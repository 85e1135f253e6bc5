"""AWS's JSON 1.1 protocol: from an HTTP request to checked parameters, and back.

It uses botocore's model of Lightsail. So an answer has only members of the API, and a request that
botocore would not send is refused.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from local.lightsail.errors import ApiError, invalid_input, serialization

TARGET_PREFIX = "Lightsail_20161128."
CONTENT_TYPE = "application/x-amz-json-1.1"

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+"
    r"Credential=[^/,\s]+/\d{8}/[a-z0-9-]+/lightsail/aws4_request,\s*"
    r"SignedHeaders=[a-z0-9;-]+,\s*"
    r"Signature=[0-9a-f]{64}"
)
_ENUM_MESSAGE = (
    "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
    "Member must satisfy enum value set: [{allowed}]"
)
_JSON_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "string": (str, "a string"),
    "boolean": (bool, "a boolean"),
    "integer": (int, "an integer"),
    "long": (int, "an integer"),
}
_MAX_TIMESTAMP = 253_402_300_799  # the last second that datetime can hold


def check_signature_header(authorization: str | None) -> None:
    """Accept any well-formed SigV4 header, and refuse a missing or broken one as AWS does."""
    if authorization is None:
        raise ApiError(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    if not _AUTHORIZATION.fullmatch(authorization.strip()):
        raise ApiError(
            "IncompleteSignatureException",
            "Authorization header requires a SigV4 signature for the service 'lightsail' with "
            "'Credential', 'SignedHeaders' and 'Signature'.",
        )


class Wire:
    def __init__(self) -> None:
        description = Loader().load_service_model("lightsail", "service-2")
        self._model = ServiceModel(description, "lightsail")
        self._validator = ParamValidator()

    def parse(
        self, target: str | None, body: bytes, *, refuse_unknown: bool
    ) -> tuple[str, dict[str, Any]]:
        operation = (target or "").removeprefix(TARGET_PREFIX)
        known = (target or "").startswith(TARGET_PREFIX)
        if not known or operation not in self._model.operation_names:
            raise ApiError("UnknownOperationException", f"Unknown operation: {target or ''}")
        try:
            given = json.loads(body) if body.strip() else {}
        except (ValueError, RecursionError):
            raise serialization("The request body is not valid JSON.") from None
        if not isinstance(given, dict):
            raise serialization("The request body must be a JSON object.")
        shape = self._model.operation_model(operation).input_shape
        if shape is None:
            return operation, {}

        def unknown(path: str) -> None:
            if refuse_unknown:
                raise invalid_input(f"Unknown member in the request: {path}")

        cleaned = _converted(given, shape, "", unknown)
        report = self._validator.validate(cleaned, shape)
        if report.has_errors():
            raise invalid_input(report.generate_report())
        return operation, cleaned

    def render(self, operation: str, answer: Mapping[str, object]) -> bytes:
        shape = self._model.operation_model(operation).output_shape
        return json.dumps(_plain(answer, shape)).encode()


def _converted(value: Any, shape: Shape, path: str, unknown: Callable[[str], None]) -> Any:  # noqa: ANN401
    """Check JSON types against the model, drop nulls and unknown members, read timestamps."""
    if isinstance(shape, StructureShape):
        _expect(value, dict, "a structure", path)
        kept = {}
        for name, member in value.items():
            where = f"{path}.{name}".lstrip(".")
            if name not in shape.members:
                unknown(where)
            elif member is not None:
                kept[name] = _converted(member, shape.members[name], where, unknown)
        return kept
    if isinstance(shape, ListShape):
        _expect(value, list, "a list", path)
        return [
            _converted(each, shape.member, f"{path}[{index}]", unknown)
            for index, each in enumerate(value)
        ]
    if isinstance(shape, MapShape):
        _expect(value, dict, "a map", path)
        return {
            key: _converted(each, shape.value, f"{path}.{key}", unknown)
            for key, each in value.items()
        }
    return _converted_scalar(value, shape, path)


def _converted_scalar(value: Any, shape: Shape, path: str) -> Any:  # noqa: ANN401
    kind = shape.type_name
    _expect(value, *_JSON_TYPES.get(kind, ((int, float), "a number")), path)
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        raise invalid_input(
            _ENUM_MESSAGE.format(value=value, name=path, allowed=", ".join(allowed))
        )
    if kind != "timestamp":
        return value
    if not 0 <= value <= _MAX_TIMESTAMP:
        raise serialization(f"{path}: the timestamp is out of range.")
    return datetime.fromtimestamp(value, UTC)


def _expect(value: object, kind: type | tuple[type, ...], name: str, path: str) -> None:
    # To Python a bool is an int.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise serialization(f"{path or 'The request body'}: expected {name}.")


def _plain(value: Any, shape: Shape | None) -> Any:  # noqa: ANN401
    """Turn an answer into JSON by its shape, which must have all of its members."""
    if isinstance(shape, StructureShape):
        strange = set(value) - set(shape.members)
        if strange:
            raise ValueError(f"not in the service model: {sorted(strange)}")
        return {
            name: _plain(member, shape.members[name])
            for name, member in value.items()
            if member is not None
        }
    if isinstance(shape, ListShape):
        return [_plain(each, shape.member) for each in value]
    if isinstance(shape, MapShape):
        return {key: _plain(each, shape.value) for key, each in value.items()}
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    return value


def error_answer(error: ApiError) -> tuple[HTTPStatus, bytes]:
    return error.status, json.dumps(error.body()).encode()
