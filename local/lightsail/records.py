"""A service as JSON on disk, and back."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from local.lightsail.model import (
    Container,
    Deployment,
    DeploymentState,
    HealthCheck,
    PublicEndpoint,
    Service,
    ServiceState,
    StateDetail,
)


def write_service(service: Service) -> dict[str, Any]:
    """Return the service as JSON values."""
    record = asdict(service)
    record["created_at"] = service.created_at.isoformat()
    for deployment in record["deployments"]:
        deployment["created_at"] = deployment["created_at"].isoformat()
    return record


def read_service(record: dict[str, Any]) -> Service:
    """Return the service that ``write_service`` wrote."""
    changing, detail = record["changing"], record["detail"]
    return Service(
        **{
            **record,
            "created_at": datetime.fromisoformat(record["created_at"]),
            "changing": ServiceState(changing) if changing else None,
            "detail": StateDetail(detail) if detail else None,
            "public_domain_names": {
                name: tuple(domains) for name, domains in record["public_domain_names"].items()
            },
            "deployments": tuple(map(_read_deployment, record["deployments"])),
        }
    )


def _read_deployment(record: dict[str, Any]) -> Deployment:
    endpoint = record["public_endpoint"]
    return Deployment(
        version=record["version"],
        state=DeploymentState(record["state"]),
        containers={
            name: Container(**{**container, "command": tuple(container["command"])})
            for name, container in record["containers"].items()
        },
        public_endpoint=(
            PublicEndpoint(**{**endpoint, "health_check": HealthCheck(**endpoint["health_check"])})
            if endpoint
            else None
        ),
        created_at=datetime.fromisoformat(record["created_at"]),
    )
