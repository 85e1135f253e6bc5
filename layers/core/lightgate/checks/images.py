"""Whether a lifecycle rule of the repository would take an image that a rollback needs.

The rules of Amazon ECR: an image that a rule selects by its tags cannot be expired by a rule with a
lower priority, and a lower number is a higher priority. All rules count all images.
"""

import fnmatch
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lightgate.checks.finding import Check, Finding, failure, ok, warning
from lightgate.names import PIN_TAG_PREFIX

# So many failed pushes in a row may come after the live image.
_FEW_IMAGES = 5
_KEPT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    digest: str
    tags: Sequence[str]
    pushed_at: datetime


def stored_image(found: Mapping[str, Any]) -> StoredImage:
    """By an entry of DescribeImages."""
    return StoredImage(
        digest=found["imageDigest"],
        tags=tuple(found.get("imageTags") or ()),
        pushed_at=found["imagePushedAt"],
    )


def newest_image(images: Sequence[StoredImage], is_watched: Any) -> StoredImage | None:  # noqa: ANN401
    """The newest image with a tag that the spec watches; `is_watched` takes a tag."""
    watched = [one for one in images if any(is_watched(tag) for tag in one.tags)]
    return max(watched, key=lambda one: one.pushed_at, default=None)


def lifecycle(
    repository: str,
    policy: str | None,
    images: Sequence[StoredImage],
    needed: Mapping[str, str],
    now: datetime,
) -> Finding:
    """`needed` has what each digest is needed for. Without a policy `policy` is None."""
    if policy is None:
        return ok(Check.LIFECYCLE, f"{repository} has no lifecycle policy, so it keeps all images")
    rules = sorted(json.loads(policy)["rules"], key=lambda rule: rule["rulePriority"])
    fix = (
        f"aws ecr put-lifecycle-policy --repository-name {repository} --lifecycle-policy-text "
        f"{shlex.quote(_keeping(rules))}"
    )
    claimed: set[str] = set()
    later: list[str] = []
    for rule in rules:
        selected = [one for one in images if _selects(rule["selection"], one)]
        taken = {one.digest for one in _counted(rule["selection"], selected, now)}
        for one in selected:
            if one.digest not in needed or one.digest in claimed:
                continue
            what = f"rule {rule['rulePriority']} of {repository}"
            if one.digest in taken:
                return failure(
                    Check.LIFECYCLE,
                    f"{what} takes the image of {needed[one.digest]}, which a rollback needs",
                    fix,
                )
            if why := _takes_later(rule["selection"]):
                later.append(f"{what} takes the image of {needed[one.digest]} {why}")
        claimed |= {one.digest for one in selected}
    if later:
        return warning(Check.LIFECYCLE, later[0], fix)
    return ok(
        Check.LIFECYCLE, f"no lifecycle rule of {repository} takes an image that a rollback needs"
    )


def _selects(selection: Mapping[str, Any], image: StoredImage) -> bool:
    """By its tags; of several prefixes or patterns the image has to have all."""
    match selection["tagStatus"]:
        case "any":
            return True
        case "untagged":
            return not image.tags
        case "tagged":
            prefixes = [f"{prefix}*" for prefix in selection.get("tagPrefixList", ())]
            patterns = [*prefixes, *selection.get("tagPatternList", ())]
            return bool(patterns) and all(
                any(fnmatch.fnmatchcase(tag, pattern) for tag in image.tags) for pattern in patterns
            )
        case other:
            raise ValueError(f"tagStatus {other}")


def _counted(
    selection: Mapping[str, Any], images: Sequence[StoredImage], now: datetime
) -> Sequence[StoredImage]:
    number = selection["countNumber"]
    match selection["countType"]:
        case "imageCountMoreThan":
            newest_first = sorted(images, key=lambda one: one.pushed_at, reverse=True)
            return newest_first[number:]
        case "sinceImagePushed":
            return [one for one in images if one.pushed_at < now - timedelta(days=number)]
        case other:
            raise ValueError(f"countType {other}")


def _takes_later(selection: Mapping[str, Any]) -> str | None:
    number = selection["countNumber"]
    if selection["countType"] == "sinceImagePushed":
        return f"once it is {number} days old, also while it is live"
    return f"after {number} newer pushes" if number < _FEW_IMAGES else None


def _keeping(rules: Sequence[Mapping[str, Any]]) -> str:
    """The policy with a first rule that keeps what Lightgate has deployed."""
    first = {
        "rulePriority": 1,
        "description": "Keep the images that Lightgate has deployed",
        "selection": {
            "tagStatus": "tagged",
            "tagPrefixList": [PIN_TAG_PREFIX],
            "countType": "imageCountMoreThan",
            "countNumber": _KEPT,
        },
        "action": {"type": "expire"},
    }
    moved = [{**rule, "rulePriority": number} for number, rule in enumerate(rules, 2)]
    return json.dumps({"rules": [first, *moved]})
