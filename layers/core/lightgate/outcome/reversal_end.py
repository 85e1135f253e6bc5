"""How an automatic reversal of migrations ended, in sentences."""

from collections.abc import Sequence

from lightgate.state import ReversalProgress, RollbackResult, RollbackStatus


def how_the_reversal_ended(back: RollbackResult) -> Sequence[str]:
    reversal = back.reversal or ReversalProgress()
    names = ", ".join(reversal.migrations)
    if back.has_reversed:
        return [
            f"Lightgate reversed {names}. The schema is as it was before the release.",
            f"Version {back.target} is live again as version {back.version}.",
        ]
    if not names:
        return ["Lightgate did not reverse the migrations.", *_why(back)]
    tried = f"Lightgate tried to reverse {names}, and that failed."
    return [tried, *_why(back), _database(reversal)]


def _why(back: RollbackResult) -> Sequence[str]:
    if back.status is RollbackStatus.FAILED and back.watch is not None:
        return [back.shown]
    if back.status in (RollbackStatus.FAILED, RollbackStatus.LOST):
        return back.reasons
    state = back.status or "not begun"
    return [f"Its deployment was {state} at the last check."]


def _database(reversal: ReversalProgress) -> str:
    """Whether the migrations are reversed, as far as the gate has reported it."""
    if reversal.is_done:
        return "The migrations are reversed, and the schema is as it was before the release."
    made = reversal.deployment
    gate = made.gate if made is not None else None
    if made is None or not made.permitted or (gate is not None and gate.changed is False):
        return "Nothing was reversed."
    return "Whether the migrations are reversed is unknown."
