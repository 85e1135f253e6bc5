"""Runs a command after other containers have reached a condition, and tells dependents how it went.

    python3 -ISc SOURCE CONFIG [HELPER] [CLIENT] COMMAND [ARGUMENT ...]

CONFIG is JSON with single and double quotes exchanged, see config.py. HELPER is the source of the
Django helper, if CONFIG has `django`. CLIENT is that of the S3 client, if CONFIG has `mailbox`:
then nothing pending is applied without a permit.
A client of the loopback port gets a line for each fact that has become true:
`lightgate <release> <container> <FACT>`, with START, HEALTHY, COMPLETE, SUCCESS, FAILED.
Stdout gets the command's output and the supervisor's events. Python 3.8 and later.

With LIGHTGATE_ROLLBACK in the environment the deployment rolls back to an old release, whose CONFIG
this still is. The name of the deployment's release is in LIGHTGATE_RELEASE. Migrations that are
pending for the old release are not applied, and the gate stays shut because of them. A command
without a way to see whether anything is pending runs at every start, as always.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from lightgate.gate.programs.supervisor.config import read_config
from lightgate.gate.programs.supervisor.failures import MALFORMED, Failed, Stopped
from lightgate.gate.programs.supervisor.gate import Gate
from lightgate.gate.programs.supervisor.limits import LINE_LIMIT
from lightgate.gate.programs.supervisor.service import serve
from lightgate.gate.programs.supervisor.task import perform


def main() -> int:
    # A pipe or socket of ours must not get the number of a standard stream that was closed.
    while os.open(os.devnull, os.O_RDWR) <= 2:
        pass
    forget_coerced_locale()
    del getattr(sys, "orig_argv", [])[:]  # a second copy of all programs
    try:
        # The URLs are secrets, which no child may inherit.
        urls = os.environ.pop("LIGHTGATE_MAILBOX", "{}")
        gate = Gate(read_config(sys.argv[1], sys.argv[2:], urls))
    except MALFORMED as error:
        gate = Gate({})
        why = f"configuration: {type(error).__name__}: {error}"
        gate.emit("failed", cause="config", error=why[:LINE_LIMIT])
        gate.drain()
        return 2
    code = supervise(gate, gate.config)
    gate.mailbox.deliver()
    gate.drain()
    return code


def supervise(gate: Gate, config: dict[str, Any]) -> int:
    try:
        gate.listen()
        gate.wait_for_dependencies()
        if config["mode"] == "service":
            return serve(gate, config)
        perform(gate, config)
    except Stopped:
        if not gate.began:
            gate.emit("stopped")  # silence would leave open whether it had begun something
        return 128 + gate.stopping
    except Exception as problem:  # noqa: BLE001 - whatever it is, it is reported
        if isinstance(problem, Failed):
            failure = problem
        else:
            failure = Failed("gate", f"{type(problem).__name__}: {problem}", 1)
            sys.excepthook(type(problem), problem, problem.__traceback__)
            for child in gate.children:
                child.kill(signal.SIGKILL)
                child.close()
            gate.children.clear()
        gate.report(failure)
        gate.drain()
        # If the attempt is not recorded, a restarted container would make it again.
        may_exit = config["afterFailure"] == "exit" and failure.more.get("recorded", True)
        if gate.stopping or failure.cause == "port" or may_exit:
            return failure.code
    while not gate.stopping:
        gate.poll(None)
    return 0


def forget_coerced_locale() -> None:
    """Drop the LC_CTYPE that Python puts into its own environment when the locale is C."""
    try:
        with open("/proc/self/environ", "rb") as given:  # noqa: PTH123
            if b"\0LC_CTYPE=" not in b"\0" + given.read():
                os.environ.pop("LC_CTYPE", None)
    except OSError:
        return


sys.exit(main())
