"""Why a gate stayed shut: which rule explains the cause that it reported, or its last wait."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from lightgate.diagnosis.command_failure import (
    cut_off,
    exited,
    killed,
    left_undone,
    slow_to_load,
    timed_out,
    unplanned,
)
from lightgate.diagnosis.database_advice import reason_of
from lightgate.diagnosis.database_trouble import diagnose_trouble, lock_wait, unusable
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.gate_refusal import (
    migrates_on_loading,
    not_for_the_schema,
    not_permitted,
    refused,
)
from lightgate.diagnosis.gate_waits import Awaited, Wait
from lightgate.diagnosis.gate_words import applied, left, subject
from lightgate.diagnosis.log_patterns import missing_variable
from lightgate.diagnosis.symptoms import Diagnosis, Remedy, Symptoms
from lightgate.gate.gate_report import Detail, Failure, GateCause, Phase


def diagnose_gate(seen: Symptoms) -> Diagnosis | None:
    """None if the gates tell of nothing that went wrong with them."""
    failure, phase = seen.evidence.failure, seen.evidence.phase
    if failure is not None:
        rule = _RULES.get(failure.cause, exited)
        if (by_signal := killed(seen, failure)) is not None:
            return _after_repair(seen, failure, by_signal)
        return _missing_variable(seen, failure) or _after_repair(
            seen, failure, diagnose_trouble(seen, failure) or rule(seen, failure)
        )
    if phase is Phase.APPLYING:
        return cut_off(seen, None)
    if phase is Phase.WAITING and seen.wait is not None:
        return _given_up_while_waiting(seen, seen.wait)
    return None


def _missing_variable(seen: Symptoms, failure: Failure) -> Diagnosis | None:
    found = missing_variable([*failure.last_lines, failure.error])
    return found and without_variable(seen, failure.container, *found)


def without_variable(seen: Symptoms, container: str, name: str, line: str) -> Diagnosis:
    return Diagnosis(
        kind=FailureClass.MISSING_VARIABLE,
        what=f"The container {container} has no variable {name}, which the app needs.",
        evidence=line,
        next_action=seen.then(
            f"Add {name} to environment, or to secrets, in the app's spec", Remedy.SAME_IMAGE
        ),
    )


def _after_repair(seen: Symptoms, failure: Failure, found: Diagnosis) -> Diagnosis:
    """With what to undo first: whatever is left of a migration makes the next attempt fail."""
    if failure.database != "part-way" or seen.evidence.atomic:
        return found
    undo = "; ".join(one.undo for one in failure.left if one.undo)
    rest = ", ".join(one.what for one in failure.left if not one.undo)
    steps = [
        f"First undo what the migration has left: {undo}." if undo else "",
        f"Repair by hand what no statement can safely undo: {rest}." if rest else "",
    ]
    if not failure.left:
        steps = ["First compare the schema with the one before, and undo what the migration left."]
    return replace(
        found, next_action=" ".join([*filter(None, steps), "Then: " + found.next_action])
    )


def _attempt(seen: Symptoms, failure: Failure) -> Diagnosis:
    if failure.detail is Detail.FAILED_BEFORE:
        return Diagnosis(
            kind=FailureClass.MIGRATION_ERROR,
            what=(
                f"{subject(failure)} failed on another node, or on a node that was replaced."
                f"{left(failure)}"
            ),
            evidence=failure.error,
            next_action=seen.then(
                "Correct the migration, because the same image would fail again", Remedy.IMAGE
            ),
        )
    if failure.detail is Detail.NEVER_ENDED:
        return cut_off(seen, failure)
    return exited(seen, failure)


def _behind_another(seen: Symptoms, failure: Failure) -> Diagnosis:
    """Another gate failed, and has not reported why."""
    others = (one for one in seen.gates if one != failure.container)
    commands = "; ".join(filter(None, (seen.log_command(one) for one in others)))
    where = commands or "in the Lightsail console, under the name of each container."
    return replace(
        exited(seen, failure),
        next_action=f"Read the log of the container that failed first: {where}",
    )


def _given_up_while_waiting(seen: Symptoms, wait: Wait) -> Diagnosis:
    over = "Lightsail ended the deployment while the gate was waiting"
    match wait.what:
        case Awaited.DATABASE:
            reason = reason_of(wait.why or "") or Detail.UNREACHABLE
            found = unusable(seen, "The gate", wait.why, reason)
            what = f"{over} for the database; {applied(seen)}."
            return replace(found, what=what)
        case Awaited.PERMIT:
            return Diagnosis(
                kind=FailureClass.NO_PERMIT,
                what=f"{over} for the permit of its plan; {applied(seen)}.",
                evidence=wait.why,
                next_action=f"Start the release again: {seen.start_again}",
            )
        case _:
            what = f"{over} for the lock of the database; {applied(seen)}."
            return lock_wait(seen, what, wait.why)


_RULES: Mapping[GateCause, Callable[[Symptoms, Failure], Diagnosis]] = MappingProxyType(
    {
        GateCause.PENDING: left_undone,
        GateCause.UNPLANNED: unplanned,
        GateCause.SLOW_LOADING: slow_to_load,
        GateCause.TIMEOUT: timed_out,
        GateCause.REFUSED: refused,
        GateCause.SCHEMA: not_for_the_schema,
        GateCause.LOADING: migrates_on_loading,
        GateCause.PERMIT: not_permitted,
        GateCause.MAILBOX: not_permitted,
        GateCause.ATTEMPT: _attempt,
        GateCause.DEPENDENCY: _behind_another,
    }
)
