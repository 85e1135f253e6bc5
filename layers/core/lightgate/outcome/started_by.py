"""Who has started a release, by the input of its execution. It decides nothing."""

from lightgate.gate.log_lines import plain_text
from lightgate.records.release_record import StartedBy
from lightgate.release.unchecked_request import members_of

_LONGEST_NAME = 200


def started_by(request: object) -> StartedBy:
    asked = members_of(request)
    if asked.get("pushedTag") is None:
        return StartedBy.PERSON
    return StartedBy.RECONCILE if asked.get("missed") else StartedBy.PUSH


def who(request: object) -> str | None:
    """The person whom the request names."""
    return plain_text(members_of(request).get("startedBy"), _LONGEST_NAME)
