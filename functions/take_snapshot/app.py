"""TakeSnapshot: start the restore point of the release."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.errors import RefusedError
from lightgate.release import Release
from lightgate.runtime import Json, Runtime, run
from lightgate.snapshot import progress


def handler(event: Json, context: LambdaContext) -> Json:
    return run(take_snapshot, event, context)


def take_snapshot(event: Json, runtime: Runtime) -> Json:
    """How the snapshot stands; running this again goes on with the same snapshot."""
    release, database = Release.from_json(event["release"]), event["database"]
    try:
        state = runtime.snapshots.take(
            database["snapshot"],
            instance=database["instance"],
            app=release.app,
            release=release.id,
        )
    except RefusedError as error:
        return {"status": "REFUSED", "reasons": list(error.reasons)}
    return progress(state, database, release.started_at, runtime.now())
