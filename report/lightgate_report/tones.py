"""The color of each status, and the words that the table of apps has for a live version."""

from lightgate.migrations.compatibility import Judgement
from lightgate.records.release_record import MigrationStatus
from lightgate_report.pages import Tone, Word

_TONES = {
    "SUCCEEDED": Tone.GOOD,
    "ROLLED_BACK": Tone.WARNING,
    "FAILED": Tone.BAD,
    "ABANDONED": Tone.BAD,
    "RELEASING": Tone.RUNNING,
    "QUEUED": Tone.RUNNING,
    "healthy": Tone.GOOD,
    "unhealthy": Tone.BAD,
    "disabled": Tone.BAD,
    "GOOD": Tone.GOOD,
    MigrationStatus.APPLIED: Tone.GOOD,
    MigrationStatus.REVERSED: Tone.WARNING,
    MigrationStatus.RECORDED: Tone.WARNING,
    MigrationStatus.UNKNOWN: Tone.WARNING,
}


def word_of(status: str) -> Word:
    """A status that is not in the table, such as REFUSED, is grey."""
    return Word(text=status, tone=_TONES.get(status, Tone.NEUTRAL))


def migration_word(status: MigrationStatus) -> Word:
    if status is MigrationStatus.FAILED:
        return Word(text=status.value, tone=Tone.BAD)
    return word_of(status.value)


def rollback_word(judged: Judgement) -> Word:
    if judged.verdict.allows_rollback:
        return Word(text="Safe to roll back", tone=Tone.GOOD)
    return Word(text="Not safe to roll back", tone=Tone.WARNING)
