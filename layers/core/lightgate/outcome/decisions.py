"""The decisions of a release, each with its reason, for its evidence."""

from collections.abc import Iterator

from lightgate.errors import joined
from lightgate.outcome.outcome import Conclusion
from lightgate.records.release_evidence import RecordedDecision
from lightgate.state import Admission, Facts, RollbackProgress


def decisions_of(facts: Facts, conclusion: Conclusion) -> Iterator[RecordedDecision]:
    """In the order in which they were made."""
    state, deployment = facts.state, facts.deployment
    answer, snapshot = state.admission, facts.restore_point
    if isinstance(answer, Admission):
        what = f"admitted: {answer.status}"
        yield RecordedDecision(what=what, reason=joined(answer.warnings), at=answer.admitted_at)
    if (stop := state.stop) is not None:
        yield RecordedDecision(what=f"stopped: {stop.status}", reason=joined(stop.reasons))
    if snapshot is not None and snapshot.why:
        when = "deploy" if snapshot.may_deploy else "wait for the snapshot"
        yield RecordedDecision(what=when, reason=snapshot.why)
    if deployment is not None:
        for gate, judgement in deployment.judgements.items():
            what = f"plan of {gate}: {judgement.verdict}"
            yield RecordedDecision(what=what, reason=joined(judgement.reasons))
        if deployment.refusal is not None:
            yield RecordedDecision(what="permit refused", reason=deployment.refusal)
        elif deployment.permitted:
            yield RecordedDecision(
                what="permit granted", reason=joined(deployment.notes), at=deployment.permitted_at
            )
    verified, back = state.verification, state.rollback
    if verified is not None:
        at = verified.watch.checks.last_at if verified.watch is not None else None
        yield RecordedDecision(what=f"health: {verified.status}", reason=verified.shown, at=at)
    if back is not None:
        what = f"rollback: {back.status}"
        yield RecordedDecision(what=what, reason=joined(back.reasons), at=back.begun_at)
        yield from _reversal(back)
    yield RecordedDecision(what=f"outcome: {conclusion.outcome}", reason=joined(conclusion.reasons))


def _reversal(back: RollbackProgress) -> Iterator[RecordedDecision]:
    """Each condition that forbids an automatic reversal, or the permit of the reversal."""
    reversal = back.reversal
    if reversal is None:
        return
    for doubt in reversal.doubts:
        yield RecordedDecision(what=f"not reversed: {doubt.bar}", reason=doubt.reason)
    made = reversal.deployment
    if made is not None and made.refusal is not None:
        yield RecordedDecision(what="reversal refused", reason=made.refusal)
    elif made is not None and made.permitted:
        yield RecordedDecision(
            what="reversal permitted",
            reason=f"{' '.join(reversal.call)} reverses {', '.join(reversal.migrations)}",
            at=made.permitted_at,
        )
