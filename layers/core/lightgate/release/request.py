"""What starts a release: a push to ECR, or a person's execution input."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from lightgate.errors import RequestError
from lightgate.image.addresses import bare_name, digest_hint, one_tag_hint
from lightgate.image.tags import PushedImage
from lightgate.json_reader import Fields, Node, Problems, shown
from lightgate.names import PIN_TAG_PREFIX

_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_EXECUTION = r"[A-Za-z0-9_-]{1,80}"
LONGEST_REASON = 500
# Each may have 128 characters, beside a repository of 256.
_MOST_TAGS = 2
# It travels through the state machine, and then as a part of the deployment.
_LONGEST_COMMAND_BYTES = 4096
_LARGEST_VERSION = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """The input of an execution. At most one of `tag`, `digest` and `rollback_to` is given.

    `rollback_to` is the version of the service to go back to. `command` is run once with the
    given image, while the app stays on what it serves. `pushed_tag` is the tag under which the
    image was pushed, and None if a person has asked for the release. `requested_at` is when it
    was asked for, if that was before the execution's start. `started_by` names the person, such as
    an ARN. `found_by_reconcile`: no event has caused the release, and Reconcile has. `image_tag` is
    the tag by which people know the image of the `digest`. These three are for the record and the
    messages, and decide nothing. `rehearsal` is the name of the execution that has rehearsed the
    push.
    """

    app: str
    tag: str | None
    digest: str | None
    rollback_to: int | None
    command: tuple[str, ...] | None
    skip_snapshot: bool
    allow_destructive: bool
    reason: str | None
    pushed_tag: str | None
    requested_at: datetime | None
    started_by: str | None = None
    found_by_reconcile: bool = False
    image_tag: str | None = None
    rehearsal: str | None = None

    def again(self, digest: str, at: datetime) -> dict[str, Any]:
        """The execution input by which this request is carried out later, and not changed.

        The image is fixed by now, and so is the request's place among others.
        """
        given = {
            "skipSnapshot": self.skip_snapshot or None,
            "allowDestructive": self.allow_destructive or None,
            "reason": self.reason,
            "pushedTag": self.pushed_tag,
            "startedBy": self.started_by,
            "foundByReconcile": self.found_by_reconcile or None,
            "imageTag": self.tag or self.image_tag,
            "rehearsal": self.rehearsal,
        }
        return {
            "app": self.app,
            "digest": digest,
            "requestedAt": at.isoformat(),
            **{name: value for name, value in given.items() if value is not None},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The account and the region of this stack. Events of others may reach its event bus."""

    account: str
    region: str

    @classmethod
    def of_arn(cls, arn: str) -> Self:
        """Those of a resource of this stack."""
        _, _, _, region, account, *_ = arn.split(":")
        return cls(account=account, region=region)

    def is_foreign(self, event: Mapping[str, Any]) -> bool:
        """Whether the event names another account or region than this one."""
        named = event.get("account", self.account), event.get("region", self.region)
        return named != (self.account, self.region)


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A tagged image that arrived in a repository."""

    event_id: str
    at: datetime
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
        required=("app",),
        optional=(
            *("tag", "digest", "rollbackTo", "command"),
            *("skipSnapshot", "allowDestructive", "reason", "startedBy"),
            *("pushedTag", "requestedAt", "foundByReconcile", "imageTag", "rehearsal"),
        ),
    )
    request = ReleaseRequest(
        app=fields.read("app", Node.string, ""),
        tag=fields.read(
            "tag", lambda n: bare_name(n, _TAG, "an image tag", 128, one_tag_hint), None
        ),
        digest=fields.read("digest", _digest, None),
        rollback_to=fields.read("rollbackTo", lambda n: n.integer(1, _LARGEST_VERSION), None),
        command=fields.read("command", _command, None),
        skip_snapshot=fields.read("skipSnapshot", Node.boolean, False),
        allow_destructive=fields.read("allowDestructive", Node.boolean, False),
        reason=fields.read("reason", lambda n: n.text(LONGEST_REASON), None),
        pushed_tag=fields.read("pushedTag", lambda n: n.string(_TAG, "an image tag"), None),
        requested_at=fields.read("requestedAt", _moment, None),
        started_by=fields.read("startedBy", lambda n: n.text(LONGEST_REASON), None),
        found_by_reconcile=fields.read("foundByReconcile", Node.boolean, False),
        rehearsal=fields.read(
            "rehearsal", lambda n: n.string(_EXECUTION, "the name of an execution"), None
        ),
        image_tag=fields.read("imageTag", lambda n: n.string(_TAG, "an image tag"), None),
    )
    _check_together(fields, problems)
    if problems.lines:
        raise RequestError(*problems.reasons)
    return request


def _check_together(fields: Fields, problems: Problems) -> None:
    if "tag" in fields and "digest" in fields:
        problems.add("digest", "stands beside tag; give one of the two")
    if "imageTag" in fields and "digest" not in fields:
        problems.add("imageTag", "names the image of a digest; give the digest, or only tag")
    if "rehearsal" in fields and "pushedTag" not in fields:
        problems.add("rehearsal", "stands without pushedTag; only pushes are rehearsed first")
    if "rollbackTo" in fields:
        for other in ("tag", "digest", "command", "pushedTag"):
            if other in fields:
                problems.add(other, "stands beside rollbackTo, which says it all; leave it out")
    elif "command" in fields:
        if "tag" not in fields and "digest" not in fields:
            problems.add("command", "needs the image to run it with; give a tag or a digest")
        if "pushedTag" in fields:
            problems.add("pushedTag", "stands beside command, which no push asks for; leave it out")


def is_tag(text: str) -> bool:
    return re.fullmatch(_TAG, text) is not None


def push_request(app: str, push: Push) -> dict[str, str]:
    """The execution input for an app that watches this push."""
    return {
        "app": app,
        "digest": push.digest,
        "pushedTag": push.tag,
        "requestedAt": push.at.isoformat(),
        "reason": f"push of {push.repository}:{push.tag}",
    }


def missed_request(
    app: str, repository: str, image: PushedImage, superseded: Sequence[str] = ()
) -> dict[str, object]:
    """The execution input for a push of which no event has come.

    `superseded` are the tags whose pushes have been missed, too, and count as older.
    """
    others = ", ".join(superseded[:_MOST_TAGS])
    more = len(superseded) - _MOST_TAGS
    others += f" and {more} more" if more > 0 else ""
    return {
        "app": app,
        "digest": image.digest,
        "pushedTag": image.tag,
        "requestedAt": image.pushed_at.astimezone(UTC).isoformat(),
        "reason": f"push of {repository}:{image.tag}, whose event never came"
        + (f"; also missed, and not released: {others}" if others else ""),
        "foundByReconcile": True,
    }


def broken_spec_request(app: str) -> dict[str, object]:
    """The execution input that ends as REFUSED with everything that is wrong with the spec.

    It names a digest that no image has, so that it releases nothing if the spec is corrected
    before the execution reads it.
    """
    return {
        "app": app,
        "digest": f"sha256:{'0' * 64}",
        "reason": "the spec is broken and names no repository, so no push can report it",
        "foundByReconcile": True,
    }


def parse_push(event: Mapping[str, Any]) -> Push | None:
    """The push that an `ECR Image Action` event tells of; None for what is no release.

    The rule lets only tagged, successful pushes through; this holds also when somebody
    widens the rule (docs/lightsail.md, "Push events of ECR": the tag may be missing or empty).

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
    for name in ("account", "region"):
        node.child(name, event.get(name)).string()
    push = Push(
        event_id=node.child("id", event.get("id")).string(),
        at=_moment(node.child("time", event.get("time"))),
        repository=inside.child("repository-name", detail.get("repository-name")).string(),
        tag=inside.child("image-tag", tag).string(_TAG, "an image tag"),
        digest=_digest(inside.child("image-digest", detail.get("image-digest"))),
    )
    if problems.lines:
        raise RequestError(*problems.reasons)
    return push


def _command(node: Node) -> tuple[str, ...]:
    argv = node.argv()
    size = sum(len(argument.encode()) for argument in argv)
    if size > _LONGEST_COMMAND_BYTES:
        node.problem(f"has {size} bytes; at most {_LONGEST_COMMAND_BYTES} are allowed")
    return argv


def _digest(node: Node) -> str:
    words = "sha256: and 64 hexadecimal digits"
    return bare_name(node, r"sha256:[0-9a-f]{64}", words, 4096, digest_hint)


def _moment(node: Node) -> datetime:
    """A point in time, in UTC; the beginning of all time for one that is none."""
    text = node.string()
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    if text:
        node.problem(f"{shown(text)} is not valid; allowed is a time such as 2026-11-16T01:54:34Z")
    return datetime.min.replace(tzinfo=UTC)
