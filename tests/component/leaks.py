"""Calls of AWS whose errors quote everything, and all the places to which a text could get."""

import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import quote

import botocore.client
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

type Json = dict[str, Any]

# Secrets. Escaping changes what is between these words, and never the words.
WORDS = ("Zq1canaryAlpha", "Zq2canaryBeta", "Zq3canaryGamma")
KEY = f"{WORDS[0]} \"\\/%'é\n{WORDS[1]}"
DATABASE = f"postgres://crops:{WORDS[2]}@db.example/crops"


def _of_client(code: str, status: int = 400) -> Callable[[Any, str, str], Exception]:
    def make(client: Any, operation: str, text: str) -> Exception:
        answer = {
            "Error": {"Code": code, "Message": text},
            "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "of-the-tests"},
            "message": text,
            "tip": text,
        }
        error = client.exceptions.from_code(code)(answer, operation)
        assert isinstance(error, ClientError)
        return error

    return make


KINDS: Mapping[str, Callable[[Any, str, str], Exception]] = {
    "modelled": _of_client("InvalidInputException"),
    "throttled": _of_client("ThrottlingException"),
    "access denied": _of_client("AccessDeniedException", 403),
    "service": _of_client("ServiceException", 500),
    "unknown": _of_client("NeverHeardOfException", 418),
    "a code that is a text": lambda client, operation, text: _of_client(text)(
        client, operation, text
    ),
    "wrong parameters": lambda _, __, text: ParamValidationError(report=text),
    "no endpoint": lambda _, __, text: EndpointConnectionError(endpoint_url=text),
    "no answer": lambda _, __, text: ReadTimeoutError(endpoint_url=text),
    "HTTP": lambda _, __, text: HTTPClientError(error=ValueError(text)),
    "answer that cannot be parsed": lambda _, __, text: ResponseParserError(text),
    "answer that is no JSON": lambda _, __, text: json.JSONDecodeError(text, text, 0),
    "missing key": lambda _, __, text: KeyError(text),
    "wrong type": lambda _, __, text: TypeError(text),
}


class Border:
    """Every call that is made to AWS. Those in `failing` fail; a read fails with its answer.

    The text of such an error quotes request and answer, as they are and as others write them.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str]] = []
        self.failing: set[tuple[str, str]] = set()
        self.kind = ""
        self.answers: list[tuple[str, Any]] = []
        make: Any = botocore.client.BaseClient._make_api_call

        def call(client: Any, operation: str, parameters: Json) -> Any:
            service = client.meta.service_model.service_name
            self.calls.append((service, operation))
            is_failing = (service, operation) in self.failing
            if is_failing and not operation.startswith(("Get", "Assume", "Describe", "Query")):
                self._refuse(client, operation, parameters, {})
            answer = make(client, operation, parameters)
            self.answers.append((operation, answer))
            if is_failing:
                self._refuse(client, operation, parameters, answer)
            return answer

        patch.setattr(botocore.client.BaseClient, "_make_api_call", call)

    def _refuse(self, client: Any, operation: str, parameters: Json, answer: Any) -> NoReturn:
        quoted = json.dumps([parameters, answer], default=str)
        text = f"{parameters!r} {answer!r} {quoted} {quote(quoted)} {json.dumps(quoted)}"
        raise KINDS[self.kind](client, operation, text)


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            waiting += [one.__cause__, one.__context__]
    yield from seen


def rendered(error: BaseException) -> str:
    """All that Lambda, a tracer or a logger could render of the error."""
    found = ["".join(traceback.format_exception(error))]
    for one in chain_of(error):
        found += [str(one), repr(one), repr(one.args), repr(vars(one)), type(one).__name__]
    return "\n".join(found)
