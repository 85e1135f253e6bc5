"""RemoveRehearsal: delete the temporary instance and service."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_rehearsal_step
from lightgate.steps.remove_rehearsal import remove_rehearsal


def handler(event: Json, context: LambdaContext) -> Json:
    return run_rehearsal_step(remove_rehearsal, event, context, reads_any_state=True)
