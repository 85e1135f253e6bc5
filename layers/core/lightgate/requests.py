"""What starts a release: a push to ECR, or a person's execution input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightgate.documents import Node, Problems, shown
from lightgate.errors import RequestError
from lightgate.release import PIN_TAG_PREFIX, is_digest

_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """The input of an execution. At most one of `tag` and `digest` is given."""

    app: str
    tag: str | None
    digest: str | None
    skip_snapshot: bool
    allow_destructive: bool
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A tagged image that arrived in a repository."""

    event_id: str
    repository: str
    tag: str
    digest: str


def parse_request(document: object) -> ReleaseRequest:
    """The input of an execution.

    Raises:
        RequestError: one reason for each problem, each naming its field.
    """
    problems = Problems("the input")
    node = Node(document, "", problems)
    if not isinstance(document, dict):
        raise RequestError(
            f'the input must be an object such as {{"app": "crops-backend"}}, not {shown(document)}'
        )
    fields = node.fields(
        required=("app",), optional=("tag", "digest", "skipSnapshot", "allowDestructive", "reason")
    )
    request = ReleaseRequest(
        app=fields.read("app", Node.string, ""),
        tag=fields.read("tag", lambda n: n.string(_TAG, "an image tag"), None),
        digest=fields.read("digest", _digest, None),
        skip_snapshot=fields.read("skipSnapshot", Node.boolean, False),
        allow_destructive=fields.read("allowDestructive", Node.boolean, False),
        reason=fields.read("reason", lambda n: n.text(LONGEST_REASON), None),
    )
    if request.tag is not None and request.digest is not None:
        problems.add("digest", "stands beside tag; give one of the two")
    if problems.lines:
        raise RequestError(*problems.reasons)
    return request


def push_request(app: str, push: Push) -> dict[str, str]:
    """The execution input for an app that watches this push."""
    return {
        "app": app,
        "digest": push.digest,
        "reason": f"push of {push.repository}:{push.tag}",
    }


def parse_push(event: Mapping[str, Any]) -> Push | None:
    """The push that an `ECR Image Action` event tells of; None for what is no release.

    The rule lets only tagged, successful pushes through; this holds also when somebody
    widens the rule (lightsail-facts.md, section 13: the tag may be missing or empty).

    Raises:
        RequestError: the event does not have the shape that ECR documents.
    """
    problems = Problems("the event")
    detail = event.get("detail")
    if not isinstance(detail, dict):
        raise RequestError(f"detail: must be an object, not {shown(detail)}")
    if detail.get("action-type") != "PUSH" or detail.get("result") != "SUCCESS":
        return None
    tag = detail.get("image-tag") or ""
    if isinstance(tag, str) and (not tag or tag.startswith(PIN_TAG_PREFIX)):
        return None
    node = Node(event, "", problems)
    inside = node.child("detail", detail)
    push = Push(
        event_id=node.child("id", event.get("id")).string(),
        repository=inside.child("repository-name", detail.get("repository-name")).string(),
        tag=inside.child("image-tag", tag).string(_TAG, "an image tag"),
        digest=_digest(inside.child("image-digest", detail.get("image-digest"))),
    )
    if problems.lines:
        raise RequestError(*problems.reasons)
    return push


def _digest(node: Node) -> str:
    text = node.string()
    if text and not is_digest(text):
        node.problem(f"{shown(text)} is not valid; allowed is sha256: and 64 hexadecimal digits")
    return text
