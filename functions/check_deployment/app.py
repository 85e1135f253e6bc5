"""CheckDeployment: has the deployment ended, and how? Until then its gates are answered."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_step
from lightgate.steps.check_deployment import check_deployment


def handler(event: Json, context: LambdaContext) -> Json:
    return run_step(check_deployment, event, context)
