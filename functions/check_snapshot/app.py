"""CheckSnapshot: is the restore point there, or near enough?"""

from datetime import datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.backup import BackupOrder
from lightgate.outage import Checks
from lightgate.release import Release
from lightgate.restore_point import forecast, look, progress, shortest_hold, with_checks
from lightgate.runtime import Json, Runtime, run


def handler(event: Json, context: LambdaContext) -> Json:
    return run(check_snapshot, event, context)


def check_snapshot(event: Json, runtime: Runtime) -> Json:
    """How the snapshot stands, or why the release must not go on. Changes nothing."""
    release, order = Release.from_json(event["release"]), BackupOrder.from_json(event["database"])
    if (ending := runtime.objection(release.app, event["turn"])) is not None:
        return ending
    before, now = event["snapshot"], runtime.now()
    poll = timedelta(seconds=event["pollSeconds"])
    checks = Checks.from_json(before).resumed(now, pause=poll)
    begun_at = datetime.fromisoformat(before["begunAt"])
    state = look(runtime.restore_points(order.kind), order, begun_at, now)
    answer = progress(
        state,
        order,
        forecast(release, event["history"]),
        asked_at=datetime.fromisoformat(before["askedAt"]),
        begun_at=begun_at,
        now=now,
        hold=shortest_hold(release, poll),
        outage=checks.outage,
    )
    return with_checks(answer, checks.ended(runtime.now()))
