"""End the release of an execution that was stopped, and start the next release.

CleanUp does it after an event, Admit when it needs the lock, and Reconcile on a schedule. Every
part is idempotent: outcome and lock are conditional writes, a message that is sent twice has the
same id, and the next execution has a fixed name.
"""

import json
from dataclasses import replace
from datetime import timedelta

from lightgate.aws.stepfunctions import GONE, EndedExecution
from lightgate.errors import NotYetError, UnreachableError
from lightgate.names import start_of
from lightgate.operations.conclude_release import conclude_release
from lightgate.operations.metrics import release_ended
from lightgate.operations.queue_rehearsal import rehearse_waiting
from lightgate.records.recorded_outcome import RecordedOutcome
from lightgate.release.lock import Waiting
from lightgate.release.lock_rules import abandon_lock, next_to_start
from lightgate.runtime import Json, Runtime
from lightgate.state import Facts, State

# The state machine's own time limit (release.asl.json). Step Functions forgets an execution 90 days
# after its end, and its answers may be seconds old: it may not know one that has just started.
_LONGEST_EXECUTION = timedelta(days=3)


def recover_abandoned(app: str, ended: EndedExecution, runtime: Runtime) -> None:
    """End the release of the execution. Idempotent, and without effect if that is done.

    In this order: record the outcome, free the lock, start the waiting release, send the message.
    So an outage of SNS does not delay the next release.

    Raises:
        MissingError: something of the release could not be read. Nothing was changed.
        NotYetError: a gate may still act on a permit. The lock stays taken; the next run of
            Reconcile tries again.
        UnreachableError: all is done but the message, which Reconcile sends later.
    """
    concluded = conclude_release(_facts(app, ended), runtime)
    if concluded.record is not None and concluded.owes_message:
        release_ended(concluded.record, None, runtime)
    waiting = runtime.locks.change(
        app,
        lambda lock: (
            after := abandon_lock(lock, ended.arn, concluded.fence),
            next_to_start(after),
        ),
    )
    try:
        start_waiting_release(app, waiting, runtime)
    finally:
        if concluded.owes_message:
            send_message(app, concluded.outcome, runtime)


def send_message(app: str, outcome: RecordedOutcome, runtime: Runtime) -> None:
    """Send the final message of a release whose execution did not.

    Somebody else may have sent it since the caller saw it as owed: another cleaning step, or the
    execution itself.

    Raises:
        UnreachableError: SNS did not take it.
    """
    publication = outcome.publication
    if publication is None or not runtime.releases.owes_message(app, outcome.release):
        return
    runtime.logger.warning("a release left its message unsent", release=outcome.release)
    runtime.topic.publish(publication)
    runtime.releases.message_sent(app, outcome.release)


def ended_holder(app: str, runtime: Runtime) -> EndedExecution | None:
    """The execution that holds the app's lock, if that is known to be over."""
    holder = runtime.locks.read(app).holder
    if holder is None:
        return None
    return ended_release(holder.release, holder.execution, runtime)


def ended_release(release: str, execution: str, runtime: Runtime) -> EndedExecution | None:
    """The execution of a release on record, if it is known to be over."""
    ended = runtime.executions.ended(execution)
    if ended is None or ended.status != GONE:
        return ended
    started_at = start_of(release)
    is_forgotten = runtime.now() - started_at > _LONGEST_EXECUTION
    return replace(ended, started_at=started_at) if is_forgotten else None


def start_waiting_release(app: str, waiting: Waiting | None, runtime: Runtime) -> None:
    """Start what waits for the lock.

    The name follows from what waits, so that starting it twice starts one. A push may have to be
    rehearsed first.
    """
    if waiting is None:
        rehearse_waiting(app, runtime)
        return
    if runtime.executions.start(waiting.name, waiting.request):
        runtime.logger.info("the release that waited begins", execution=waiting.name)
    else:
        _start_no_more(app, waiting, runtime)


def _start_no_more(app: str, waiting: Waiting, runtime: Runtime) -> None:
    """There was an execution of this name before: if it has ended, nobody comes for the lock."""
    ended = runtime.executions.ended(runtime.executions.arn(waiting.name))
    # Step Functions has just said that it knows this execution.
    if ended is not None and ended.status != GONE:
        try_to_recover(app, ended, runtime)


def try_to_recover(app: str, ended: EndedExecution, runtime: Runtime) -> None:
    """Clean up as far as that can be done by now, and leave the rest to Reconcile."""
    try:
        recover_abandoned(app, ended, runtime)
    except (NotYetError, UnreachableError) as error:
        runtime.logger.warning("cleaning up has to wait", app=app, why=str(error))


def _facts(app: str, ended: EndedExecution) -> Facts:
    """What the execution would have brought to RecordOutcome."""
    if ended.started_at is None:
        raise ValueError(f"the start of {ended.arn} is not known")
    state = State(
        request=_request(app, ended.input), execution=ended.arn, started_at=ended.started_at
    )
    return Facts(state=state, stopped=ended.status)


def _request(app: str, text: str | None) -> Json:
    """The execution's input, as far as it can be read; the app is known in any case."""
    try:
        request = json.loads(text or "")
    except ValueError:
        request = None
    known: Json = request if isinstance(request, dict) else {}
    return {**known, "app": app}
