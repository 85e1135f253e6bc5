"""CheckSnapshot: is the restore point there, or near enough?"""

from datetime import datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.backup import Backup, BackupOrder, History
from lightgate.decision import when_to_deploy
from lightgate.release import Release
from lightgate.restore_point import look, progress
from lightgate.runtime import Json, Runtime, run


def handler(event: Json, context: LambdaContext) -> Json:
    return run(check_snapshot, event, context)


def check_snapshot(event: Json, runtime: Runtime) -> Json:
    """How the snapshot stands, or why the release must not go on. Changes nothing."""
    release, order = Release.from_json(event["release"]), BackupOrder.from_json(event["database"])
    if (ending := runtime.objection(release.app, event["turn"])) is not None:
        return ending
    begun_at, now = datetime.fromisoformat(event["snapshot"]["begunAt"]), runtime.now()
    state = look(runtime.restore_points(order.kind), order, begun_at, now)
    asked_at = release.started_at
    backup = Backup(
        mode=order.mode,
        state=state,
        asked_at=asked_at,
        begun_at=begun_at,
        time_limit=order.time_limit,
    )
    # A gate that asks for no permit would not wait for the snapshot.
    history = History.from_json(event["history"]) if release.asking_gates else History()
    next_look = timedelta(seconds=event["pollSeconds"])
    start = when_to_deploy(backup, history, now, next_look)
    return progress(state, order, start, asked_at=asked_at, begun_at=begun_at, now=now)
