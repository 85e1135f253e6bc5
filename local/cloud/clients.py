"""boto3 clients of the local cloud."""

from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from local.cloud.credentials import REGION, ROOT


def client_for(service: str, endpoint: str) -> Any:  # noqa: ANN401 - boto3 has no static types
    """A client of `endpoint` with root credentials. It ignores the shell's settings."""
    # A profile of the shell need not exist in this home, and would be read before the credentials.
    core = botocore.session.Session({"profile": (None, None, None, None)})
    session = boto3.session.Session(
        botocore_session=core,
        aws_access_key_id=ROOT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ROOT["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )
    config = Config(
        signature_version="s3v4" if service == "s3" else None,
        retries={"mode": "standard", "max_attempts": 3},
        connect_timeout=5,
        read_timeout=60,
    )
    # The installed stubs know the services by their literal names only.
    connect: Callable[..., Any] = session.client
    return connect(service, endpoint_url=endpoint, config=config)
