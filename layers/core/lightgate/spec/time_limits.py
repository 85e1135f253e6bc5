"""The time limits of a gate that waits for its permit. Every other module reads them here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightgate.spec.keys import AppSpec


# After its time limit a command is asked to end, and this long later made to.
GRACE_SECONDS = 10
# A session that a role of a function assumes lasts one hour at most (docs/measured.md, "Limits of
# AWS"), and a URL no longer than the session that has signed it: afterwards no gate can read
# its permit.
SIGNED_FOR = timedelta(hours=1)
# The URLs are signed before the deployment is created, within one run of Deploy.
SIGNED_BEFORE = timedelta(minutes=2)
# A gate checks for its permit every few seconds, and must take the lock before it begins.
NOTICE = timedelta(seconds=15)
# How long a node takes to start, if no earlier release has measured it.
USUAL_NODE_START = timedelta(seconds=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitLimit:
    """The facts that limit how long a gate may wait for its permit.

    `platform_patience` is how long Lightsail waits for a deployment. `limit` is the time limit of
    the gate's migration. `poll` is the time between two checks of the deployment.
    """

    platform_patience: timedelta
    limit: timedelta
    poll: timedelta

    @property
    def longest(self) -> timedelta:
        """From the creation of the deployment to the last moment for the migration to begin."""
        return min(self.platform_patience - self.limit, SIGNED_FOR - SIGNED_BEFORE)

    def left(self, spent: timedelta) -> timedelta:
        """How long a snapshot may still take, if `spent` has passed since the creation.

        If it is negative, the permit would come too late even for a finished snapshot.
        """
        return self.longest - spent - self.poll - NOTICE


def longest_limit(platform_patience: timedelta, poll: timedelta) -> timedelta:
    """The longest time limit of a migration that leaves the node enough time to start."""
    return platform_patience - timedelta(seconds=GRACE_SECONDS) - USUAL_NODE_START - poll - NOTICE


def asking_gates(spec: AppSpec) -> dict[str, timedelta]:
    """The gates that need a permit, each with the longest that its migration may take."""
    return {
        gate: timedelta(seconds=(spec.time_limit(gate) or 0) + GRACE_SECONDS)
        for gate in spec.asking_gates()
    }
