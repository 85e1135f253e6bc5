"""The input of a rehearsal's execution, which a person may have written."""

from dataclasses import dataclass

from lightgate.errors import RequestError
from lightgate.release.request import parse_request


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalRequest:
    """Which image to rehearse for which app. Without tag and digest it is the spec's own tag.

    `take_snapshot`: take a snapshot first, and restore that one. `started_by` names the person.
    `image_tag` is the tag by which people know the image of the `digest`.
    """

    app: str
    tag: str | None = None
    digest: str | None = None
    image_tag: str | None = None
    take_snapshot: bool = False
    reason: str | None = None
    started_by: str | None = None


def parse_rehearsal_request(document: object) -> RehearsalRequest:
    """The input of an execution: that of a release by hand, with `takeSnapshot`.

    Raises:
        RequestError: one reason for each problem, each naming its field.
    """
    given = dict(document) if isinstance(document, dict) else document
    take = given.pop("takeSnapshot", False) if isinstance(given, dict) else False
    request = parse_request(given)
    others = {
        "rollbackTo": request.rollback_to,
        "command": request.command,
        "pushedTag": request.pushed_tag,
        "skipSnapshot": request.skip_snapshot or None,
        "rehearsal": request.rehearsal,
        "allowDestructive": request.allow_destructive or None,
    }
    wrong = [
        f"{name}: has no use in a rehearsal; leave it out"
        for name, value in others.items()
        if value is not None
    ]
    if not isinstance(take, bool):
        wrong.append("takeSnapshot: must be true or false")
    if wrong:
        raise RequestError(*wrong)
    return RehearsalRequest(
        app=request.app,
        tag=request.tag,
        digest=request.digest,
        image_tag=request.image_tag,
        take_snapshot=take,
        reason=request.reason,
        started_by=request.started_by,
    )
