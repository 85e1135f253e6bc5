"""Admit: may this release begin, and with which image?"""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_step
from lightgate.steps.admit import admit


def handler(event: Json, context: LambdaContext) -> Json:
    return run_step(admit, event, context)
