"""Which watched tags have changed, and since when: so a push without an event is found.

ECR says when an image was pushed, and not when a tag was put on it. So what each watched tag stood
for at the last check is kept. A tag that is new since, or stands for another image, was pushed
between the two checks. A tag that was not watched at the last check has no past. The image that it
stands for is its baseline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from lightgate.image.tags import PushedImage, TaggedImage
from lightgate.names import PIN_TAG_PREFIX
from lightgate.spec.keys import AppSpec, matches

# A list that ECR gives while tags move may lack one. So long a missing tag is not forgotten.
_FORGOTTEN_AFTER = timedelta(days=7)
_KEPT_OF_DIGEST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedTags:
    """What was watched: by which stack, in which repository, and by which version of the spec."""

    stack: str
    repository: str
    patterns: tuple[str, ...]
    spec_version: int
    spec_stored_at: datetime

    def covers(self, tag: str) -> bool:
        """Whether the tag is watched. A tag of Lightgate's own is nobody's push."""
        is_own = tag.startswith(PIN_TAG_PREFIX)
        return not is_own and any(matches(tag, pattern) for pattern in self.patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """What a tag stood for at the last check.

    `changed_after` is the time of a check before its last change, as long as nobody has dealt with
    that. `gone_at` is when the tag was first missing.
    """

    digest: str
    changed_after: datetime | None = None
    gone_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A tag that was pushed, and has not been dealt with.

    `image.pushed_at` is the earliest time at which that may have been. It is exact if `is_new`:
    then the image itself was pushed after the last check.
    """

    image: PushedImage
    built_at: datetime
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCheck:
    """The watched tags as a check has found them. It began at `at`."""

    watch: WatchedTags
    at: datetime
    tags: Mapping[str, Tag]


def watch_of(spec: AppSpec, *, stack: str, version: int, stored_at: datetime) -> WatchedTags:
    return WatchedTags(
        stack=stack,
        repository=spec.repository,
        patterns=spec.tags,
        spec_version=version,
        spec_stored_at=stored_at,
    )


def check(
    last: TagCheck | None,
    watch: WatchedTags,
    images: Iterable[TaggedImage],
    at: datetime,
    *,
    missed_since: datetime | None = None,
) -> TagCheck:
    """The next check, after `last` and with what the registry shows now.

    `last` is None for an app that was not checked before. An image that was pushed after
    `missed_since` counts as missed also where its tag has no past; None says that nothing does.
    """
    is_same = last is not None and (last.watch.stack, last.watch.repository) == (
        watch.stack,
        watch.repository,
    )
    before = last if is_same else None
    tags: dict[str, Tag] = {}
    for image in images:
        for name in filter(watch.covers, image.tags):
            tags[name] = _seen(before, name, image, missed_since)
    for name, tag in before.tags.items() if before else ():
        gone_at = tag.gone_at or at
        if name not in tags and watch.covers(name) and at - gone_at < _FORGOTTEN_AFTER:
            tags[name] = Tag(digest=tag.digest, gone_at=gone_at)
    return TagCheck(watch=watch, at=at, tags=tags)


def _seen(
    before: TagCheck | None, name: str, image: TaggedImage, missed_since: datetime | None
) -> Tag:
    digest = _short(image.digest)
    if before is None or not before.watch.covers(name):
        is_missed = missed_since is not None and image.pushed_at > missed_since
        return Tag(digest=digest, changed_after=missed_since if is_missed else None)
    known = before.tags.get(name)
    if known is not None and known.digest == digest:
        return Tag(digest=digest, changed_after=known.changed_after)
    return Tag(digest=digest, changed_after=before.at)


def changes(found: TagCheck, images: Iterable[TaggedImage]) -> Sequence[Sequence[Change]]:
    """The changes that are not dealt with yet, the newest first.

    Changes whose order cannot be told stand together. If tags were put on older images between the
    same two checks, the image that was pushed last counts as the newest.
    """
    listed = [
        _change(name, image, after)
        for image in images
        for name in image.tags
        if (tag := found.tags.get(name)) is not None
        and tag.digest == _short(image.digest)
        and (after := tag.changed_after) is not None
    ]
    listed.sort(key=lambda one: (_age(one), one.image.tag), reverse=True)
    return [list(group) for _, group in groupby(listed, key=_age)]


def _change(name: str, image: TaggedImage, after: datetime) -> Change:
    at = max(after, image.pushed_at)
    return Change(
        image=PushedImage(digest=image.digest, tag=name, pushed_at=at),
        built_at=image.pushed_at,
        is_new=image.pushed_at >= after,
    )


def _age(change: Change) -> tuple[datetime, datetime]:
    return change.image.pushed_at, change.built_at


def dealt_with(found: TagCheck, names: Iterable[str], digest: str | None = None) -> TagCheck:
    """The same with these tags dealt with, if they stand for the image, should one be given."""
    done = {
        name: replace(found.tags[name], changed_after=None)
        for name in names
        if name in found.tags and (digest is None or found.tags[name].digest == _short(digest))
    }
    return replace(found, tags={**found.tags, **done})


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_KEPT_OF_DIGEST]
