"""The kinds of databases, and when a release takes a restore point of one."""

import enum


class BackupMode(enum.StrEnum):
    """When a release takes a restore point of its database.

    ALWAYS: a snapshot is begun first. WHEN_PENDING: a snapshot is begun when the plan is known
    and not empty. POINT_IN_TIME: the database's own continuous backup has to reach up to the
    release. NONE: there is none.
    """

    ALWAYS = "always"
    WHEN_PENDING = "when-pending"
    POINT_IN_TIME = "point-in-time"
    NONE = "none"

    @property
    def takes_a_snapshot(self) -> bool:
        return self in (BackupMode.ALWAYS, BackupMode.WHEN_PENDING)


class DatabaseKind(enum.StrEnum):
    """Where a database lives; the value is its key under `database` in the spec."""

    INSTANCE = "instance"
    CLUSTER = "cluster"
    LIGHTSAIL = "lightsail"

    @property
    def usual_mode(self) -> BackupMode:
        """A snapshot makes a standard Lightsail database unavailable for seconds to minutes."""
        is_lightsail = self is DatabaseKind.LIGHTSAIL
        return BackupMode.WHEN_PENDING if is_lightsail else BackupMode.ALWAYS
