"""The cost of a release, by the states, the calls and the seconds of its functions.

Retries of a state are not counted, because no step sees them. Storage, messages and logs are not
counted either, nor what AWS gives for free.
"""

from datetime import datetime

from lightgate.outcome.outcome import Outcome
from lightgate.records.recorded_outcome import Cost
from lightgate.state import Facts, Usage

# The only place with prices: us-east-1, x86, in dollars, as of November 2025.
PRICED = "us-east-1, 2025-11"
_TRANSITION = 25e-6
_REQUEST = 0.2e-6
GIGABYTE_SECOND = 16.6667e-6

# The memory of the functions in template.yaml, by the field of the state that they answer with.
USUAL_MEMORY = 512
OTHER_MEMORY = {"verification": 384}
# StartNext and PruneSnapshots run after the outcome is recorded.
_LATER_CALLS, _LATER_MILLISECONDS = 2, 1000
_BEGIN = 1
# Each step is a task and a choice, and waits before it is repeated.
_STEP, _REPETITION = 2, 3
_PUBLISH_START = 2
_PUBLISH_FAILURE = 1
# Admit waits in two states for a release that was abandoned.
_ADMIT_AGAIN = 4
# From StartNext to the end.
_TAIL, _TAIL_WITH_MESSAGE, _TAIL_OF_SUCCESS = 4, 6, 7


def cost_of(facts: Facts, outcome: Outcome, now: datetime) -> Cost | None:
    """The cost of the whole execution; None if another function than RecordOutcome ends it."""
    if facts.began_at is None:
        return None
    state, publishes = facts.state, not outcome.is_quiet
    succeeded = outcome is Outcome.SUCCEEDED
    own = round((now - facts.began_at).total_seconds() * 1000)
    used = {**state.usage, "outcome": state.usage.get("outcome", Usage()).more(own)}
    transitions = _BEGIN + (_PUBLISH_START if state.started is not None else 0)
    transitions += _PUBLISH_FAILURE if state.failed_migration is not None else 0
    for field, usage in used.items():
        again = _ADMIT_AGAIN if field == "admission" else _REPETITION
        transitions += _STEP + again * (usage.calls - 1)
    transitions += _TAIL_OF_SUCCESS if succeeded else _TAIL_WITH_MESSAGE if publishes else _TAIL
    later = _LATER_CALLS if succeeded else _LATER_CALLS - 1
    calls = sum(usage.calls for usage in used.values()) + later
    gigabyte_seconds = sum(
        usage.milliseconds / 1000 * OTHER_MEMORY.get(field, USUAL_MEMORY) / 1024
        for field, usage in used.items()
    )
    gigabyte_seconds += _LATER_MILLISECONDS / 1000 * USUAL_MEMORY / 1024
    return Cost(
        dollars=round(
            transitions * _TRANSITION + calls * _REQUEST + gigabyte_seconds * GIGABYTE_SECOND,
            6,
        ),
        transitions=transitions,
        calls=calls,
        milliseconds=sum(usage.milliseconds for usage in used.values()) + _LATER_MILLISECONDS,
        priced=PRICED,
    )
