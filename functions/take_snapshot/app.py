"""TakeSnapshot: start the restore point of the release."""

from datetime import datetime, timedelta

from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.backup import BackupMode, BackupOrder
from lightgate.decision import why_no_point_in_time
from lightgate.errors import RefusedError, refused
from lightgate.outage import Checks
from lightgate.release import Release
from lightgate.restore_point import begin, forecast, progress, shortest_hold, with_checks
from lightgate.runtime import Json, Runtime, run


def handler(event: Json, context: LambdaContext) -> Json:
    return run(take_snapshot, event, context)


def take_snapshot(event: Json, runtime: Runtime) -> Json:
    """How the restore point stands, or why the release must not go on.

    Running this again goes on with the same snapshot.
    """
    release, order = Release.from_json(event["release"]), BackupOrder.from_json(event["database"])
    admitted_at = datetime.fromisoformat(event["admittedAt"])
    poll = timedelta(seconds=event["pollSeconds"])
    checks = _checks(event, admitted_at, poll, runtime.now())
    if (ending := runtime.objection(release.app, event["turn"])) is not None:
        return ending
    try:
        state = begin(runtime.restore_points(order.kind), order, release)
    except RefusedError as error:
        return error.answer()
    now = runtime.now()
    # Where no gate asks, nobody decides once more before something is applied.
    is_final = order.mode is BackupMode.POINT_IN_TIME and not release.asking_gates
    if is_final and (why := why_no_point_in_time(state, now)) is not None:
        return refused(why)
    answer = progress(
        state,
        order,
        forecast(release, event["history"]),
        asked_at=admitted_at,
        begun_at=now,
        now=now,
        hold=shortest_hold(release, poll),
        outage=checks.outage,
    )
    return with_checks(answer, checks.ended(runtime.now()))


def _checks(event: Json, admitted_at: datetime, poll: timedelta, now: datetime) -> Checks:
    """The checks so far: since the database was found busy, or since the release was admitted."""
    before = event.get("state", {}).get("snapshot")
    if before is None:
        return Checks(last_at=admitted_at).resumed(now, pause=timedelta())
    return Checks.from_json(before).resumed(now, pause=poll)
