"""What the input of an execution asks for, read without complaint: it may be any JSON.

Admit reports what is wrong with a request. A release that was refused for it is concluded all the
same.
"""

from collections.abc import Mapping
from typing import Any

from lightgate.errors import SpecError, readable
from lightgate.names import is_digest
from lightgate.release.release import ReleaseKind
from lightgate.release.request import LONGEST_REASON, is_tag
from lightgate.spec.parser import parse_app_name

UNKNOWN = "unknown"


def members_of(request: object) -> Mapping[str, Any]:
    """Its members; none if it is no object."""
    return request if isinstance(request, dict) else {}


def requested_app(request: object) -> str:
    """The app of the request if it is a valid name: SNS takes no line break in a subject."""
    name = members_of(request).get("app")
    try:
        return parse_app_name(name) if isinstance(name, str) else UNKNOWN
    except SpecError:
        return UNKNOWN


def requested_kind(request: object) -> ReleaseKind:
    """What kind of release was asked for."""
    asked = members_of(request)
    if asked.get("rollbackTo") is not None:
        return ReleaseKind.ROLLBACK
    return ReleaseKind.IMAGE if asked.get("command") is None else ReleaseKind.COMMAND


def requested_digest(request: object) -> str | None:
    """The image that a refused release was about, so that Reconcile does not release it again."""
    digest = members_of(request).get("digest")
    return digest if isinstance(digest, str) and is_digest(digest) else None


def requested_version(request: object) -> int | None:
    """The version that a refused rollback was about."""
    version = members_of(request).get("rollbackTo")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        return None
    return version


def requested_starter(request: object) -> str | None:
    """The person who has started the release, if the request names one."""
    starter = members_of(request).get("startedBy")
    if not isinstance(starter, str) or not 0 < len(starter) <= LONGEST_REASON:
        return None
    return readable(starter)


def requested_tag(request: object) -> str | None:
    """The tag that a refused release was about."""
    asked = members_of(request)
    tag = asked.get("pushedTag") or asked.get("tag") or asked.get("imageTag")
    return tag if isinstance(tag, str) and is_tag(tag) else None
