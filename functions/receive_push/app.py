"""ReceivePush: an image arrived in ECR; start a release for each app that watches it."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run
from lightgate.steps.receive_push import receive_push


def handler(event: Json, context: LambdaContext) -> Json:
    return run(receive_push, event, context)
