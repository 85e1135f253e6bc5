"""CheckSnapshot: is the restore point there, or near enough?"""

from datetime import datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.backup import Backup, BackupOrder, History
from lightgate.decision import when_to_deploy
from lightgate.errors import RefusedError
from lightgate.release import Release
from lightgate.restore_point import progress
from lightgate.runtime import Json, Runtime, run


def handler(event: Json, context: LambdaContext) -> Json:
    return run(check_snapshot, event, context)


def check_snapshot(event: Json, runtime: Runtime) -> Json:
    """How the snapshot stands, or why the release must not go on. Changes nothing."""
    release, order = Release.from_json(event["release"]), BackupOrder.from_json(event["database"])
    if (ending := runtime.objection(release.app, event["turn"])) is not None:
        return ending
    try:
        state = runtime.restore_points(order.kind).state(order.snapshot)
    except RefusedError as error:
        return {"status": "REFUSED", "reasons": list(error.reasons)}
    begun_at, now = datetime.fromisoformat(event["snapshot"]["begunAt"]), runtime.now()
    backup = Backup(mode=order.mode, state=state, begun_at=begun_at, time_limit=order.time_limit)
    # A gate that asks for no permit would not wait for the snapshot.
    history = History.from_json(event["history"]) if release.asking_gates else History()
    next_look = timedelta(seconds=event["pollSeconds"])
    start = when_to_deploy(backup, history, now, next_look)
    return progress(state, order, start, started_at=release.started_at, begun_at=begun_at, now=now)
