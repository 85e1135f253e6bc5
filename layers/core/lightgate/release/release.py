"""A release as it travels through the state machine: its app, its image, its limits."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from lightgate.spec.effect import DEFAULT_AUTOMATIC, Effect
from lightgate.spec.migration_policy import Policy


class ReleaseKind(enum.StrEnum):
    """What a release deploys: an image, an old version again, or a command beside the app."""

    IMAGE = "IMAGE"
    ROLLBACK = "ROLLBACK"
    COMMAND = "COMMAND"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedSpec:
    """A spec that was used. The number alone may be that of another text by now."""

    version: int
    digest: str

    @classmethod
    def of(cls, version: int | None, digest: str | None) -> Self | None:
        """None where either is unknown, as in what older versions of Lightgate wrote."""
        return None if version is None or digest is None else cls(version=version, digest=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """An admitted release as it travels through the state machine. It holds no secret.

    It repeats the parts of the spec that later steps need, so that a spec that is changed or
    removed meanwhile does not affect the running release. `asking_gates` are the gates that need
    a permit, each with the longest time that its migration may take.

    `spec_version` and `spec_digest` are those of the spec of the deployed containers. For a
    rollback to a version whose spec is unknown, `spec_digest` is None and `spec_version` is the
    current one. `rollback_to` is the version to roll back to; then `digest` is its image, None if
    that is not on record. `command` is run once with the image `digest`. That is always the digest
    of the manifest that runs; `pushed_digest` is that of the multi-platform index around it, None
    if there is none. `tag` is the tag under which the image was pushed or requested, if one is
    known. `started_by` names the person who started it, if the request does. `open_variables`
    names, for each container, the variables whose values are known to be no secrets.
    `automatic_rollback` are the classes of migrations after which the owner wants the previous
    version back automatically. `reverse`: the owner wants the migrations of a failed release
    reversed automatically. `service_since` is when the container service was created: one that was
    created later is another one.
    """

    id: str
    app: str
    stage: str
    service: str
    repository: str
    digest: str | None
    rollback_to: int | None
    command: tuple[str, ...] | None
    spec_version: int
    reason: str | None
    started_at: datetime
    gates: tuple[str, ...]
    unprotected: bool
    allow_destructive: bool
    asking_gates: Mapping[str, timedelta]
    policy: Policy
    platform_patience: timedelta
    deployment_timeout: timedelta
    open_variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spec_digest: str | None = None
    service_since: datetime | None = None
    pushed_digest: str | None = None
    tag: str | None = None
    automatic_rollback: tuple[Effect, ...] = DEFAULT_AUTOMATIC
    started_by: str | None = None
    reverse: bool = False

    @property
    def spec(self) -> UsedSpec | None:
        """The spec of the containers that are deployed, if it is known."""
        return UsedSpec.of(self.spec_version, self.spec_digest)

    @property
    def kind(self) -> ReleaseKind:
        if self.rollback_to is not None:
            return ReleaseKind.ROLLBACK
        return ReleaseKind.IMAGE if self.command is None else ReleaseKind.COMMAND
