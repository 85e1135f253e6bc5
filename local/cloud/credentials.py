"""Who we are in the local cloud: the account's root, whom the engine knows by these values."""

from collections.abc import Mapping
from types import MappingProxyType

ACCOUNT = "000000000000"
REGION = "us-east-1"
ROOT: Mapping[str, str] = MappingProxyType(
    {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }
)
