"""The kinds of databases, and when a release takes a restore point of one."""

import enum


class BackupMode(enum.StrEnum):
    """When a release takes a restore point of its database.

    ALWAYS: a snapshot is begun first. WHEN_PENDING: a snapshot is begun when the plan is known
    and not empty. BY_RISK: the same, but not if every operation of the plan is compatible.
    POINT_IN_TIME: the database's own continuous backup has to reach up to the
    release. NONE: there is none.
    """

    ALWAYS = "always"
    WHEN_PENDING = "when-pending"
    BY_RISK = "by-risk"
    POINT_IN_TIME = "point-in-time"
    NONE = "none"

    @property
    def takes_a_snapshot(self) -> bool:
        return self is BackupMode.ALWAYS or self.goes_by_the_plan

    @property
    def goes_by_the_plan(self) -> bool:
        """Whether the snapshot is begun only when a plan asks for it."""
        return self in (BackupMode.WHEN_PENDING, BackupMode.BY_RISK)


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
