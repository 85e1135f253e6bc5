"""The account of the local cloud, and the root credentials that the engine knows."""

from collections.abc import Mapping

ACCOUNT = "000000000000"
REGION = "us-east-1"
ROOT: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}
