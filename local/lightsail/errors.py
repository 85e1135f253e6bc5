"""The errors of the API, as a client meets them: code, HTTP status, text."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

_DOCS = "https://docs.aws.amazon.com/lightsail/2016-11-28/api-reference/CommonErrors.html"
_THROTTLED = {
    "account": "The maximum API request rate has been exceeded for your account.",
    "rate": "Rate exceeded",
}


# Not frozen: Python itself sets the traceback of an exception, in a context manager for one.
@dataclass(slots=True, eq=False)
class ApiError(Exception):
    """One refusal. Throttling has HTTP status 400, as on AWS."""

    code: str
    message: str
    status: HTTPStatus = HTTPStatus.BAD_REQUEST
    tip: str = ""

    def body(self) -> dict[str, str]:
        return {
            "__type": self.code,
            "code": self.code,
            "docs": _DOCS,
            "message": self.message,
            "tip": self.tip,
        }


def invalid_input(message: str) -> ApiError:
    """The error for permanent mistakes and for a busy service: they share the code."""
    return ApiError("InvalidInputException", message)


def not_found(message: str) -> ApiError:
    return ApiError("NotFoundException", message, HTTPStatus.NOT_FOUND)


def serialization(message: str) -> ApiError:
    """The error for a body that is not JSON or has the wrong types."""
    return ApiError("SerializationException", message)


def throttled(text: Literal["account", "rate"]) -> ApiError:
    return ApiError("ThrottlingException", _THROTTLED[text])


def service_failure() -> ApiError:
    """The error for a bug of the emulator."""
    return ApiError(
        "ServiceException",
        "The service could not complete the request.",
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
