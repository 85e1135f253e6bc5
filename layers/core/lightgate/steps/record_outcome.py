"""RecordOutcome: record the final outcome of the release, with its diagnosis and message."""

from datetime import timedelta

from lightgate.errors import NotYetError
from lightgate.operations.changes_outside import with_outside
from lightgate.operations.collect_evidence import collect_evidence
from lightgate.operations.conclude_release import conclude_release
from lightgate.operations.investigate_failure import investigate_failure
from lightgate.operations.metrics import release_ended
from lightgate.operations.read_restore_point import with_restore_point
from lightgate.release.poll_interval import wait_seconds
from lightgate.release.unchecked_request import UNKNOWN
from lightgate.runtime import Runtime
from lightgate.state import Facts, FinalOutcome, OutcomeWait, State

# How long to wait until a permit that could not be voided is tried again.
_PAUSE = timedelta(seconds=60)


def record_outcome(state: State, runtime: Runtime) -> FinalOutcome | OutcomeWait:
    """The recorded outcome, with the message to publish. Idempotent: the first outcome stands.

    OutcomeWait while a gate may still act on a permit that cannot be voided.
    """
    try:
        facts = with_restore_point(
            with_outside(Facts(state=state, began_at=runtime.now()), runtime), runtime
        )
        collected = collect_evidence(facts, runtime)
        facts = investigate_failure(facts, collected, runtime)
        concluded = conclude_release(facts, runtime, collected)
    except NotYetError as error:
        runtime.logger.warning("the outcome cannot be recorded yet", why=str(error))
        wait = min(error.wait, _PAUSE)
        return OutcomeWait(status="NOT_YET", wait_seconds=wait_seconds(wait))
    outcome = concluded.outcome
    runtime.logger.info("the outcome is recorded", outcome=outcome.status)
    if concluded.record is not None:
        report = facts.deployment.gate if facts.deployment is not None else None
        release_ended(concluded.record, report, runtime)
    return FinalOutcome(
        app=outcome.app,
        stage=outcome.stage or UNKNOWN,
        release=outcome.release,
        status=outcome.status,
        cause=outcome.cause,
        subject=outcome.subject or "",
        message=outcome.message or "",
        publish=concluded.owes_message,
        fence=concluded.fence,
        snapshot=facts.restore_point,
    )
