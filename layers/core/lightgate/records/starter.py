"""What has started a release, by the input of its execution."""

from lightgate.records.release_record import StartedBy
from lightgate.release.unchecked_request import members_of


def starter_of(request: object) -> StartedBy:
    """Reconcile, a push or a person. The input may be any JSON, as that of a refused release."""
    asked = members_of(request)
    if asked.get("foundByReconcile") is True:
        return StartedBy.RECONCILE
    return StartedBy.PUSH if asked.get("pushedTag") is not None else StartedBy.PERSON
