"""AdmitRehearsal: check whether the migrations of an image can be rehearsed."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_rehearsal_step
from lightgate.steps.admit_rehearsal import admit_rehearsal


def handler(event: Json, context: LambdaContext) -> Json:
    return run_rehearsal_step(admit_rehearsal, event, context)
