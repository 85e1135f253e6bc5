"""RollBack: the new version does not do its work; bring back the last good one, or say why not."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_step
from lightgate.steps.roll_back import roll_back


def handler(event: Json, context: LambdaContext) -> Json:
    return run_step(roll_back, event, context, reads_secrets=True)
