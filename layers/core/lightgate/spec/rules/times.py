"""The time limits: an execution has room for the polls, Lightsail waits for the gates."""

import math
from datetime import timedelta

from lightgate.spec.health_rules import health_rules, most_checks
from lightgate.spec.keys import LONGEST_POLL_SECONDS
from lightgate.spec.rules.under_check import SpecUnderCheck
from lightgate.spec.time_limits import longest_limit

# Step Functions keeps 25,000 events of an execution; the steps outside the waits take few.
_MOST_POLLS = 2600
# Waiting for the service, for the deployment, and for that of a rollback.
_DEPLOYMENT_LIMITS = 3
# One for the new version, and one for the version after a rollback.
_WATCHES = 2


def check_polls(checked: SpecUnderCheck) -> None:
    """An execution ends without a message at 25,000 events. One check takes nine events."""
    spec = checked.spec
    snapshot = spec.database.timeout_seconds if spec.database else 0
    longest = snapshot + _DEPLOYMENT_LIMITS * spec.deployment_timeout_seconds
    room = _MOST_POLLS - _WATCHES * most_checks(health_rules(spec))
    shortest = math.ceil(longest / room)
    if spec.poll_seconds < shortest:
        found = (
            f"{spec.poll_seconds} is"
            if "pollSeconds" in checked.root.value
            else f"is missing, and its default of {spec.poll_seconds} is"
        )
        limits = "database.timeoutSeconds and " if spec.database else ""
        checked.report(
            f"{found} too short: with {limits}deploymentTimeoutSeconds a release may take "
            f"{longest} seconds, and one execution has room for {room} checks; allowed is "
            f"{shortest} to {LONGEST_POLL_SECONDS}",
            "pollSeconds",
        )


def check_patience(checked: SpecUnderCheck) -> None:
    """A migration must not begin if Lightsail may end the deployment in the middle of it."""
    spec = checked.spec
    others = (name for name in spec.containers if not spec.runs_to_an_end(name))
    if not (
        checked.was_read("pollSeconds")
        and checked.was_read("platformPatienceSeconds")
        and all(map(checked.knows_who_waits_for, others))
    ):
        return
    patience = timedelta(seconds=spec.platform_patience_seconds)
    poll = timedelta(seconds=spec.poll_seconds)
    longest = int(longest_limit(patience, poll).total_seconds())
    for name in spec.asking_gates():
        limit = spec.time_limit(name) or 0
        if limit > longest:
            given = spec.containers[name].timeout_seconds is not None
            fits = f"allowed is 1 to {longest}, or" if longest > 0 else "none would fit; give"
            checked.report(
                f"{limit} is {'' if given else 'its default, and '}too long: Lightsail is "
                f"trusted to wait {spec.platform_patience_seconds} seconds for a deployment "
                "(platformPatienceSeconds, not published), and the node has to start and to be "
                f"seen in them too (pollSeconds, {spec.poll_seconds}); {fits} a longer "
                "platformPatienceSeconds at your own risk",
                *("containers", name, "timeoutSeconds"),
            )
