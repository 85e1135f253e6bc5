"""HandOver: the release is over; the next one may begin."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.cleaning import start_next
from lightgate.durations import taken
from lightgate.runtime import Json, Runtime, run
from lightgate.settlement import requested_app
from lightgate.turn import hand_over as handed_over


def handler(event: Json, context: LambdaContext) -> Json:
    return run(hand_over, event, context)


def hand_over(event: Json, runtime: Runtime) -> Json:
    """How the execution ends.

    Every way out leads through here. The message is marked as published, the turn is freed,
    and what waits is started, in this order: wherever this is cut off, the cleaning step
    finds out from what is left how to go on.
    """
    state = event["state"]
    app, settlement = requested_app(state["request"]), state.get("settlement")
    if settlement is not None and settlement["publish"]:
        runtime.records.mark_published(app, settlement["release"], runtime.now())
        _remember_durations(app, state, runtime)
    execution = state["execution"]
    runtime.turns.change(app, lambda turn: (handed_over(turn, execution), None))
    started = start_next(app, runtime)
    if started is not None:
        runtime.logger.info("the release that waited begins", execution=started)
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
    """Let the app's next release know how long its parts have to be expected to take."""
    remembered = taken(state, runtime.now())
    if remembered.snapshot or remembered.node_start:
        runtime.histories.add(app, state["admission"]["release"]["id"], remembered)
