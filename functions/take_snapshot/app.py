"""TakeSnapshot: start the restore point of the release."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_step
from lightgate.steps.take_snapshot import take_snapshot


def handler(event: Json, context: LambdaContext) -> Json:
    return run_step(take_snapshot, event, context)
