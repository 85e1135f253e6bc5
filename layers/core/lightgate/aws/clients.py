"""How every client talks to AWS: bounded in time, with retries where they are safe."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from lightgate.errors import LightgateError, UnreachableError, raise_alone
from lightgate.patterns import pattern

_CONNECT_TIMEOUT_SECONDS = 3
_READ_TIMEOUT_SECONDS = 20
_CODE = pattern(r"[\w.:#-]{1,100}")


def make_client(service: str, *, attempts: int = 4, seconds: int = _READ_TIMEOUT_SECONDS) -> Any:  # noqa: ANN401 - boto3 is untyped
    """A client for the service in the function's own region.

    `attempts` is 1 for calls that must not be repeated after a lost answer. `seconds` is how long
    an answer may take.
    """
    return _boto3().client(
        service,
        config=Config(
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
            read_timeout=seconds,
            retries={"mode": "standard", "total_max_attempts": attempts},
        ),
    )


def make_presigner(credentials: Mapping[str, str]) -> Any:  # noqa: ANN401 - boto3 is untyped
    """An S3 client that signs URLs for a session, as AssumeRole answers it.

    By itself boto3 would sign with version 2 in some regions, and for the global host in all
    (docs/measured.md, "Limits of AWS"): each of the two settings mends it for some of them.
    """
    return _boto3().client(
        "s3",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(
            signature_version="s3v4",
            s3={"us_east_1_regional_endpoint": "regional", "addressing_style": "virtual"},
        ),
    )


def _boto3() -> Any:  # noqa: ANN401 - its stubs know the services by their literal names only
    # Only now, because the command line uses this module and no boto3.
    import boto3

    return boto3


@contextmanager
def reaching(service: str) -> Iterator[None]:
    """Raise UnreachableError for whatever keeps us from an answer of the service.

    The request or the answer may hold secrets, and the text of an error may quote them. So the
    error that is raised has only the code or the type of that error, and does not refer to it.
    """
    failure: LightgateError
    try:
        yield
    except LightgateError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - an answer that makes no sense is none
        failure = UnreachableError(f"{service} answers {code_of(error)}")
    else:
        return
    raise_alone(failure)


def code_of(error: Exception) -> str:
    """The code that AWS gave the error, or else its type; never its text."""
    code = error_code(error) if isinstance(error, ClientError) else ""
    return code if _CODE.fullmatch(code) else type(error).__name__


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))
