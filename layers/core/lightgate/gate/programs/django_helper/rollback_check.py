"""Whether old code can run on the schema as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightgate.gate.programs.django_helper.attempts import Attempts
    from lightgate.gate.programs.django_helper.plan import Plan


def find_obstacles(
    plan: Plan, found: dict[str, Any] | None, attempts: Attempts, allowed: list[str], /
) -> list[str]:
    """Why it cannot; nothing if it can. `found` is the attempt of this release, if there is one.

    `allowed` are the classes of migrations that the owner says old code can work with.
    """
    obstacles = [] if plan.is_done(found) else plan.pending()
    if found is None:  # once the gate has opened, a running app depends on no later migration
        breaking = (item for item in plan.ahead.items() if item[1] not in ("compatible", *allowed))
        obstacles += ["%s (%s) was applied since" % item for item in breaking]
        obstacles += attempts.half_applied()
    return obstacles
