"""The tags of a resource in moto, for the conditions of a right."""

from collections.abc import Mapping
from typing import Any

from moto.ecr.models import ecr_backends
from moto.rds.models import rds_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from tests.component.lightsail_databases import LightsailDatabases
from tests.component.lightsail_service import LightsailService
from tests.support.rights.grants import ACCOUNT, REGION


def exists(arn: str) -> bool:
    """Whether there is such a secret or parameter; true of everything else."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    match service:
        case "secretsmanager":
            secrets: Any = secretsmanager_backends[ACCOUNT][REGION].secrets
            name = resource.removeprefix("secret:")
            return any(arn == one.arn or name == one.name for one in secrets.values())
        case "ssm":
            parameters: Any = ssm_backends[ACCOUNT][REGION]._parameters
            name = resource.removeprefix("parameter/")
            return any(parameters.get(known) for known in (name, f"/{name}"))
    return True


def tags_of(arn: str) -> Mapping[str, str]:
    """Empty if there is no such resource."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    match service:
        case "secretsmanager":
            return _of_secret(arn, resource.removeprefix("secret:"))
        case "ssm":
            return _of_parameter(resource.removeprefix("parameter/"))
        case "ecr":
            return _of_repository(resource.removeprefix("repository/"))
        case "lightsail":
            return _of_lightsail(*resource.split("/", 1))
        case "rds":
            return _of_rds(*resource.split(":", 1))
    return {}


def _of_lightsail(kind: str, name: str) -> Mapping[str, str]:
    if kind == "ContainerService" and LightsailService.newest is not None:
        runner = LightsailService.newest.services.get(name)
        return {} if runner is None else runner.service.tags
    newest = LightsailDatabases.newest
    if kind != "RelationalDatabaseSnapshot" or newest is None:
        return {}
    tags = newest.snapshots.get(name, {}).get("tags", ())
    return {tag["key"]: tag["value"] for tag in tags}


def _of_repository(name: str) -> Mapping[str, str]:
    backend: Any = ecr_backends[ACCOUNT][REGION]
    arn = backend.repositories[name].arn if name in backend.repositories else ""
    tags: dict[str, str] = backend.tagger.get_tag_dict_for_resource(arn)
    return tags


def _of_secret(arn: str, name: str) -> Mapping[str, str]:
    backend: Any = secretsmanager_backends[ACCOUNT][REGION]
    for secret in backend.secrets.values():
        if arn == secret.arn or name == secret.name:
            return _texts(secret.tags or ())
    return {}


def _of_parameter(name: str) -> Mapping[str, str]:
    backend: Any = ssm_backends[ACCOUNT][REGION]
    for known in (name, f"/{name}"):
        found: dict[str, str] = backend._resource_tags["Parameter"].get(known, {})
        if found:
            return found
    return {}


def _of_rds(kind: str, name: str) -> Mapping[str, str]:
    backend: Any = rds_backends[ACCOUNT][REGION]
    known = {
        "db": backend.databases,
        "snapshot": backend.database_snapshots,
        "cluster-snapshot": backend.cluster_snapshots,
    }
    snapshot = known.get(kind, {}).get(name)
    return {} if snapshot is None else _texts(snapshot.tags)


def _texts(tags: Any) -> Mapping[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}
