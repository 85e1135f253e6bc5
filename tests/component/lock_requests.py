"""Requests for the deployment lock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lightgate.release.lock import LockRequest

APP = "crops"
START = datetime(2026, 11, 16, 1, 54, 34, tzinfo=UTC)
_ARN = "arn:aws:states:us-east-1:123456789012:execution:release"


def arn(name: str) -> str:
    return f"{_ARN}:{name}"


def release_of(name: str) -> str:
    """The id of the release of the execution `name`."""
    return f"{START:%Y%m%dt%H%M%Sz}-of-{name}"


def lock_request(
    name: str, digest: str = "A", at: float = 0, *, pushed: bool = True, **changes: Any
) -> LockRequest:
    """The claim of the execution `name`, `at` seconds after the beginning."""
    tag = {"pushedTag": "latest"} if pushed else {}
    usual = LockRequest(
        execution=arn(name),
        next_name=f"next-of-{name}",
        release=release_of(name),
        digest=digest,
        at=START + timedelta(seconds=at),
        request={"app": APP, "digest": digest, **tag},
        pushed=pushed,
        can_be_superseded=True,
        tag_moved_to=None,
        live_fingerprint=None,
        fingerprint=digest,
    )
    return replace(usual, **changes)
