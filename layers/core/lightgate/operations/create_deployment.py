"""Create a deployment on the container service of the app, for Deploy and RollBack."""

from collections.abc import Mapping
from typing import Any

from lightgate.aws.lightsail import Busy
from lightgate.deployment.status import Deployment, Service
from lightgate.operations.service_ownership import refuse_if_foreign
from lightgate.release.release import Release
from lightgate.runtime import Runtime


def create_deployment(
    release: Release, request: Mapping[str, Any], runtime: Runtime
) -> tuple[Service, Deployment | Busy]:
    """The service as it was before the call, and the new deployment or why there is none now.

    Not idempotent: the caller first looks for a deployment with the marker of the request.

    Raises:
        RefusedError: another stack has the service, or Lightsail finds the request wrong.
    """
    service = runtime.lightsail.service(release.service, release.service_since)
    refuse_if_foreign(service, release.app, runtime)
    return service, runtime.lightsail.create_deployment(request)
