"""PruneSnapshots: delete the restore points that the spec says are no longer wanted."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.runtime import Json, run_step
from lightgate.steps.prune_snapshots import prune_snapshots


def handler(event: Json, context: LambdaContext) -> Json:
    return run_step(prune_snapshots, event, context)
