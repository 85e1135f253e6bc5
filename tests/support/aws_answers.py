"""Answers of AWS in the shape that botocore's model of each service gives them."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import OperationModel, ServiceModel
from botocore.validate import ParamValidator

type Answer = Mapping[str, Any] | Callable[..., Mapping[str, Any]]


@cache
def _model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def _operation(service: str, method: str) -> OperationModel:
    model = _model(service)
    [name] = [each for each in model.operation_names if xform_name(each) == method]
    return model.operation_model(name)


def operation_name(service: str, method: str) -> str:
    return str(_operation(service, method).name)


def answer(service: str, method: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document, which has the shape that this call answers."""
    report = ParamValidator().validate(document, _operation(service, method).output_shape)
    assert not report.has_errors(), report.generate_report()
    return document


def error(code: str, method: str = "Call", message: str = "refused") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, method)


class Unchecked(dict[str, Any]):
    """An answer that AWS should never give."""


class StubClient:
    """A client that has an answer, or an error, for each call that a test expects."""

    def __init__(self, service: str, answers: dict[str, Any]) -> None:
        self._service, self._answers = service, answers

    def __getattr__(self, method: str) -> Callable[..., Mapping[str, Any]]:
        def call(**arguments: object) -> Mapping[str, Any]:
            operation = _operation(self._service, method)
            if operation.input_shape is not None:
                report = ParamValidator().validate(arguments, operation.input_shape)
                assert not report.has_errors(), report.generate_report()
            found = self._answers[method]
            found = found(**arguments) if callable(found) else found
            if isinstance(found, Exception):
                raise found
            if isinstance(found, Unchecked):
                return found
            return answer(self._service, method, found)

        return call

    def get_paginator(self, method: str) -> "_Pages":
        return _Pages(getattr(self, method))


class _Pages:
    def __init__(self, call: Callable[..., Mapping[str, Any]]) -> None:
        self._call = call

    def paginate(self, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        arguments.pop("PaginationConfig", None)
        yield self._call(**arguments)
