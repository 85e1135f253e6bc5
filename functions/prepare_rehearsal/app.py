"""PrepareRehearsal: make the copy of the database and the service beside it."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_rehearsal_step
from lightgate.steps.prepare_rehearsal import prepare_rehearsal


def handler(event: Json, context: LambdaContext) -> Json:
    return run_rehearsal_step(prepare_rehearsal, event, context)
