"""Read the reports of the gates: from the log, which lags, and from the gate channel."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from lightgate.deployment.status import Deployment, Service, reports_since
from lightgate.errors import NotShownError, UnreachableError
from lightgate.gate.log_lines import reports
from lightgate.gate.masking import Mask
from lightgate.operations.gate_channel import gate_messages
from lightgate.release.release import Release
from lightgate.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLines:
    """The lines of each gate. `unread` says what could not be read: it is unknown, not silent."""

    lines: Mapping[str, Sequence[str]]
    unread: Sequence[str]


def read_gates(
    release: Release, created_at: datetime, service: Service | None, runtime: Runtime
) -> GateLines:
    """The reports of each gate since its deployment was created, without the app's secrets.

    `service` is the container service as of now, if it was read.
    The deployment shows which values are secrets. While the service does not show the deployment,
    no report is read.

    Raises:
        UnreachableError: neither the log nor the channel of one gate could be read.
    """
    since = reports_since(created_at)
    gates = gates_of(release)
    lines: dict[str, Sequence[str]] = {gate: [] for gate in gates}
    if not gates:
        return GateLines(lines=lines, unread=[])
    lightsail = runtime.lightsail
    try:
        mask = lightsail.mask(release.service, release.id, release.open_variables, seen=service)
    except NotShownError as error:
        return GateLines(
            lines=lines, unread=[f"The reports of the gates could not be read: {error}."]
        )
    unread: list[str] = []
    for gate in gates:
        sources: dict[str, Callable[[], Sequence[str]]] = {
            "log": partial(lightsail.gate_lines, release.service, gate, since, mask)
        }
        if gate in release.asking_gates:
            sources["mailbox"] = partial(_gate_messages, release, gate, mask, runtime)
        found: list[str] = []
        failed: dict[str, UnreachableError] = {}
        for name, read in sources.items():
            try:
                found += read()
            except UnreachableError as error:
                failed[f"The {name} of {gate} could not be read: {error}."] = error
        if len(failed) == len(sources):
            raise UnreachableError(" ".join(failed))
        lines[gate] = found
        unread += failed
    return GateLines(lines=lines, unread=unread)


def gates_of(release: Release) -> Sequence[str]:
    return list(dict.fromkeys([*release.gates, *release.asking_gates]))


def has_told_all(
    service: Service,
    deployment: Deployment | None,
    gates: Collection[str],
    runtime: Runtime,
    *,
    may_have_begun: bool,
) -> bool:
    """Whether the deployment has failed, and its logs show that, so that no report follows.

    Where a gate may have begun something, the log of each gate has to show it. Otherwise one log of
    the deployment is enough: reports could only explain more.
    """
    if deployment is None or not service.has_failed(deployment.version, deployment.release):
        return False
    shown = (
        runtime.lightsail.shows_the_failure(service.name, container, deployment)
        for container in (gates if may_have_begun else deployment.images)
    )
    try:
        return all(shown) if may_have_begun else any(shown)
    except UnreachableError:
        return False


def _gate_messages(release: Release, gate: str, mask: Mask, runtime: Runtime) -> Sequence[str]:
    return reports(gate_messages(release, gate, runtime), mask)
