"""PruneSnapshots: delete the restore points that the spec says are no longer wanted."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.release import Release
from lightgate.runtime import Json, Runtime, run
from lightgate.spec_parser.parser import parse_spec


def handler(event: Json, context: LambdaContext) -> Json:
    return run(prune_snapshots, event, context)


def prune_snapshots(event: Json, runtime: Runtime) -> Json:
    """The identifiers of the deleted snapshots; none unless `keepSnapshots` is given."""
    release = Release.from_json(event["release"])
    database = parse_spec(runtime.apps.read(release.app, release.spec_version).text).database
    if database is None or database.keep_snapshots is None:
        return {"deleted": []}
    deleted = runtime.restore_points(database.kind).prune(
        release.app, database.name, database.keep_snapshots
    )
    runtime.logger.info("old snapshots are deleted", snapshots=deleted)
    return {"deleted": deleted}
