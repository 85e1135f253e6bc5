"""The one form in which a step tells a Wait state of the state machine how long to wait."""

import math
from datetime import timedelta


def wait_seconds(pause: timedelta) -> int:
    """The pause as Step Functions takes it: whole seconds, and never less than the pause.

    A Wait state that reads any other number, 90.0 for one, ends the execution with
    States.Runtime, which no Catch sees.
    """
    return math.ceil(pause.total_seconds())
