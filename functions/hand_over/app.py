"""HandOver: the outcome is recorded; free the lock, and start what waits."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.cleaning import start_next
from lightgate.durations import taken
from lightgate.errors import UnreachableError
from lightgate.runtime import Json, Runtime, run
from lightgate.settlement import requested_app
from lightgate.turn import hand_over as handed_over
from lightgate.turn import next_to_start


def handler(event: Json, context: LambdaContext) -> Json:
    return run(hand_over, event, context)


def hand_over(event: Json, runtime: Runtime) -> Json:
    """How the execution ends.

    Every way out leads through here, before the message: trouble with the message must not keep
    the next release waiting. Safe to repeat, and to cut off anywhere: the cleaning step and
    Reconcile do what is left.
    """
    state = event["state"]
    app, settlement = requested_app(state["request"]), state.get("settlement")
    if settlement is not None and settlement["publish"]:
        # While it has the lock, no other release writes the app's history.
        _remember_durations(app, state, runtime)
    # Only the record knows of a lock that was taken by a step whose answer is lost.
    execution, fence = state["execution"], (settlement or {}).get("fence", 0)
    waiting = runtime.turns.change(
        app, lambda turn: (after := handed_over(turn, execution, fence), next_to_start(after))
    )
    start_next(app, waiting, runtime)
    if settlement is not None:
        before = "The release was settled before: " if _is_repeated(state) else ""
        return {"status": settlement["status"], "cause": before + settlement["cause"]}
    admission = state["admission"]
    return {"status": admission["status"], "cause": " ".join(admission["reasons"])}


def _is_repeated(state: Json) -> bool:
    """Whether the execution was redriven after its release had been settled."""
    steps = ("admission", "snapshot", "deployment", "rollback")
    answers = {state.get(step, {}).get("status") for step in steps}
    return bool(answers & {"SETTLED", "LOST"})


def _remember_durations(app: str, state: Json, runtime: Runtime) -> None:
    """Let the app's next release know how long its parts have to be expected to take.

    This is advice. Where it cannot be written, the release goes on without it.
    """
    remembered = taken(state, runtime.now())
    if not remembered.snapshot and not remembered.node_start:
        return
    try:
        runtime.histories.add(app, state["admission"]["release"]["id"], remembered)
    except UnreachableError as error:
        runtime.logger.warning("durations could not be recorded", app=app, why=str(error))
