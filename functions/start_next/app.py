"""StartNext: the outcome is recorded; free the lock, and start what waits."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_step
from lightgate.state import State
from lightgate.steps.start_next import start_next


def handler(event: Json, context: LambdaContext) -> Json:
    return run_step(start_next, event, context, read=State.read_at_the_end)
