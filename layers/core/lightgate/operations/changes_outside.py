"""Find the migrations that were applied outside the gates of a deployment."""

from collections.abc import Mapping
from dataclasses import replace

from lightgate.deployment.status import Service
from lightgate.errors import RefusedError, UnreachableError
from lightgate.gate.gate_report import NO_GATE_REPORT
from lightgate.migrations.compatibility import Verdict
from lightgate.migrations.outside import OutsideInput, find_outside
from lightgate.records.version import VersionRecord
from lightgate.release.release import Release
from lightgate.rollback.version_history import listed_records, may_have_begun
from lightgate.runtime import Runtime
from lightgate.state import DeploymentProgress, Facts


def with_outside(facts: Facts, runtime: Runtime) -> Facts:
    """The facts with the migrations that no gate of the deployment has applied."""
    if facts.release is None or facts.deployment is None:
        return facts
    found = with_changes_outside(facts.release, facts.deployment, runtime)
    return replace(facts, state=replace(facts.state, deployment=found))


def with_changes_outside(
    release: Release, deployment: DeploymentProgress, runtime: Runtime
) -> DeploymentProgress:
    """The deployment with the migrations that no gate of it has applied.

    A log that cannot be read is left out: the gates report the same migrations.
    """
    try:
        service = runtime.lightsail.service(release.service)
    except (RefusedError, UnreachableError):
        return deployment
    shown = service.deployment_of(release.id)
    logged: dict[str, list[str]] = {}
    for container in shown.images if shown is not None else ():
        try:
            # Not earlier: the release before may have migrated a moment ago.
            since = deployment.created_at
            logged[container] = runtime.lightsail.applied(release.service, container, since)
        except UnreachableError as error:
            runtime.logger.warning("a log cannot be read", container=container, why=str(error))
            break
    past = listed_records(runtime.releases.versions(release.app), service)
    outside = find_outside(
        OutsideInput(
            created_at=deployment.created_at,
            report=deployment.gate or NO_GATE_REPORT,
            recorded=deployment.recorded,
            permitted=may_have_begun(release, deployment),
            logged=logged,
            left=_left_before(deployment.version, service, past),
        )
    )
    if outside.applied or outside.drifted:
        runtime.logger.warning(
            "migrations outside the gate", applied=outside.applied, drifted=outside.drifted
        )
    return replace(deployment, outside=outside)


def _left_before(
    version: int, service: Service, past: Mapping[int, VersionRecord]
) -> Mapping[str, Mapping[str, str]]:
    """What the last release before this version left on record; empty if that is unknown.

    A version that applied nothing leaves what the version before it left.
    """
    earlier = [one.version for one in service.deployments if one.version < version]
    for number in sorted(earlier, reverse=True):
        record = past.get(number)
        if record is None:
            return {}
        if record.left or record.judgement.verdict is not Verdict.NONE:
            return record.left
    return {}
