"""The effect of migrations on the version that serves: five classes, each with its word."""

import enum
from collections.abc import Collection


class Effect(enum.StrEnum):
    """The class of an operation; that of a plan is the class of its worst operation.

    COMPATIBLE: old code reads and writes as before. RESTRICTED: old code works, but the statements
    that are named may fail. DATA: rows change. BREAKING: the usual reads or writes of old code
    fail, or they rely on what the database promises no more. UNKNOWN: anything may happen.
    """

    COMPATIBLE = "compatible"
    RESTRICTED = "restricted"
    DATA = "data"
    BREAKING = "breaking"
    UNKNOWN = "unknown"

    @property
    def may_break_live_version(self) -> bool:
        return self in (Effect.BREAKING, Effect.UNKNOWN)


# The classes after which Lightgate rolls back automatically, unless the owner chooses others.
DEFAULT_AUTOMATIC = (Effect.COMPATIBLE, Effect.RESTRICTED)


def effect_of(word: object) -> Effect:
    """UNKNOWN for any word that this version does not know, and for what is no word."""
    return Effect(word) if isinstance(word, str) and word in Effect else Effect.UNKNOWN


def allows(automatic: Collection[Effect], effects: Collection[Effect]) -> bool:
    """Whether an automatic rollback may follow operations of these classes.

    What is compatible always allows it.
    """
    return set(effects) <= {Effect.COMPATIBLE, *automatic}
