"""CleanUp: an execution has ended other than well; leave nothing of its release open."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run
from lightgate.steps.clean_up import clean_up


def handler(event: Json, context: LambdaContext) -> Json:
    return run(clean_up, event, context)
