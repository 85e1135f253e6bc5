"""RecordOutcome: one final outcome for the release, explained, recorded, and put into words."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_step
from lightgate.state import State
from lightgate.steps.record_outcome import record_outcome


def handler(event: Json, context: LambdaContext) -> Json:
    return run_step(record_outcome, event, context, read=State.read_at_the_end)
