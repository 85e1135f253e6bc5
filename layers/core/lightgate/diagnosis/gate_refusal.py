"""Why a gate was not allowed to begin: the policy, its permit, the schema, the app's loading."""

from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.gate_words import applied, left
from lightgate.diagnosis.symptoms import Diagnosis, Remedy, Symptoms
from lightgate.gate.gate_report import DatabaseAfter, Detail, Failure, GateCause
from lightgate.migrations.permit import VoidCause


def refused(seen: Symptoms, failure: Failure) -> Diagnosis:
    """The policy forbids the plan, or a fault of the plan itself does."""
    if failure.detail is Detail.LOCK_RISK:
        return Diagnosis(
            kind=FailureClass.MIGRATION_REFUSED,
            what=(
                "The plan blocks a large table, which migrations.lockRisk forbids; "
                f"{applied(seen)}."
            ),
            evidence=failure.error,
            next_action=(
                "Change the migration so that it blocks the table only for a moment; the warnings "
                f"say how. To release it anyway: {seen.start_anyway}"
            ),
        )
    if failure.detail is Detail.LACKING:
        return Diagnosis(
            kind=FailureClass.MIGRATION_REFUSED,
            what=(
                "migrate --fake would record migrations whose tables or columns the database does "
                f"not have; {applied(seen)}."
            ),
            evidence=failure.error,
            next_action=(
                f"Remove --fake or --fake-initial from the command of {failure.container}, or "
                f"change the schema by hand first. To record them anyway: {seen.start_anyway}"
            ),
        )
    return Diagnosis(
        kind=FailureClass.MIGRATION_REFUSED,
        what=f"The migration policy forbids this plan; {applied(seen)}.",
        evidence=failure.error,
        next_action=(
            "Make the migration compatible with the live version. To release it anyway: "
            f"{seen.start_anyway}"
        ),
    )


def not_permitted(seen: Symptoms, failure: Failure) -> Diagnosis:
    """The gate got no permit."""
    told = seen.no_permit.cause if seen.no_permit is not None else None
    if VoidCause.POLICY in (told, seen.refusal_cause):
        return refused(seen, failure)
    is_mailbox = failure.cause is GateCause.MAILBOX
    return Diagnosis(
        kind=FailureClass.NO_PERMIT,
        what=f"The gate got no permit for its plan; {applied(seen)}.",
        evidence=failure.error,
        next_action=(
            seen.then("Add CA certificates to the image, let the container reach S3", Remedy.IMAGE)
            if is_mailbox
            else f"Start the release again: {seen.start_again}"
        ),
    )


def not_for_the_schema(seen: Symptoms, failure: Failure) -> Diagnosis:
    """The database is not one that the code is known to work with."""
    return Diagnosis(
        kind=FailureClass.MIGRATION_REFUSED,
        what=(
            "The code of this version may not work with the current database, so it was not "
            "started. Nothing was applied."
        ),
        evidence=failure.error,
        next_action=(
            "Keep the live version, correct the cause and push again. To roll back anyway: "
            f"{seen.start_anyway}"
        ),
    )


def migrates_on_loading(seen: Symptoms, failure: Failure) -> Diagnosis:
    """The app migrates before any command does."""
    what = (
        "The app migrates when it is loaded, past the gate."
        if failure.database is DatabaseAfter.UNCHANGED
        else "The database changed while the app was loaded: by the app, past the gate, or by "
        "another session at the same moment."
    )
    return Diagnosis(
        kind=FailureClass.MIGRATES_ON_LOADING,
        what=f"{what}{left(failure)}",
        evidence=failure.error,
        next_action=seen.then(
            "Remove what migrates from settings, AppConfig.ready() and module level, so that only "
            f"the command of {failure.container} migrates",
            Remedy.IMAGE,
        ),
    )
