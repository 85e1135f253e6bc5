"""StartNext: release the deployment lock, and start the waiting release."""

from lightgate.errors import UnreachableError, joined
from lightgate.operations.recover_abandoned import start_waiting_release
from lightgate.outcome.durations import durations_of
from lightgate.records.recorded_outcome import EndStatus
from lightgate.release.lock_rules import next_to_start, release_lock
from lightgate.release.unchecked_request import requested_app
from lightgate.runtime import Runtime
from lightgate.state import End, Facts, FinalOutcome, RollbackStatus, State, StopStatus


def start_next(state: State, runtime: Runtime) -> End:
    """The status and the cause with which the execution ends. Idempotent.

    It comes before the message, so that an outage of SNS does not delay the next release. If it
    fails midway, CleanUp or Reconcile complete it.

    Raises:
        LookupError: no outcome is recorded.
    """
    app = requested_app(state.request)
    outcome = state.outcome if isinstance(state.outcome, FinalOutcome) else None
    if outcome is not None and outcome.publish:
        # With the lock, because another release could write the durations too.
        _remember_durations(app, state, runtime)
    # From the record, because the answer of Admit with the lock may be lost.
    fence = outcome.fence if outcome is not None else 0
    waiting = runtime.locks.change(
        app,
        lambda lock: (after := release_lock(lock, state.execution, fence), next_to_start(after)),
    )
    start_waiting_release(app, waiting, runtime)
    if outcome is not None:
        before = "The outcome was recorded before: " if _is_repeated(state) else ""
        return End(status=outcome.status, cause=before + outcome.cause)
    if state.stop is None:
        raise LookupError("no outcome is recorded")
    return End(status=EndStatus(state.stop.status), cause=joined(state.stop.reasons))


def _is_repeated(state: State) -> bool:
    """Whether the execution was redriven after its outcome had been recorded."""
    is_lost = state.rollback is not None and state.rollback.status is RollbackStatus.LOST
    stop = state.stop.status if state.stop is not None else None
    return is_lost or stop in (StopStatus.RECORDED, StopStatus.LOST)


def _remember_durations(app: str, state: State, runtime: Runtime) -> None:
    """Record how long the steps took, so that the next release can plan its times.

    Without the record the next release is only slower, so an outage is no error.
    """
    facts = Facts(state=state)
    remembered = durations_of(facts, runtime.now())
    parts = (remembered.snapshot, remembered.node_start, remembered.end)
    if facts.release is None or not any(parts):
        return
    try:
        runtime.timings.add(app, facts.release.id, remembered)
    except UnreachableError as error:
        runtime.logger.warning("durations could not be recorded", app=app, why=str(error))
