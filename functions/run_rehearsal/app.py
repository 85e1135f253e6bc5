"""RunRehearsal: run the migrations on the copy through the gate, and measure them."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_rehearsal_step
from lightgate.steps.run_rehearsal import run_rehearsal


def handler(event: Json, context: LambdaContext) -> Json:
    return run_rehearsal_step(run_rehearsal, event, context, reads_secrets=True)
