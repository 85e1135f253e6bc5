"""How long a gate may hold: the one place that says so, for everybody who plans with it."""

from dataclasses import dataclass
from datetime import timedelta

# After its time limit a command is asked to end, and this long later made to.
GRACE_SECONDS = 10
# A session that a role of a function assumes lasts one hour at most (measured-facts.md, "AWS
# limits"), and a URL no longer than the session that has signed it: afterwards no gate can read
# its permit.
SIGNED_FOR = timedelta(hours=1)
# The URLs are signed before the deployment is created, within one run of Deploy.
SIGNED_BEFORE = timedelta(minutes=2)
# A gate looks every few seconds, and has to take the lock before it begins.
NOTICE = timedelta(seconds=15)
# What a node is expected to take where no release before has shown it.
USUAL_NODE_START = timedelta(seconds=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What bounds how long a gate may hold.

    `patience` is how long after its creation Lightsail can be trusted to let a deployment hang,
    `limit` the longest that the gate's migration may take, and `look` the time between two looks
    at it.
    """

    patience: timedelta
    limit: timedelta
    look: timedelta

    @property
    def longest(self) -> timedelta:
        """From the creation of the deployment to the last moment at which it may begin."""
        return min(self.patience - self.limit, SIGNED_FOR - SIGNED_BEFORE)

    def left(self, spent: timedelta) -> timedelta:
        """How long a restore point may still take when so much has passed since the creation.

        Negative: even one that is there could not be used any more.
        """
        return self.longest - spent - self.look - NOTICE


def longest_limit(patience: timedelta, look: timedelta) -> timedelta:
    """The longest time limit that leaves a node the time to start."""
    return patience - timedelta(seconds=GRACE_SECONDS) - USUAL_NODE_START - look - NOTICE
