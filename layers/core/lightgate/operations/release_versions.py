"""The versions of a release that has ended, found also if the answer to their creation was lost."""

from lightgate.deployment.status import Deployment, Service
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.names import rollback_marker
from lightgate.release.release import Release
from lightgate.rollback.policy import VersionHistory, judgement_against
from lightgate.rollback.version_history import listed_records
from lightgate.runtime import Runtime
from lightgate.state import DeploymentProgress, Facts


def own_version(facts: Facts, service: Service | None) -> int | None:
    """The deployment of the release, also if the answer to its creation was lost."""
    if facts.deployment is not None:
        return facts.deployment.version
    found = deployment_of(facts, service)
    return None if found is None else found.version


def version_back(facts: Facts, service: Service | None) -> int | None:
    rollback = facts.state.rollback
    known = rollback.version if rollback is not None else None
    found = deployment_back(facts, service)
    return known if known is not None or found is None else found.version


def deployment_of(facts: Facts, service: Service | None) -> Deployment | None:
    release = facts.release
    return None if service is None or release is None else service.deployment_of(release.id)


def deployment_back(facts: Facts, service: Service | None) -> Deployment | None:
    """The deployment of the rollback, in any state."""
    if service is None or facts.release is None:
        return None
    return service.deployment_of(rollback_marker(facts.release.id))


def judgement_before(
    release: Release, deployment: DeploymentProgress, service: Service, runtime: Runtime
) -> Judgement:
    """What stands between the previous version and this one: failed releases may have migrated."""
    if (previous := deployment.previous_version) is None:
        return Judgement(verdict=Verdict.NONE)
    shown = [one for one in service.deployments if one.version < deployment.version]
    past = listed_records(runtime.releases.versions(release.app), service)
    return judgement_against(previous, VersionHistory(listed=shown, records=past))
