"""Recognize the kind of a document by its keys."""

import enum
from collections.abc import Mapping
from typing import Any

_IN_A_MAP = {"image", "command", "environment", "ports"}
_IN_COMPOSE = {"image", "build", "volumes", "links", "env_file", "depends_on", "command"}


class Kind(enum.StrEnum):
    """The value says what the document is."""

    SPEC = "a spec"
    DEPLOYMENT = "a deployment of Lightsail"
    CONTAINERS = "a map of containers for Lightsail"
    ENDPOINT = "the public endpoint of a Lightsail deployment"
    DEPLOYMENTS = "the output of get-container-service-deployments"
    SERVICES = "the output of get-container-services"
    COMPOSE = "a docker-compose file"
    TASK_DEFINITION = "a task definition of Amazon ECS"
    KUBERNETES = "a manifest of Kubernetes"
    TEMPLATE = "a template of CloudFormation"
    UNKNOWN = "no file that describes containers"

    @property
    def can_become_a_spec(self) -> bool:
        return self in (
            Kind.DEPLOYMENT,
            Kind.CONTAINERS,
            Kind.DEPLOYMENTS,
            Kind.SERVICES,
            Kind.COMPOSE,
        )


_BY_KEY: Mapping[str, Kind] = {
    "containerServices": Kind.SERVICES,
    "containerService": Kind.SERVICES,
    "containerServiceName": Kind.SERVICES,
    "deployments": Kind.DEPLOYMENTS,
    "containerName": Kind.ENDPOINT,
    "containerDefinitions": Kind.TASK_DEFINITION,
    "apiVersion": Kind.KUBERNETES,
    "AWSTemplateFormatVersion": Kind.TEMPLATE,
    "Resources": Kind.TEMPLATE,
}


def kind_of(document: object) -> Kind:
    if isinstance(document, list):
        return _kind_of_list(document)
    if not isinstance(document, dict):
        return Kind.UNKNOWN
    for key, kind in _BY_KEY.items():
        if key in document:
            return kind
    if isinstance(document.get("containers"), dict):
        return Kind.SPEC if "repository" in document else Kind.DEPLOYMENT
    if isinstance(document.get("services"), dict):
        return Kind.COMPOSE
    members = [value for value in document.values() if isinstance(value, dict)]
    if not members or len(members) < len(document):
        return Kind.UNKNOWN
    if all("image" in each and each.keys() <= _IN_A_MAP for each in members):
        return Kind.CONTAINERS
    # Compose files of the first version have no key above their services.
    if all(each.keys() & {"image", "build"} and each.keys() & _IN_COMPOSE for each in members):
        return Kind.COMPOSE
    return Kind.UNKNOWN


def _kind_of_list(items: list[Any]) -> Kind:
    first = items[0] if items and isinstance(items[0], dict) else {}
    if "containers" in first:
        return Kind.DEPLOYMENTS
    if "containerServiceName" in first:
        return Kind.SERVICES
    return Kind.TASK_DEFINITION if "image" in first and "name" in first else Kind.UNKNOWN
