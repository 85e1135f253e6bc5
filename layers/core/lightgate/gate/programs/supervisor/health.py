"""The health check of a container: a preflight before a task, or beside a service."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from lightgate.gate.programs.supervisor.failures import Failed

if TYPE_CHECKING:
    from lightgate.gate.programs.supervisor.child import Child
    from lightgate.gate.programs.supervisor.gate import Gate


def await_health(gate: Gate, check: dict[str, Any] | None, child: Child) -> None:
    """The health check of a service, until its first success: then its dependents start."""
    began, failures = monotonic(), 0
    while check and not child.has_ended():
        problem = probe(gate, check)
        if not problem:
            gate.emit("succeeded", seconds=round(monotonic() - began, 3), migrations=[])
            return gate.announce("HEALTHY")
        failures += monotonic() - began >= check["startPeriod"]
        if failures > check["retries"]:
            why = f"health check: {problem.error}"
            return gate.report(Failed("healthCheck", why, 1, problem.child))
        gate.wait(child.has_ended, check["interval"])
    return None


def probe(gate: Gate, check: dict[str, Any]) -> Failed | None:
    """Run the health check once and return what is wrong."""
    try:
        child = gate.start(check["command"], is_probe=True)
    except Failed as problem:
        return problem
    try:
        in_time = gate.wait(child.has_ended, check["timeout"])
    finally:
        gate.end(child, 0)
    if not in_time:
        return Failed("timeout", f"no answer within {check['timeout']} s", 1, child)
    return child.failure() if child.code else None
