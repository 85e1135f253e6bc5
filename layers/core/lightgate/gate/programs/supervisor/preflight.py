"""The preflight check: the command does not run before it succeeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightgate.gate.programs.supervisor.failures import Failed
from lightgate.gate.programs.supervisor.gate import never
from lightgate.gate.programs.supervisor.health import probe

if TYPE_CHECKING:
    from lightgate.gate.programs.supervisor.gate import Gate


def preflight(gate: Gate, check: dict[str, Any] | None) -> None:
    """The health check of a task: the command does not run until it succeeds."""
    left = check["retries"] if check else 0
    while check and (problem := probe(gate, check)):
        if left < 1:
            raise Failed("preflight", f"health check: {problem.error}", 1, problem.child)
        left -= 1
        gate.wait(never, check["interval"])
