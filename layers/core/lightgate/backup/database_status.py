"""Whether a release can begin with the app's database, by the status that AWS gives it.

The statuses are those of "Viewing DB instance status" and "Viewing DB cluster status" in AWS's user
guides. Lightsail does not publish its own; its databases run on RDS.
"""

import enum

from lightgate.backup.restore_points import Description
from lightgate.spec.database_kinds import DatabaseKind

_WORDS = {
    DatabaseKind.INSTANCE: "RDS instance",
    DatabaseKind.CLUSTER: "Aurora cluster",
    DatabaseKind.LIGHTSAIL: "Lightsail database",
}
_READY = {"available", "storage-optimization"}
_CHANGING = {
    "backing-up",
    "backtracking",
    "converting-to-vpc",
    "creating",
    "failing-over",
    "maintenance",
    "migrating",
    "modifying",
    "moving-to-vpc",
    "preparing-data-migration",
    "promoting",
    "rebooting",
    "renaming",
    "resetting-master-credentials",
    "starting",
    "storage-config-upgrade",
    "storage-initialization",
    "update-iam-db-auth",
    "upgrading",
}
_CHANGING_PREFIXES = ("configuring-", "scaling-")
_DOWN = {
    "delete-precheck",
    "deleted",
    "deleting",
    "failed",
    "restore-error",
    "stopped",
    "stopping",
    "storage-full",
}
_DOWN_PREFIXES = ("inaccessible-", "incompatible-", "insufficient-")
_DOWN_SUFFIX = "-failed"


class DatabaseReadiness(enum.StrEnum):
    """What the status of a database means for a release.

    READY: it takes a snapshot. CHANGING: it takes none now, and that passes by itself. DOWN: it
    takes none until a person does something. UNKNOWN: the status is in none of AWS's lists.
    """

    READY = "READY"
    CHANGING = "CHANGING"
    DOWN = "DOWN"
    UNKNOWN = "UNKNOWN"


def readiness_of(status: str) -> DatabaseReadiness:
    word = status.lower()
    if word in _READY:
        return DatabaseReadiness.READY
    if word in _CHANGING or word.startswith(_CHANGING_PREFIXES):
        return DatabaseReadiness.CHANGING
    if word in _DOWN or word.startswith(_DOWN_PREFIXES) or word.endswith(_DOWN_SUFFIX):
        return DatabaseReadiness.DOWN
    return DatabaseReadiness.UNKNOWN


def why_unusable(found: Description) -> str | None:
    """Why no release can begin with the database; None if one can, or if that is unknown."""
    head = f"database.{found.kind}: the {_WORDS[found.kind]} {found.name}"
    if found.cluster is not None:
        return (
            f"{head} is a member of the DB cluster {found.cluster}, and RDS takes snapshots of the "
            f"whole cluster only; {_instead(found.kind, found.name, found)}"
        )
    if readiness_of(found.status) is not DatabaseReadiness.DOWN:
        return None
    advice = (
        "Start it, and release the image again."
        if found.status == "stopped"
        else "Release the image again once its status is available."
    )
    return (
        f"{head} has the status {found.status}. AWS takes no snapshot of it, and no app can rely "
        f"on it. {advice}"
    )


def why_doubtful(found: Description) -> str | None:
    """A warning where the status does not show whether a release can begin; None if it does."""
    if readiness_of(found.status) is not DatabaseReadiness.UNKNOWN:
        return None
    return (
        f"The {_WORDS[found.kind]} {found.name} has the status {found.status}, which Lightgate "
        "does not know. AWS may take no snapshot of it."
    )


def busy(found: Description, message: str) -> str:
    """AWS's reason why it takes no snapshot now, with the status if that is another one."""
    if readiness_of(found.status) is DatabaseReadiness.READY or found.status in message:
        return message
    return f"{message} Its status is {found.status}."


def missing(kind: DatabaseKind, name: str, other: Description | None = None) -> str:
    """Why a release whose database does not exist is refused.

    `other` is a database of another kind that has this name.
    """
    reason = f"database.{kind}: there is no {_WORDS[kind]} {name} in this region"
    if other is None:
        return reason
    return f"{reason}, but there is {_A[other.kind]} {name}; {_instead(kind, name, other)}"


_A = {
    DatabaseKind.INSTANCE: "an RDS instance",
    DatabaseKind.CLUSTER: "a DB cluster",
    DatabaseKind.LIGHTSAIL: "a Lightsail database",
}


def _instead(kind: DatabaseKind, name: str, found: Description) -> str:
    right = (
        f'"{DatabaseKind.CLUSTER}": "{found.cluster}"'
        if found.cluster is not None
        else f'"{found.kind}": "{found.name}"'
    )
    return f'write {right} instead of "{kind}": "{name}"'
