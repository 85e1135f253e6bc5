"""The answers of the API (docs/lightsail.md, "Deployments and their states")."""

import re
from dataclasses import asdict
from typing import Any

from local.lightsail.model import POWERS, Deployment, DeploymentState, Service
from local.lightsail.switches import Switches


def service_answer(service: Service, url: str, switches: Switches) -> dict[str, Any]:
    upcoming = service.next_deployment
    if upcoming is None and switches.next_failed_visible:
        upcoming = service.newest_failed
    current = service.current_deployment
    answer: dict[str, Any] = {
        "containerServiceName": service.name,
        "arn": service.arn,
        "createdAt": service.created_at.replace(microsecond=0),
        "location": {"availabilityZone": "all", "regionName": service.arn.split(":")[3]},
        "resourceType": "ContainerService",
        "tags": [{"key": key, "value": value} for key, value in service.tags.items()],
        "power": service.power,
        "powerId": f"{service.power}-1",
        "state": service.state.value,
        "stateDetail": {"code": service.detail.value} if service.detail else None,
        "scale": service.scale,
        "currentDeployment": deployment_answer(current) if current else None,
        "nextDeployment": deployment_answer(upcoming) if upcoming else None,
        "isDisabled": service.is_disabled,
        "principalArn": service.principal_arn,
        "privateDomainName": f"{service.name}.service.local",
        "url": url,
        "privateRegistryAccess": {
            "ecrImagePullerRole": {
                "isActive": service.puller_role,
                "principalArn": service.puller_arn,
            }
        },
    }
    if service.public_domain_names:
        answer["publicDomainNames"] = {k: list(v) for k, v in service.public_domain_names.items()}
    return answer


def deployment_answer(deployment: Deployment) -> dict[str, Any]:
    """As on AWS, members that the request left out are empty and not missing."""
    answer: dict[str, Any] = {
        "version": deployment.version,
        "state": DeploymentState(deployment.state).value,
        "containers": {name: asdict(each) for name, each in deployment.containers.items()},
        "createdAt": deployment.created_at.replace(microsecond=0),
    }
    if deployment.public_endpoint is not None:
        answer["publicEndpoint"] = _camel_case(asdict(deployment.public_endpoint))
    return answer


def _camel_case(members: dict[str, Any]) -> dict[str, Any]:
    return {
        re.sub("_(.)", lambda found: found[1].upper(), name): (
            _camel_case(value) if isinstance(value, dict) else value
        )
        for name, value in members.items()
    }


def powers_answer() -> list[dict[str, Any]]:
    return [
        {
            "powerId": f"{name}-1",
            "price": price,
            "cpuCount": cpus,
            "ramSizeInGb": memory,
            "name": name,
            "isActive": True,
        }
        for name, (price, cpus, memory) in POWERS.items()
    ]
