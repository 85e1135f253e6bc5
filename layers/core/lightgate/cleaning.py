"""Cleaning up after executions that cannot do it themselves, and starting what comes next.

Whoever finds that an execution has ended may clean up after it: the cleaning step, which is
told, Admit, which wants the turn, and Reconcile, which looks. Every part can be repeated and
cut off anywhere: settling and freeing are conditional, a message that goes out twice has
the same id, and what comes next has one name.
"""

import json

from lightgate.aws.executions import EndedExecution
from lightgate.errors import NotYetError
from lightgate.runtime import Json, Runtime
from lightgate.settlement import settle_release
from lightgate.turn import Waiting, abandon, next_to_start


def clean_up(app: str, ended: EndedExecution, runtime: Runtime) -> None:
    """Leave nothing of the execution open, and start what waits.

    In this order: its release is settled, its message is out, its turn is free. An
    execution that has done all that itself leaves nothing to do.

    Raises:
        NotYetError: one of its permits may still be acted on. The turn stays where it is; who
            looks later finds what is left.
    """
    state = _state(app, ended, runtime)
    settlement = settle_release(state, runtime) if state is not None else None
    if settlement is not None and settlement["publish"]:
        _publish(app, settlement, runtime)
    runtime.turns.change(app, lambda turn: (abandon(turn, ended.arn), None))
    start_next(app, runtime)


def _publish(app: str, settlement: Json, runtime: Runtime) -> None:
    runtime.logger.warning("a release was left unpublished", release=settlement["release"])
    runtime.topic.publish(settlement)
    runtime.records.mark_published(app, settlement["release"], runtime.now())


def start_next(app: str, runtime: Runtime) -> str | None:
    """Start what waits for its turn, if nobody has it. The name of the execution, if any.

    The name follows from what waits, so that starting it twice starts one.
    """
    waiting = next_to_start(runtime.turns.read(app))
    if waiting is None:
        return None
    if not runtime.executions.start(waiting.name, waiting.request):
        _start_no_more(app, waiting, runtime)
    return waiting.name


def _start_no_more(app: str, waiting: Waiting, runtime: Runtime) -> None:
    """There was an execution of this name before: if it has ended, nobody comes for the turn."""
    arn = runtime.executions.arn(waiting.name)
    if (ended := runtime.executions.ended(arn)) is not None:
        try_to_clean_up(app, ended, runtime)


def try_to_clean_up(app: str, ended: EndedExecution, runtime: Runtime) -> None:
    """Clean up if that can be done already; otherwise leave it to who looks later."""
    try:
        clean_up(app, ended, runtime)
    except NotYetError as error:
        runtime.logger.warning("cleaning up has to wait", app=app, why=str(error))


def _state(app: str, ended: EndedExecution, runtime: Runtime) -> Json | None:
    """What the execution would have brought to Settle; None if nothing is known of it."""
    started_at = (
        ended.started_at.isoformat() if ended.started_at else _admitted_at(app, ended, runtime)
    )
    if started_at is None:
        return None
    return {
        "request": _request(app, ended.input),
        "execution": ended.arn,
        "startedAt": started_at,
        "stopped": ended.status,
    }


def _admitted_at(app: str, ended: EndedExecution, runtime: Runtime) -> str | None:
    """When an execution had started that AWS has forgotten, if it has the turn."""
    holder = runtime.turns.read(app).holder
    if holder is None or holder.execution != ended.arn:
        return None
    record = runtime.records.find(app, holder.release)
    if record is None or record.admission is None:
        return None
    started_at: str = record.admission["release"]["startedAt"]
    return started_at


def _request(app: str, text: str | None) -> Json:
    """The execution's input, as far as it can be read; the app is known in any case."""
    try:
        request = json.loads(text or "")
    except ValueError:
        request = None
    known: Json = request if isinstance(request, dict) else {}
    return {**known, "app": app}
