"""CheckSnapshot: is the restore point there, or near enough?"""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_step
from lightgate.steps.check_snapshot import check_snapshot


def handler(event: Json, context: LambdaContext) -> Json:
    return run_step(check_snapshot, event, context)
