"""How Lightgate reaches the gates of a release: what they send, and the end of their permits."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from lightgate.aws.s3_gate_channel import GateAddress
from lightgate.errors import RefusalCode, RefusedError, UnreachableError
from lightgate.gate.packaging import CLASSIFIER, program_text
from lightgate.migrations.permit import PermitState, VoidCause
from lightgate.names import COMMAND_CONTAINER
from lightgate.release.release import Release
from lightgate.rollback.reversal_policy import reversal_release
from lightgate.runtime import Runtime
from lightgate.spec.time_limits import WaitLimit

# The URLs of one gate are some 1,800 bytes; how long AWS's session tokens get is not published.
LONGEST_MAILBOX = 3000


def open_gate_channels(
    release: Release, runtime: Runtime, *, program: str = CLASSIFIER
) -> Mapping[str, str]:
    """The value with which each gate reaches its channel: a secret, new for each attempt.

    The gate judges its plan with the `program`, which it reads from the channel.

    Raises:
        RefusedError: a permit is void already, so nothing could be permitted any more.
    """
    if not release.asking_gates:
        return {}
    classifier = program_text(program)
    for gate in release.asking_gates:
        permit = runtime.gate_channels.open(gate_address(release, gate), classifier)
        if permit.state is PermitState.VOID:
            raise RefusedError(
                f"the permit of {gate} is void: {permit.reason}", code=RefusalCode.PERMIT
            )
    return runtime.gate_channels.urls(release.app, release.id, release.asking_gates)


def gate_messages(release: Release, gate: str, runtime: Runtime) -> Sequence[str]:
    """The messages of the gate; none if it has no channel."""
    if gate not in release.asking_gates:
        return []
    return runtime.gate_channels.messages(gate_address(release, gate))


def void_permits(release: Release, runtime: Runtime) -> None:
    """Void the permits of a release that has ended, and that of its reversal. Idempotent.

    Raises:
        UnreachableError: a permit may still stand; all others are void.
    """
    failed = None
    addresses = [gate_address(release, gate) for gate in release.asking_gates]
    if release.reverse and addresses:
        addresses.append(gate_address(reversal_release(release), COMMAND_CONTAINER))
    for address in addresses:
        try:
            runtime.gate_channels.void(address, VoidCause.ENDED, "the release has ended")
        except UnreachableError as error:
            failed = error
    if failed is not None:
        raise failed


def end_of_permits(release: Release, created_at: datetime) -> datetime:
    """When every permit of the deployment has expired."""
    holds = [wait_limit_of(release, gate, timedelta()).longest for gate in release.asking_gates]
    return created_at + max(holds, default=timedelta())


def wait_limit_of(release: Release, gate: str, poll: timedelta) -> WaitLimit:
    limit = release.asking_gates[gate]
    return WaitLimit(platform_patience=release.platform_patience, limit=limit, poll=poll)


def gate_address(release: Release, gate: str) -> GateAddress:
    return GateAddress(app=release.app, release=release.id, container=gate)
