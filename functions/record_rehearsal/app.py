"""RecordRehearsal: record how the rehearsal has ended."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_rehearsal_step
from lightgate.steps.record_rehearsal import record_rehearsal


def handler(event: Json, context: LambdaContext) -> Json:
    return run_rehearsal_step(record_rehearsal, event, context, reads_any_state=True)
