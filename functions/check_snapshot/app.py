"""CheckSnapshot: is the restore point there?"""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.errors import RefusedError
from lightgate.release import Release
from lightgate.runtime import Json, Runtime, run
from lightgate.snapshot import progress


def handler(event: Json, context: LambdaContext) -> Json:
    return run(check_snapshot, event, context)


def check_snapshot(event: Json, runtime: Runtime) -> Json:
    """How the snapshot stands. Changes nothing."""
    release, database = Release.from_json(event["release"]), event["database"]
    try:
        state = runtime.snapshots.state(database["snapshot"])
    except RefusedError as error:
        return {"status": "REFUSED", "reasons": list(error.reasons)}
    return progress(state, database, release.started_at, runtime.now())
