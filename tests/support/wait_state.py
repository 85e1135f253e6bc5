"""What Step Functions accepts in a Wait state, for the machines that tests run themselves."""

import json

_LONGEST_WAIT_SECONDS = 99_999_999


def wait_seconds(place: str, value: object) -> str | None:
    """Why the value at a Wait state's SecondsPath ends the execution; None if the state waits.

    Step Functions ends it with States.Runtime, which no Catch sees.
    """
    found = f"{place} == {json.dumps(value)}"
    if isinstance(value, bool) or not isinstance(value, int):
        return f"The SecondsPath parameter cannot be parsed as a long value: {found}"
    if 0 <= value <= _LONGEST_WAIT_SECONDS:
        return None
    wrong = "negative value" if value < 0 else f"value greater than {_LONGEST_WAIT_SECONDS}"
    return f"The SecondsPath parameter references a {wrong}: {found}"
