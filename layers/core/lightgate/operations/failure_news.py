"""Whether the migrations of a release have failed while its deployment is still in progress."""

from lightgate.deployment.status import Service, Status
from lightgate.gate.gate_report import Failure, GateReport
from lightgate.release.release import ReleaseKind
from lightgate.runtime import Runtime
from lightgate.state import DeploymentProgress, Notice, State


def failure_news(
    state: State, found: DeploymentProgress, service: Service, runtime: Runtime
) -> Notice | None:
    """The message that the migrations have failed; None if there is no news.

    There is none once Lightsail shows the end of the deployment, because the final message follows,
    nor once the state machine has published it. A gate that could not reach its database, or was
    refused its permit, has not run a migration: it may be tried again.
    """
    release, gate = state.admitted.release, found.gate
    failure = gate.failure if gate is not None else None
    if gate is None or failure is None or release.kind is not ReleaseKind.IMAGE:
        return None
    has_run = failure.migration is not None or failure.cause.is_end_of_a_run
    is_open = found.status is Status.ACTIVATING and found.ended_at is None
    if not has_run or not is_open or state.failed_migration is not None:
        return None
    return _notice(state, found, gate, failure, service, runtime)


def _notice(
    state: State,
    found: DeploymentProgress,
    gate: GateReport,
    failure: Failure,
    service: Service,
    runtime: Runtime,
) -> Notice | None:
    # Few releases fail, and a cold start of CheckDeployment should not load these for the others.
    from lightgate.diagnosis.gate_failure import diagnose_gate
    from lightgate.diagnosis.symptoms import Symptoms
    from lightgate.notifications.failure_notice import failure_notice

    release = state.admitted.release
    waits = [wait for wait in found.waits if wait.container == failure.container]
    diagnosis = diagnose_gate(
        Symptoms(
            app=release.app,
            execution=state.execution,
            service=release.service,
            repository=release.repository,
            digest=release.digest,
            evidence=gate,
            gates=release.gates,
            wait=next(iter(waits), None),
            logs={},
        )
    )
    if diagnosis is None:
        return None
    runtime.logger.info("the migrations have failed", kind=diagnosis.kind.value)
    current = service.current
    is_live = current is not None and service.serves(current.version)
    return failure_notice(
        release,
        diagnosis,
        version=found.version,
        previous_version=found.previous_version,
        live=current.version if current is not None and is_live else None,
        execution=state.execution,
        console=runtime.settings.console,
    )
