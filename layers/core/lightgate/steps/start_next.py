"""StartNext: the outcome is recorded; free the lock, and start what waits."""

from lightgate.errors import UnreachableError
from lightgate.operations.conclude_release import requested_app
from lightgate.operations.recover_abandoned import start_waiting_release
from lightgate.outcome.durations import durations_of
from lightgate.release.lock import next_to_start, release_lock
from lightgate.runtime import Runtime
from lightgate.state import End, Facts, FinalOutcome, RollbackStatus, State, StopStatus


def start_next(state: State, runtime: Runtime) -> End:
    """How the execution ends.

    Every way out leads through here, before the message: trouble with the message must not keep
    the next release waiting. Safe to repeat, and to cut off anywhere: the cleaning step and
    Reconcile do what is left.
    """
    app = requested_app(state.request)
    outcome = state.outcome if isinstance(state.outcome, FinalOutcome) else None
    if outcome is not None and outcome.publish:
        # While it has the lock, no other release writes the app's history.
        _remember_durations(app, state, runtime)
    # Only the record knows of a lock that was taken by a step whose answer is lost.
    fence = outcome.fence if outcome is not None else 0
    waiting = runtime.locks.change(
        app,
        lambda lock: (after := release_lock(lock, state.execution, fence), next_to_start(after)),
    )
    start_waiting_release(app, waiting, runtime)
    if outcome is not None:
        before = "The release was settled before: " if _is_repeated(state) else ""
        return End(status=outcome.status, cause=before + outcome.cause)
    if state.stop is None:
        raise LookupError("the release was not settled")
    return End(status=state.stop.status, cause=" ".join(state.stop.reasons))


def _is_repeated(state: State) -> bool:
    """Whether the execution was redriven after its release had been settled."""
    is_lost = state.rollback is not None and state.rollback.status is RollbackStatus.LOST
    stop = state.stop.status if state.stop is not None else None
    return is_lost or stop in (StopStatus.SETTLED, StopStatus.LOST)


def _remember_durations(app: str, state: State, runtime: Runtime) -> None:
    """Let the app's next release know how long its parts have to be expected to take.

    This is advice. Where it cannot be written, the release goes on without it.
    """
    facts = Facts(state=state)
    remembered = durations_of(facts, runtime.now())
    if facts.release is None or not (remembered.snapshot or remembered.node_start):
        return
    try:
        runtime.timings.add(app, facts.release.id, remembered)
    except UnreachableError as error:
        runtime.logger.warning("durations could not be recorded", app=app, why=str(error))
