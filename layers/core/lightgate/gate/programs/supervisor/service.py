"""The command of a service: it runs as long as its container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightgate.gate.programs.supervisor.failures import Stopped
from lightgate.gate.programs.supervisor.health import await_health

if TYPE_CHECKING:
    from lightgate.gate.programs.supervisor.gate import Gate


def serve(gate: Gate, config: dict[str, Any]) -> int:
    """Run the command, with its health check beside it, and return its exit code."""
    child = gate.start(config["command"], is_probe=False)
    gate.announce("START")
    try:
        await_health(gate, config["healthCheck"], child)
        gate.wait(child.has_ended)
        gate.end(child, 0)
        if child.code and not gate.stopping:
            gate.report(child.failure())
    except Stopped:
        gate.end(child, 10**7)  # the platform decides how long a container may take to stop
    return child.exit_code()
