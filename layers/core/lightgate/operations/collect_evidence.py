"""Collect what the gates and the containers of an ended release have written.

Only RecordOutcome does this, because only it may read the logs of the app. An error here costs a
part of the evidence, and never the outcome.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Thread

from lightgate.diagnosis.app_log import AppLog
from lightgate.errors import LightgateError
from lightgate.operations.read_gates import GateLines, read_gates
from lightgate.runtime import Runtime
from lightgate.state import Facts

# Recording the outcome needs the rest of the function's minute.
_TIME_LIMIT = timedelta(seconds=20)


@dataclass(slots=True)
class Collected:
    """What could be read. `unread` names what could not, also what took too long.

    The log of a container that could not be read is None.
    """

    gates: GateLines | None = None
    logs: Mapping[str, AppLog | None] = field(default_factory=dict)
    unread: Sequence[str] = ()


def collect_evidence(facts: Facts, runtime: Runtime) -> Collected | None:
    """What can be read; None for a release without a deployment."""
    release, deployment = facts.release, facts.deployment
    if release is None or deployment is None:
        return None
    found = Collected()
    errors: dict[str, str] = {}

    def read_the_gates() -> None:
        found.gates = read_gates(release, deployment.created_at, None, runtime)

    def read_the_logs() -> None:
        shown = runtime.lightsail.service(release.service).deployment_of(release.id)
        if shown is None:
            raise LookupError("the service does not show the deployment")
        logs = runtime.lightsail.app_logs(release.service, shown, release.open_variables)
        found.logs = {
            container: log if isinstance(log, AppLog) else None for container, log in logs.items()
        }
        for container, log in logs.items():
            if not isinstance(log, AppLog):
                errors[f"the log of {container}"] = str(log)

    steps: dict[str, Callable[[], None]] = {
        "the reports of its gates": read_the_gates,
        "the logs of its containers": read_the_logs,
    }
    missing = dict(steps)

    def carry_out() -> None:
        for what, step in steps.items():
            try:
                step()
            except Exception as error:  # noqa: BLE001 - whatever it is, RecordOutcome has to go on
                # The text of any other error may quote what was read.
                why = str(error) if isinstance(error, LightgateError) else type(error).__name__
                errors[what] = why
            else:
                del missing[what]

    # A call that hangs must not stop RecordOutcome.
    thread = Thread(target=carry_out, daemon=True)
    thread.start()
    thread.join(_TIME_LIMIT.total_seconds())
    found.unread = tuple(missing)
    # A copy, because a call that is still going on may end now.
    for what, why in dict(errors).items():
        runtime.logger.warning("evidence could not be read", what=what, error=why)
    return found
