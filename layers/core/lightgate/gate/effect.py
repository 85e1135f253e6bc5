"""The effect of migrations on the live version, in the word that a gate reports."""

import enum


class Effect(enum.StrEnum):
    """The effect of a plan on the live version: that of its worst operation.

    ADDITIVE leaves it able to read and to write, DATA changes rows, CONTRACT may break it, and
    UNKNOWN may do anything.
    """

    ADDITIVE = "additive"
    DATA = "data"
    CONTRACT = "contract"
    UNKNOWN = "unknown"

    @property
    def may_break_live_version(self) -> bool:
        return self in (Effect.CONTRACT, Effect.UNKNOWN)


def effect_of(word: object) -> Effect:
    """UNKNOWN for any word that this version does not know, and for what is no word."""
    return Effect(word) if isinstance(word, str) and word in Effect else Effect.UNKNOWN
