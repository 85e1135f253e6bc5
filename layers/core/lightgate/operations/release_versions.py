"""The versions of a release that has ended, found also if the answer to their creation was lost."""

from lightgate.deployment.status import Deployment, Service
from lightgate.names import rollback_marker
from lightgate.state import Facts


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
