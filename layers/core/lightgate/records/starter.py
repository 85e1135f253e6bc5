"""What has started a release, and who, by the input of its execution. It decides nothing."""

from lightgate.gate.log_lines import plain_text
from lightgate.records.release_record import StartedBy
from lightgate.release.unchecked_request import members_of

_LONGEST_NAME = 200


def starter_of(request: object) -> StartedBy:
    """Reconcile, a push or a person. The input may be any JSON, as that of a refused release."""
    asked = members_of(request)
    if asked.get("foundByReconcile") is True:
        return StartedBy.RECONCILE
    return StartedBy.PUSH if asked.get("pushedTag") is not None else StartedBy.PERSON


def name_of_starter(request: object) -> str | None:
    """The person whom the input names."""
    return plain_text(members_of(request).get("startedBy"), _LONGEST_NAME)
