"""The shapes in which Lightsail's containers come: files for the CLI, and its answers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lightgate.errors import SpecError
from lightgate.json_reader import shown
from lightgate.spec.key_reader import keys_of
from lightgate.spec.keys import AppSpec, Container
from lightgate_cli.translating.images import same_image, service_of_label
from lightgate_cli.translating.kinds import Kind
from lightgate_cli.translating.source import (
    Json,
    Note,
    Source,
    SourceContainer,
    SourceEndpoint,
    Wait,
)

_MARKER = "LIGHTGATE_RELEASE"
_IN_A_CONTAINER = {key.name for key, _ in keys_of(Container)}
_AT_THE_TOP = {key.name for key, _ in keys_of(AppSpec)}
_OF_THE_SOURCE = {"image", "command", "environment", "ports", "dependsOn", "healthCheck"}
# Facts of a deployment or a service that a spec does not have, because Lightgate finds them.
_KNOWN = {"serviceName", "containers", "publicEndpoint", "version", "state", "createdAt"}


def read_lightsail(
    kind: Kind, document: Json | list[Any], endpoint: object, service: str | None, name: str
) -> Source:
    """`endpoint` is the file of `--public-endpoint`, and `service` chooses one of several.

    Raises:
        SpecError: it has no containers, or is not of the shape that its keys promise.
    """
    owner: str | None
    found: Json
    if kind is Kind.SERVICES:
        owner, found = _of_a_service(document, service, name)
    elif kind is Kind.DEPLOYMENTS:
        owner, found = None, _live_one(_listed(document, "deployments"), name)
    elif kind is Kind.CONTAINERS:
        owner, found = None, {"containers": document}
    else:
        found = document if isinstance(document, dict) else {}
        owner = found.get("serviceName")
    containers = found.get("containers")
    if not isinstance(containers, dict) or not containers:
        raise SpecError(f"{name}: has no containers")
    if any(_MARKER in _object(each, "environment") for each in containers.values()):
        raise SpecError(
            f"{name}: Lightgate has made this deployment, so the app has a spec: "
            "lightgate status shows the app"
        )
    read = tuple(_container(each, value, name) for each, value in containers.items())
    unknown = [key for key in found if key not in _KNOWN | _AT_THE_TOP]
    return Source(
        service=owner or next(filter(None, (service_of_label(c.image) for c in read)), None),
        containers=read,
        endpoint=_endpoint(endpoint or found.get("publicEndpoint"), name),
        more={k: v for k, v in found.items() if k in _AT_THE_TOP - _KNOWN},
        notes=(*_unknown("", unknown), *_unknown_of_containers(containers)),
    )


def _of_a_service(document: Json | list[Any], wanted: str | None, name: str) -> tuple[str, Json]:
    services = _services(document)
    known = {str(each.get("containerServiceName")): each for each in services}
    if wanted is not None and wanted in known:
        service = wanted
    elif len(known) == 1:
        [service] = known
    else:
        raise SpecError(
            f"{name}: has {len(known)} services; choose one with --service: "
            f"{', '.join(sorted(known))}"
        )
    chosen = known[service]
    deployments = [chosen.get(key) for key in ("currentDeployment", "nextDeployment")]
    return service, _live_one([one for one in deployments if one], name)


def _services(document: Json | list[Any]) -> Sequence[Json]:
    if isinstance(document, dict) and "containerServices" not in document:
        return [document.get("containerService", document)]
    return _listed(document, "containerServices")


def _listed(document: Json | list[Any], key: str) -> Sequence[Json]:
    found = document.get(key) if isinstance(document, dict) else document
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _live_one(deployments: Sequence[Json], name: str) -> Json:
    """The active deployment, or the newest one."""
    usable = [each for each in deployments if each.get("containers")]
    if not usable:
        raise SpecError(f"{name}: has no deployment with containers")
    active = [each for each in usable if each.get("state") == "ACTIVE"]
    return max(active or usable, key=lambda each: each.get("version") or 0)


def _endpoint(found: object, name: str) -> SourceEndpoint | None:
    if found is None:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("containerName"), str):
        raise SpecError(f"{name}: publicEndpoint has no containerName")
    port = found.get("containerPort")
    return SourceEndpoint(
        container=found["containerName"],
        port=port if isinstance(port, int) else None,
        health_check=_object(found, "healthCheck"),
    )


def _container(name: str, found: object, file: str) -> SourceContainer:
    if not isinstance(found, dict):
        raise SpecError(f"{file}: containers.{name} must be an object, not {shown(found)}")
    image, command = found.get("image"), found.get("command")
    if command is not None and not isinstance(command, list):
        raise SpecError(f"{file}: containers.{name}.command must be a list of arguments")
    environment = _object(found, "environment")
    return SourceContainer(
        name=name,
        same_image=same_image(image) if isinstance(image, str) else "",
        image=image if isinstance(image, str) else None,
        command=tuple(map(str, command)) if command else None,
        environment={key: _text(value) for key, value in environment.items()},
        ports={int(p): str(v) for p, v in _object(found, "ports").items() if str(p).isdigit()},
        waits=tuple(_waits(found.get("dependsOn"))),
        health_check=found.get("healthCheck"),
        more={k: v for k, v in found.items() if k in _IN_A_CONTAINER - _OF_THE_SOURCE},
    )


def _waits(found: object) -> Iterator[Wait]:
    for each in found if isinstance(found, list) else []:
        if isinstance(each, dict):
            yield Wait(str(each.get("containerName")), str(each.get("condition")))


def _object(found: object, key: str) -> Mapping[str, Any]:
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """As JSON writes it; a person writes a number where Lightsail wants a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _unknown_of_containers(containers: Mapping[str, Any]) -> Iterator[Note]:
    for name, found in containers.items():
        yield from _unknown(
            f"containers.{name}.", [key for key in found if key not in _IN_A_CONTAINER]
        )


def _unknown(begin: str, keys: Iterable[str]) -> Iterator[Note]:
    for key in keys:
        yield Note(
            f"{begin}{key}", "Lightsail has no such setting", "leave it out, or see docs/spec.md"
        )
