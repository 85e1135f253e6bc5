"""What Lightgate does about migrations that may break the live version."""

import enum


class Policy(enum.StrEnum):
    """The reaction of Lightgate to migrations that may break the live version."""

    ALLOW = "allow"
    WARN = "warn"
    BLOCK = "block"
