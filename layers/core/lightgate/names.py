"""Every name that Lightgate gives: releases, executions, snapshots, tags, markers.

Each name follows from the execution and the digest alone. So a step that runs twice, or a second
execution for the same event, finds what the first has made and makes nothing new.
"""

import hashlib
import re
from datetime import UTC, datetime

from lightgate.patterns import pattern

PREFIX = "lightgate"


PIN_TAG_PREFIX = f"{PREFIX}-"


# The marker by which a deployment of ours is recognised after a lost answer.
RELEASE_VARIABLE = "LIGHTGATE_RELEASE"


# The stack that made a deployment; the service belongs to the stack of its newest one.
STACK_VARIABLE = "LIGHTGATE_STACK"


# The tag with which a person gives a service to a stack.
STACK_TAG = f"{PREFIX}:stack"


# The tag of a secret or parameter: the apps that may read it, with spaces between them.
APP_TAG = f"{PREFIX}:app"


# In a deployment that repeats an old version, or keeps the live one: its gates apply nothing. The
# value is one of the two below: whether the gates check the schema first.
ROLLBACK_VARIABLE = "LIGHTGATE_ROLLBACK"


CHECKED = "checked"


UNCHECKED = "unchecked"


# The container that runs a person's command beside the app.
COMMAND_CONTAINER = f"{PREFIX}-command"


# The URLs of a gate's channel: a secret, as its owner can write the messages of the gate.
MAILBOX_VARIABLE = "LIGHTGATE_MAILBOX"


# That of a cluster's snapshot; other kinds may have 255.
_LONGEST_SNAPSHOT_ID = 63


_AGAIN = "-again"


_LONGEST_SUFFIX = len(_AGAIN)


_SHORT_APP_NAME = 9


# The tag of what a rehearsal has created for itself, with the name of its execution. Nothing
# without it is ever deleted.
REHEARSAL_TAG = f"{PREFIX}:rehearsal"


REHEARSAL_PREFIX = f"{PREFIX}-rehearsal-"


_DIGEST = pattern(r"sha256:[0-9a-f]{64}")


_MOMENT = "%Y%m%dt%H%M%Sz"


_NO_DIGEST = "0" * 8


_BACK = "-back"


_LONGEST_APP = 40


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def release_id(execution_arn: str, started_at: datetime, digest: str | None) -> str:
    """The id of the release which this execution carries out.

    A release that is refused before its image is known has zeros for the digest.
    """
    moment = started_at.astimezone(UTC).strftime(_MOMENT)
    image = digest.removeprefix("sha256:")[:8] if digest else _NO_DIGEST
    return f"{moment}-{image}-{_hash(execution_arn, 4)}"


def start_of(release: str) -> datetime:
    """When the execution of the release with this id started, to the second."""
    return datetime.strptime(release.split("-")[0], _MOMENT).replace(tzinfo=UTC)


def rollback_marker(release: str) -> str:
    """The marker of the deployment with which a release rolls back; `release` marks its own."""
    return f"{release}{_BACK}"


def marked_release(marker: str) -> str:
    """The release that made the deployment with this marker."""
    return marker.removesuffix(_BACK)


def snapshot_id(app: str, release: str) -> str:
    """The name of the release's snapshot, whatever kind of database it is of.

    Lower case throughout: RDS would change it (docs/measured.md, "Limits of AWS"). A cluster's may
    have 63 characters, and what `snapshot_id_after` adds has to fit in: a long app name is cut, and
    told apart by its hash.
    """
    name = f"{PREFIX}-{app}-{release}"
    if len(name) <= _LONGEST_SNAPSHOT_ID - _LONGEST_SUFFIX:
        return name
    begin = app[:_SHORT_APP_NAME].rstrip("-")
    return f"{PREFIX}-{begin}-{_hash(app, 6)}-{release}"


def snapshot_id_after(snapshot: str) -> str:
    """The name of the snapshot that replaces this one of the same release.

    A gate waits for an hour at most, so a third one is rare, and there is no tenth.
    """
    if numbered := re.fullmatch(r"(.+-take)([3-9])", snapshot):
        return f"{numbered[1]}{int(numbered[2]) + 1}"
    if snapshot.endswith(_AGAIN):
        return f"{snapshot.removesuffix(_AGAIN)}-take3"
    return f"{snapshot}{_AGAIN}"


def is_snapshot_id(name: str, app: str, release: str) -> bool:
    """Whether Lightgate gives this name to a snapshot of the release, or once did.

    Earlier versions cut no app name, and repeated `-again`.
    """
    first = re.sub(rf"(?:(?:{_AGAIN})+|-take[3-9])$", "", name)
    return first in (snapshot_id(app, release), f"{PREFIX}-{app}-{release}")


def pin_tag(digest: str) -> str:
    """The tag under which the image is deployed, so that a moved tag changes nothing."""
    return f"{PIN_TAG_PREFIX}{digest.removeprefix('sha256:')[:12]}"


def execution_name(app: str, digest: str, event_id: str) -> str:
    """One name for each app and push event: a repeated event starts nothing.

    At most 62 of the 80 characters that Step Functions allows; a name that is too long for an app
    is cut, so that its refusal can still be started.
    """
    if len(app) > _LONGEST_APP:
        app = f"{app[: _LONGEST_APP - 9]}-{_hash(app, 8)}"
    return f"{app}-{digest.removeprefix('sha256:')[:12]}-{_hash(event_id, 8)}"


def rehearsal_execution(push: str) -> str:
    """The execution that rehearses a push; `push` is the name of the one that then releases it."""
    return f"rehearse-{push}"


def rehearsal_names(stack_id: str, app: str) -> str:
    """How the names of all temporary instances and services of the app's rehearsals begin.

    The policy of a repository admits services by this text. So it is derived from the stack's id,
    which nobody else knows: a service of another account could have any other name.
    """
    return f"{REHEARSAL_PREFIX}{_hash(f'{stack_id} {app}', 12)}-"


def rehearsal_name(stack_id: str, app: str, execution_arn: str) -> str:
    """The name of the temporary instance and of the temporary service of this execution."""
    return f"{rehearsal_names(stack_id, app)}{_hash(execution_arn, 12)}"


def _hash(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
