"""The way of a call from botocore to moto or to our Lightsail, without the HTTP in between.

A request as HTTP (its signature, the search for the handler of its URL, the parsing of headers and
of forms) takes two thirds of a call. Here the body that botocore has validated and written goes to
the handler of the service, and botocore reads the handler's answer, and repeats what may be
repeated. Services whose parameters are in the path of the URL, like S3, go the usual way.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlparse

import pytest
from botocore.compat import HTTPHeaders
from botocore.endpoint import Endpoint
from botocore.model import OperationModel, StructureShape
from botocore.parsers import ResponseParserFactory
from moto import backend_index
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.serialize import ResponseSerializer
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.exceptions import HTTPException

type Json = dict[str, Any]
type Answer = tuple[int, Mapping[str, str], bytes | str]
type Handler = Callable[[Any, str, Any], Answer]
type Send = Callable[[Json], Answer]

SERVICES = ("dynamodb", "ecr", "lightsail", "rds", "secretsmanager", "sns", "ssm", "sts")

_make_request = Endpoint.make_request
_serialize_structure = ResponseSerializer._serialize_type_structure
_parser = cache(ResponseParserFactory().create_parser)


class _Request:
    """A request as far as the handlers of moto look at it."""

    method = "POST"
    content_encoding = None
    files: Mapping[str, object] = {}
    from_wsgi_server = False
    path = raw_path = "/"

    def __init__(self, url: str, request: Json) -> None:
        body = request["body"]
        is_form = isinstance(body, dict)
        self.raw_url = url
        self.headers = Headers([*request["headers"].items(), ("Host", urlparse(url).netloc)])
        self.content_type = self.headers.get("Content-Type", "")
        self.data = b"" if is_form else body
        self.form = {name: str(value) for name, value in body.items()} if is_form else {}
        self.values = MultiDict(self.form)


def shorten_calls(patch: pytest.MonkeyPatch, lightsail: Send) -> None:
    """Send all calls to `SERVICES` the short way from now on."""
    patch.setattr(ResponseSerializer, "_serialize_type_structure", _structure)

    def make_request(endpoint: Endpoint, model: OperationModel, request: Json) -> Any:
        service = model.service_model.service_name
        if service not in SERVICES:
            return _make_request(endpoint, model, request)
        return _sent(endpoint, model, request, lightsail if service == "lightsail" else _to_moto)

    patch.setattr(Endpoint, "make_request", make_request)


def _structure(
    serializer: Any, serialized: Json, value: Any, shape: StructureShape, key: str
) -> None:
    """As moto does, but a value of DynamoDB, which has its final form already, stays as it is.

    moto looks for each of the ten types of each value under five names.
    """
    if shape.name == "AttributeValue" and isinstance(value, dict):
        serializer._default_serialize(serialized, value, shape, key)
    else:
        _serialize_structure(serializer, serialized, value, shape, key)


def _sent(endpoint: Any, model: OperationModel, request: Json, send: Send) -> Any:
    """As botocore sends a request: again, if the answer or the error allows that."""
    attempts = 1
    while True:
        answer, failure = None, None
        try:
            answer = _parsed(endpoint, model, *send(request))
        except Exception as error:  # noqa: BLE001 - as botocore does
            failure = error
        if answer is not None:
            if answer[0].status_code < 300:
                break
            request["context"].setdefault("retries", {})
        if not endpoint._needs_retry(attempts, model, request, answer, failure):
            break
        attempts += 1
    if answer is None:
        assert failure is not None
        raise failure
    answer[1]["ResponseMetadata"]["RetryAttempts"] = attempts - 1
    return answer


def _parsed(
    endpoint: Any, model: OperationModel, status: int, headers: Mapping[str, str], body: bytes | str
) -> tuple[SimpleNamespace, Json]:
    found = HTTPHeaders.from_dict({name: str(value) for name, value in headers.items()})
    content = body.encode() if isinstance(body, str) else body
    answer = {
        "headers": found,
        "status_code": int(status),
        "body": content,
        "context": {"operation_name": model.name},
    }
    parser = _parser(model.service_model.resolved_protocol)
    parsed = parser.parse(answer, model.output_shape)
    if int(status) >= 300:
        endpoint._add_modeled_error_fields(answer, parsed, model, parser)
    http = SimpleNamespace(status_code=int(status), headers=found, content=content)
    return http, parsed


def _to_moto(request: Json) -> Answer:
    url = request["url"]
    handler, normalized = _handler(url), _Request(url, request)
    try:
        return handler(normalized, url, normalized.headers)
    except HTTPException as error:
        return error.code or 500, dict(error.get_headers()), error.get_body()


@cache
def _handler(url: str) -> Handler:
    """The handler of this address, found as moto finds it."""
    [service] = {name for name, pattern in backend_index.backend_url_patterns if pattern.match(url)}
    backends = get_backend(service)[DEFAULT_ACCOUNT_ID]  # type: ignore[call-overload]
    backend = backends["us-east-1"] if "us-east-1" in backends else backends["aws"]
    for pattern, handler in backend.urls.items():
        if re.match(pattern, url):
            found: Handler = handler
            return found
    raise AssertionError(f"moto has no handler for {url}")
