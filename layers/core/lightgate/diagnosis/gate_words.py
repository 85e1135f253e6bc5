"""Parts of sentences for the diagnosis of a gate: the subject, the cause, the database."""

import shlex

from lightgate.diagnosis.log_rule import LogCause
from lightgate.diagnosis.symptoms import Symptoms
from lightgate.gate.gate_report import DatabaseAfter, Failure
from lightgate.names import COMMAND_CONTAINER


def subject(failure: Failure) -> str:
    """The migration or the command that failed, as the subject of a sentence."""
    if failure.migration:
        return f"Migration {failure.migration}"
    return failure.around or f"The command of {failure.container}"


def command(seen: Symptoms, failure: Failure) -> str:
    """The words that the gate ran, as far as they are known."""
    if failure.command:
        return failure.command
    is_known = failure.container == COMMAND_CONTAINER and seen.command
    return shlex.join(seen.command or ()) if is_known else f"the command of {failure.container}"


def applied(seen: Symptoms) -> str:
    """What is known of a gate that was not seen to begin anything itself."""
    if seen.may_have_changed:
        return "whether anything was applied is unknown"
    return "nothing was applied"


def because(cause: LogCause | None) -> str:
    """The cause as a further sentence, if there is one."""
    return "" if cause is None else f" {cause.what}"


def left(failure: Failure) -> str:
    """What the gate found in the database afterwards, as a further sentence."""
    if failure.database is DatabaseAfter.UNCHANGED and failure.around:
        return " The schema is unchanged. Whether this command has changed rows is unknown."
    if failure.database is DatabaseAfter.UNCHANGED and failure.rows_unknown:
        return (
            " The schema is unchanged. Whether a command of before, or a handler of pre_migrate, "
            "has changed rows is unknown."
        )
    return "" if failure.database is None else _LEFT[failure.database]


_LEFT = {
    DatabaseAfter.UNCHANGED: " The database is unchanged.",
    DatabaseAfter.PART_WAY: " A part of the plan is applied.",
    DatabaseAfter.UNKNOWN: " The state of the database is unknown.",
}
