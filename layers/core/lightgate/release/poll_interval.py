"""How long the state machine waits before it checks something again."""

import math
from datetime import timedelta

from lightgate.release.release import Release

# A ready node waits until its permit is there, so it is checked more often; never so often that
# the checks of a long `platformPatienceSeconds` would not fit into one execution.
_WHILE_A_GATE_WAITS = timedelta(seconds=3)
_MOST_POLLS_WHILE_A_GATE_WAITS = 300


def poll_interval(release: Release, usual: timedelta, *, gate_waits: bool) -> timedelta:
    """How long to wait until a deployment is checked again."""
    if not gate_waits:
        return usual
    spread = release.platform_patience / _MOST_POLLS_WHILE_A_GATE_WAITS
    return min(usual, max(_WHILE_A_GATE_WAITS, spread))


def wait_seconds(pause: timedelta) -> int:
    """The pause as Step Functions takes it: whole seconds, and never less than the pause.

    A Wait state that reads any other number, 90.0 for one, ends the execution with
    States.Runtime, which no Catch sees.
    """
    return math.ceil(pause.total_seconds())
