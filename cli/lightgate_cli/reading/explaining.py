"""Why a push is not live: the answer, by recorded facts only."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lightgate.errors import sentence
from lightgate.image.tags import TaggedImage
from lightgate.names import PIN_TAG_PREFIX
from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.release_record import ReadableRecord, RecordKind, StageName
from lightgate.records.wording import called, moment, roughly, short_id
from lightgate.release.lock import Lock
from lightgate.spec.keys import AppSpec, matches
from lightgate_cli.reading.app_status import ABANDONED, has_digest

# So long the event of a push may take before Reconcile counts it as missed.
_EVENT_DELAY = timedelta(minutes=5)


class Answer(enum.StrEnum):
    """What became of a push."""

    LIVE = "live"
    REPLACED = "replaced"
    IN_PROGRESS = "in-progress"
    ABANDONED = "abandoned"
    WAITING = "waiting"
    REHEARSING = "rehearsing"
    PAUSED = "paused"
    SUPERSEDED = "superseded"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    IGNORED = "ignored"
    NO_IMAGE = "no-image"
    SPEC_BROKEN = "spec-broken"
    NO_APP = "no-app"
    NOT_IN_REPOSITORY = "not-in-repository"
    BEFORE_WATCH = "before-watch"
    EVENT_EXPECTED = "event-expected"
    RECONCILE_OFF = "reconcile-off"
    NEVER_SEEN = "never-seen"

    @property
    def is_found(self) -> bool:
        """Whether there is such a push, as far as anything is known of it."""
        return self not in (Answer.NO_APP, Answer.NOT_IN_REPOSITORY, Answer.NEVER_SEEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushFacts:
    """What was read of a push. `asked` is its tag or its digest.

    `releases` are those of the tag or the digest, the newest first. `image` is the image in the
    repository, None if it is not there or could not be read, as `image_unread` says. `artifact` is
    the kind of a push that is no image. `is_baseline`: the tag stood for this image when Lightgate
    first saw it. `live` is the release that is live by Lightsail, and
    `live_record` its record; with `live_unread`, which says why Lightsail could not be read, by the
    last record. `others` are releases that these may name, by their ids.
    """

    app: str
    asked: str
    now: datetime
    spec: AppSpec | None
    spec_problem: str | None = None
    releases: Sequence[ReadableRecord] = ()
    others: Sequence[ReadableRecord] = ()
    lock: Lock = field(default_factory=Lock)
    live: str | None = None
    live_record: ReadableRecord | None = None
    live_unread: str | None = None
    image: TaggedImage | None = None
    image_unread: str | None = None
    artifact: str | None = None
    is_baseline: bool = False
    reconciles: bool = True
    reconciled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The answer of `lightgate explain`. `by` is the release that stands in its way."""

    app: str
    asked: str
    answer: Answer
    text: str
    schema_version: int = 1
    reasons: Sequence[str] = ()
    next_steps: Sequence[str] = ()
    release: str | None = None
    by: str | None = None
    since: datetime | None = None
    failure_code: str | None = None
    tag: str | None = None
    digest: str | None = None


def explain_push(facts: PushFacts) -> Explanation:
    """Why the push is not live, or since when it is."""
    newest = facts.releases[0] if facts.releases else None
    if newest is None or _is_pushed_again(newest, facts.image):
        return _without_a_release(facts)
    return _of_release(newest, facts)


def _is_pushed_again(newest: ReadableRecord, image: TaggedImage | None) -> bool:
    """Whether the tag names another image by now, of which there is no release."""
    if image is None or newest.digest is None or newest.started_at >= image.pushed_at:
        return False
    return not has_digest(newest, image.digest)


def _of_release(record: ReadableRecord, facts: PushFacts) -> Explanation:
    name = called(record.tag, record.digest)
    lock = facts.lock

    def answer(
        kind: Answer,
        text: str,
        *,
        reasons: Sequence[str] = (),
        next_steps: Sequence[str] = (),
        by: str | None = None,
        since: datetime | None = None,
    ) -> Explanation:
        return Explanation(
            app=facts.app,
            asked=facts.asked,
            answer=kind,
            text=text,
            reasons=[sentence(each) for each in reasons],
            next_steps=next_steps,
            release=record.release,
            by=by,
            since=since,
            failure_code=record.failure_code,
            tag=record.tag,
            digest=record.digest,
        )

    is_serving = facts.live_record is not None and facts.live_record.release == record.release
    holds_the_lock = lock.holder is not None and lock.holder.release == record.release
    if _is_live(record, facts) and not (is_serving and holds_the_lock):
        shown = facts.live_record or record
        since = _active_at(shown) or shown.ended_at or shown.started_at
        live = answer(
            Answer.LIVE,
            f"{name} of {facts.app} is live since {moment(since)}.",
            reasons=_by_record(facts),
            since=since,
        )
        return replace(live, release=shown.release, failure_code=None)
    if record.status == ABANDONED:
        return answer(
            Answer.ABANDONED,
            f"The execution of {record.release} has ended without an outcome.",
            next_steps=["Wait: Reconcile records its outcome within 15 minutes."],
        )
    if holds_the_lock:
        return answer(
            Answer.IN_PROGRESS,
            f"The release of {name} is in progress since {moment(record.started_at)}.",
            reasons=["It serves already, and its health checks have not ended."]
            if is_serving
            else (),
            next_steps=[f"lightgate show {short_id(record.release)}"],
            since=record.started_at,
        )
    if lock.waiting is not None and lock.waiting.release == record.release:
        return _waiting(name, facts, answer)
    return _ended(record, name, facts, answer)


def _waiting(name: str, facts: PushFacts, answer: Callable[..., Explanation]) -> Explanation:
    holder, pause = facts.lock.holder, facts.lock.paused
    if holder is not None:
        other = _other(holder.release, facts)
        return answer(
            Answer.WAITING,
            f"{name} waits behind the release of {other}, which is in progress.",
            next_steps=[f"lightgate show {short_id(holder.release)}"],
            by=holder.release,
        )
    if pause is not None:
        return answer(
            Answer.PAUSED,
            f"{name} waits because {pause.by} has paused {facts.app} since {moment(pause.at)}.",
            reasons=[pause.reason],
            next_steps=[f"lightgate resume {facts.app}"],
            since=pause.at,
        )
    waiting, rehearsal = facts.lock.waiting, facts.lock.rehearsal
    if waiting is not None and facts.lock.to_rehearse == waiting.name:
        is_begun = rehearsal is not None and rehearsal.push == waiting.name
        return answer(
            Answer.REHEARSING,
            f"{name} is rehearsed first, and released if the rehearsal succeeds."
            if is_begun
            else f"{name} waits for its rehearsal, which is about to start.",
            next_steps=[f"lightgate history {facts.app}"],
        )
    return answer(Answer.WAITING, f"{name} waits, and is about to start.")


def _ended(
    record: ReadableRecord, name: str, facts: PushFacts, answer: Callable[..., Explanation]
) -> Explanation:
    show = f"lightgate show {short_id(record.release)}"
    steps = [*record.next_steps, show]
    match record.status:
        case EndStatus.SUPERSEDED | EndStatus.QUEUED:
            by = record.superseded_by
            newer = f"a newer push, released as {_other(by, facts)}" if by else "a newer push"
            return answer(
                Answer.SUPERSEDED,
                f"{name} was superseded by {newer}.",
                reasons=record.reasons,
                next_steps=[f"lightgate release {facts.app} --tag {record.tag}"]
                if record.tag
                else [f"lightgate release {facts.app} --digest {record.digest}"],
                by=by,
            )
        case EndStatus.DUPLICATE:
            return answer(
                Answer.DUPLICATE,
                f"{name} was not released again.",
                reasons=record.reasons,
                next_steps=[f"lightgate release {facts.app} --tag {record.tag}"]
                if record.tag
                else (),
            )
        case EndStatus.REFUSED:
            return answer(
                Answer.REFUSED,
                f"{name} was refused, and nothing was changed.",
                reasons=record.reasons or _cause(record),
                next_steps=steps,
            )
        case EndStatus.ROLLED_BACK:
            return answer(
                Answer.ROLLED_BACK,
                f"The release of {name} failed and was rolled back.",
                reasons=_cause(record) or record.reasons,
                next_steps=steps,
            )
        case EndStatus.SUCCEEDED:
            next_one = _successor(record, facts)
            after = f" by {called(next_one.tag, next_one.digest)}" if next_one is not None else ""
            return answer(
                Answer.REPLACED,
                f"{name} was live, and was replaced{after}.",
                reasons=_by_record(facts),
                next_steps=[show],
                by=next_one.release if next_one is not None else facts.live,
            )
    return answer(
        Answer.FAILED,
        f"The release of {name} failed.",
        reasons=_cause(record) or record.reasons,
        next_steps=steps,
    )


def _by_record(facts: PushFacts) -> Sequence[str]:
    """A note if Lightsail could not be asked what is live."""
    if facts.live_unread is None:
        return ()
    return [f"The live version is read from the record of the last release. {facts.live_unread}"]


def _successor(record: ReadableRecord, facts: PushFacts) -> ReadableRecord | None:
    """The next release that has put another image live."""
    later = [
        one
        for one in facts.others
        if one.started_at > record.started_at
        and one.status == EndStatus.SUCCEEDED
        and one.kind is not RecordKind.COMMAND
        and one.digest != record.digest
    ]
    return min(later, key=lambda one: one.started_at, default=None)


def _cause(record: ReadableRecord) -> Sequence[str]:
    return [each for each in (record.cause or record.summary, record.evidence_line) if each]


def _is_live(record: ReadableRecord, facts: PushFacts) -> bool:
    """Whether this release is live, or a later one that has deployed the same image again."""
    live = facts.live_record
    return live is not None and live.digest is not None and live.digest == record.digest


def _active_at(record: ReadableRecord) -> datetime | None:
    for stage in record.stages:
        if stage.name is StageName.ACTIVATION:
            return stage.ended_at
    return None


def _other(release: str, facts: PushFacts) -> str:
    found = next((one for one in facts.others if one.release == release), None)
    return release if found is None else f"{called(found.tag, found.digest)} ({release})"


def _without_a_release(facts: PushFacts) -> Explanation:
    """Lightgate has no release of the push: what keeps it from being released."""
    spec, image = facts.spec, facts.image

    def answer(
        kind: Answer, text: str, *next_steps: str, reasons: Sequence[str] = ()
    ) -> Explanation:
        return Explanation(
            app=facts.app,
            asked=facts.asked,
            answer=kind,
            text=text,
            reasons=[sentence(each) for each in reasons],
            next_steps=next_steps,
            digest=image.digest if image is not None else None,
        )

    by_hand = f"lightgate release {facts.app} --{'digest' if ':' in facts.asked else 'tag'}"
    by_hand += f" {facts.asked}"
    if spec is None:
        if facts.spec_problem is not None:
            return answer(
                Answer.SPEC_BROKEN,
                f"The spec of {facts.app} is broken, so no push is released.",
                "Correct the spec: lightgate validate shows every problem.",
                by_hand,
                reasons=[facts.spec_problem],
            )
        return answer(
            Answer.NO_APP,
            f"There is no app {facts.app}: it has no spec.",
            "lightgate status shows all apps.",
        )
    if image is None:
        if facts.image_unread is not None:
            return answer(
                Answer.NEVER_SEEN,
                f"Lightgate has no release of {facts.asked}, and the repository {spec.repository} "
                "could not be read.",
                reasons=[facts.image_unread],
            )
        named = f" --tag {facts.asked}" if _is_watched(facts.asked, spec) else ""
        return answer(
            Answer.NOT_IN_REPOSITORY,
            f"The repository {spec.repository} has no image {facts.asked}.",
            f"Push it: lightgate push {facts.app}{named}",
        )
    tags = [facts.asked] if facts.asked in image.tags else list(image.tags)
    watched = [tag for tag in tags if _is_watched(tag, spec)]
    if not watched:
        rule = ", ".join(spec.tags)
        named = f"the tag {', '.join(tags)}" if tags else "no tag"
        return answer(
            Answer.IGNORED,
            f"The image has {named}, and {facts.app} releases only pushes of {rule}.",
            by_hand,
        )
    name = watched[0]
    if facts.artifact is not None:
        return answer(
            Answer.NO_IMAGE, f"{name} is not an image but {facts.artifact}, so it is ignored."
        )
    age = facts.now - image.pushed_at
    if age < _EVENT_DELAY:
        return answer(
            Answer.EVENT_EXPECTED,
            f"{name} was pushed {roughly(age)} ago, and the event of the push has not arrived yet.",
            "Wait, or release it now:",
            by_hand,
        )
    if facts.is_baseline:
        return answer(
            Answer.BEFORE_WATCH,
            f"{name} was in the repository before Lightgate began to watch it, so it counts as "
            "no push.",
            by_hand,
        )
    if not facts.reconciles:
        return answer(
            Answer.RECONCILE_OFF,
            f"The event of the push of {name} has not arrived, and Reconcile is switched off.",
            by_hand,
            "Switch Reconcile on: deploy the stack with ReconcileState=ENABLED.",
        )
    last = facts.reconciled_at
    ran = f"Reconcile last ran at {moment(last)}." if last is not None else "Reconcile never ran."
    return answer(
        Answer.NEVER_SEEN,
        f"{name} was pushed {roughly(age)} ago, and Lightgate has no release of it.",
        by_hand,
        reasons=[ran],
    )


def _is_watched(tag: str, spec: AppSpec) -> bool:
    """A tag of Lightgate's own is nobody's push."""
    return not tag.startswith(PIN_TAG_PREFIX) and any(matches(tag, each) for each in spec.tags)
