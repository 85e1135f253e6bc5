"""What Lightgate does about migrations that may break the live version, or block a large table."""

import enum


class Policy(enum.StrEnum):
    """The reaction of Lightgate to migrations that may break the live version."""

    ALLOW = "allow"
    WARN = "warn"
    BLOCK = "block"


class LockRisk(enum.StrEnum):
    """The reaction of Lightgate to migrations that block a large table."""

    WARN = "warn"
    BLOCK = "block"
