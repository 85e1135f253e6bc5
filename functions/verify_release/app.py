"""VerifyRelease: is the live version healthy?"""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_step
from lightgate.steps.verify_release import verify_release


def handler(event: Json, context: LambdaContext) -> Json:
    return run_step(verify_release, event, context)
