"""How every client talks to AWS: bounded in time, with retries where they are safe."""

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

_CONNECT_TIMEOUT_SECONDS = 3
_READ_TIMEOUT_SECONDS = 20


def make_client(service: str, *, attempts: int = 4) -> Any:  # noqa: ANN401 - boto3 is untyped
    """A client for the service in the function's own region.

    `attempts` is 1 for calls that must not be repeated after a lost answer.
    """
    # Installed type stubs list every service by name; the name here is a variable.
    untyped: Any = boto3
    return untyped.client(
        service,
        config=Config(
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
            read_timeout=_READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": attempts},
        ),
    )


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))
