"""Reconcile: look for what no event has told of, and go on with it."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run
from lightgate.steps.reconcile import reconcile


def handler(event: Json, context: LambdaContext) -> Json:
    return run(reconcile, event, context)
