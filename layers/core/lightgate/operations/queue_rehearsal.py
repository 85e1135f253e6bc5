"""Rehearse the push that waits in the queue, and start its release after that.

The release judges its rehearsal itself, in Admit: whatever its end is, the release is started, so
that subscribers get its message. Every part is idempotent: the lock is a conditional write, and the
executions have fixed names.
"""

from lightgate.errors import RefusalCode, RefusedError
from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.release_record import RELEASING
from lightgate.rehearsal.rehearsal_state import LONGEST_REHEARSAL
from lightgate.release.lock import execution_name_of
from lightgate.release.lock_rules import begin_rehearsal, end_rehearsal, next_to_start
from lightgate.release.release import Release, ReleaseKind
from lightgate.release.request import ReleaseRequest
from lightgate.runtime import Runtime
from lightgate.spec.keys import AppSpec


def rehearse_waiting(app: str, runtime: Runtime) -> None:
    """Start the rehearsal of the push that waits for one, and for nothing else."""
    lock = runtime.locks.read(app)
    if lock.rehearsal is None and (lock.to_rehearse is None or _another_runs(app, runtime)):
        # At its end, the one that runs comes here again.
        return
    rehearsal = runtime.locks.change(app, begin_rehearsal)
    if rehearsal is None:
        return
    if runtime.executions.start_rehearsal(rehearsal.name, rehearsal.request):
        runtime.logger.info("the push that waits is rehearsed", execution=rehearsal.name)
    else:
        # It has ended without saying so.
        end_queue_rehearsal(app, rehearsal.name, runtime)


def end_queue_rehearsal(app: str, name: str, runtime: Runtime) -> None:
    """The rehearsal of this name has ended: start what waited for it.

    If the release had been started before, and has ended without the lock, Reconcile finds it.
    """
    waiting = runtime.locks.change(
        app, lambda lock: (after := end_rehearsal(lock, name), next_to_start(after))
    )
    if waiting is not None:
        runtime.executions.start(waiting.name, waiting.request)
        return
    rehearse_waiting(app, runtime)


def _another_runs(app: str, runtime: Runtime) -> bool:
    return any(
        one.status == RELEASING and runtime.now() - one.started_at < LONGEST_REHEARSAL
        for one in runtime.rehearsals.history(app)
    )


def needs_rehearsal(
    request: ReleaseRequest, release: Release, spec: AppSpec, runtime: Runtime
) -> bool:
    """Whether the push has to be rehearsed before it may be released.

    Also if the spec has changed since its rehearsal.

    Raises:
        RefusedError: its rehearsal did not succeed, or it is unknown whether it did.
    """
    rehearsal = spec.rehearsal
    if rehearsal is None or not rehearsal.before_release or request.pushed_tag is None:
        return False
    if release.kind is not ReleaseKind.IMAGE:
        return False
    if request.rehearsal is None:
        return True
    found = next(
        (
            one
            for one in runtime.rehearsals.history(release.app)
            if execution_name_of(one.execution or "") == request.rehearsal
        ),
        None,
    )
    if found is None or found.status == RELEASING:
        raise RefusedError(
            "rehearsal.beforeRelease: the rehearsal of this push has left no outcome, so whether "
            "its migrations succeed is unknown",
            code=RefusalCode.NOT_REHEARSED,
        )
    if found.status != EndStatus.SUCCEEDED or found.digest != release.digest:
        raise RefusedError(
            f"rehearsal.beforeRelease: the rehearsal {found.release} of this push {found.status}. "
            f"{found.summary or ''}".strip(),
            *found.reasons,
            code=RefusalCode.NOT_REHEARSED,
        )
    return found.spec_version != release.spec_version
