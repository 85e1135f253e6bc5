"""Gates that have a mailbox and a command that is not Django's: their plan is never known."""

import sys
from typing import Any

from lightgate.gate.packaging import program_text
from tests.gate.mailbox_server import Mailbox
from tests.gate.programs import Program, Runner, shell


def start(
    runner: Runner,
    mailbox: Mailbox,
    script: str = "echo ran",
    *,
    python: str = sys.executable,
    patience: float = 30,
    reach: float = 30,
    s3_client: str | None = None,
    environment: Any = None,
    **config: Any,
) -> Program:
    mailbox.limits.update(patienceSeconds=patience, reachSeconds=reach)
    return runner.supervisor(
        [s3_client or program_text("s3_client"), *shell(script)],
        python=python,
        mailbox=mailbox.limits,
        options=mailbox.options(**(environment or {})),
        **config,
    )


def stays_shut(migrate: Program) -> dict[str, Any]:
    """The one failure of a gate that has run nothing."""
    failed = migrate.event("failed")
    assert migrate.named("applying") == []
    assert migrate.named("permitted") == []
    assert len(migrate.named("failed")) == 1
    assert failed["database"] == "unchanged"
    assert b"ran" not in migrate.command_output
    return failed
