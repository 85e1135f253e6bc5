"""The checks by their names, and what each of them has found."""

import enum
from dataclasses import dataclass


class Check(enum.StrEnum):
    """All checks, in the order in which `lightgate doctor` prints them."""

    VERSION = "version"
    CONCURRENCY = "concurrency"
    SUBSCRIPTION = "subscription"
    STACKS = "stacks"
    SPEC = "spec"
    SERVICE = "service"
    POWER = "power"
    IMAGE_PULLER = "image-puller"
    IMAGE = "image"
    LIFECYCLE = "lifecycle"
    SECRETS = "secrets"
    DATABASE = "database"
    BACKUPS = "backups"
    SNAPSHOTS = "snapshots"
    PEERING = "peering"
    SECURITY_GROUP = "security-group"
    ROLES = "roles"
    HEALTH_CHECK = "health-check"


class Level(enum.StrEnum):
    """What a finding means for the next release.

    FAILURE: a release fails, or something is unsafe. UNKNOWN: AWS gave no answer that can be read.
    SKIPPED: the check does not apply, for instance because the app has no database.
    """

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`fix` has the commands that mend it, or sentences where no command can."""

    check: Check
    level: Level
    text: str
    fix: tuple[str, ...] = ()


def ok(check: Check, text: str) -> Finding:
    return Finding(check=check, level=Level.OK, text=text)


def warning(check: Check, text: str, *fix: str) -> Finding:
    return Finding(check=check, level=Level.WARNING, text=text, fix=fix)


def failure(check: Check, text: str, *fix: str) -> Finding:
    return Finding(check=check, level=Level.FAILURE, text=text, fix=fix)


def unknown(check: Check, text: str, *fix: str) -> Finding:
    return Finding(check=check, level=Level.UNKNOWN, text=text, fix=fix)


def skipped(check: Check, text: str) -> Finding:
    return Finding(check=check, level=Level.SKIPPED, text=text)
