"""Deploy: create the deployment, once."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_step
from lightgate.steps.deploy import deploy


def handler(event: Json, context: LambdaContext) -> Json:
    return run_step(deploy, event, context, reads_secrets=True)
