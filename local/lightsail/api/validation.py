"""Checks that botocore does not make: names, images, ports, the public endpoint.

Known texts are exact (docs/lightsail.md, "Containers"). The others are in the same style.
"""

import re
from collections.abc import Mapping
from typing import Any

from botocore import xform_name

from local.lightsail.errors import invalid_input
from local.lightsail.model import Container, HealthCheck, PublicEndpoint
from local.lightsail.service.metrics import MetricQuery

MAX_CONTAINERS = 10
MAX_CONTAINER_NAME = 53
MAX_SERVICE_NAME = 63
MIN_PERIOD, MAX_PERIOD = 60, 86_400
_NAME_PATTERN = r"^(?:[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9])$"
_OWN_STORE_IMAGE = re.compile(r":[a-z0-9-]+\.[a-z0-9-]+\.(?:\d+|latest)")
_PUBLIC_IMAGE = re.compile(
    r"(?:[a-z0-9.-]+(?::\d+)?/)?"  # registry, perhaps with a port
    r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"  # repository
    r"(?::\w[\w.-]{0,127})?"  # tag
    r"(?:@sha256:[0-9a-f]{64})?",  # digest
    re.ASCII,
)


def check_service_name(name: str) -> str:
    if not re.fullmatch(_NAME_PATTERN, name) or len(name) > MAX_SERVICE_NAME:
        raise invalid_input(f'Service name "{name}" does not match pattern: {_NAME_PATTERN}')
    return name


def read_metric_query(given: Mapping[str, Any]) -> MetricQuery:
    period = given["period"]
    if not MIN_PERIOD <= period <= MAX_PERIOD or period % MIN_PERIOD:
        raise invalid_input(
            f"The period must be a multiple of {MIN_PERIOD} between {MIN_PERIOD} and {MAX_PERIOD}, "
            f"not {period}."
        )
    start, end = given["startTime"], given["endTime"]
    if start >= end:
        raise invalid_input("The startTime must be before the endTime.")
    if not given["statistics"]:
        raise invalid_input("At least one of the statistics must be named.")
    return MetricQuery(given["metricName"], start, end, period, tuple(given["statistics"]))


def read_deployment(
    request: Mapping[str, Any], service: str, *, digests: bool
) -> tuple[dict[str, Container], PublicEndpoint | None]:
    given = request.get("containers") or {}
    if not given:
        raise invalid_input("A deployment must have at least one container.")
    if len(given) > MAX_CONTAINERS:
        raise invalid_input(
            f"A deployment can have at most {MAX_CONTAINERS} containers, not {len(given)}."
        )
    containers = {
        name: _read_container(name, container, service, digests=digests)
        for name, container in given.items()
    }
    endpoint = request.get("publicEndpoint")
    return containers, _read_endpoint(endpoint, containers) if endpoint is not None else None


def _read_container(
    name: str, given: Mapping[str, Any], service: str, *, digests: bool
) -> Container:
    if not re.fullmatch(_NAME_PATTERN, name) or len(name) > MAX_CONTAINER_NAME:
        raise invalid_input(f'Container name "{name}" does not match pattern: {_NAME_PATTERN}')
    image = given.get("image", "")
    if not _is_image(image, digests=digests):
        raise invalid_input(
            f'Container "{name}" has invalid image "{image}". '
            f'Example of valid image: ":{service}.{name}.123".'
        )
    ports = given.get("ports", {})
    for port in ports:
        if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
            raise invalid_input(
                f'Container "{name}" has invalid port "{port}". Ports must be between 1 and 65535.'
            )
    environment = given.get("environment", {})
    command = tuple(given.get("command", ()))
    for text in (*environment, *environment.values(), *command):
        if "\0" in text:
            raise invalid_input(f'Container "{name}" has a null character in its configuration.')
    for key in environment:
        if not key or "=" in key:
            raise invalid_input(f'Container "{name}" has invalid environment variable "{key}".')
    return Container(image=image, command=command, environment=environment, ports=ports)


def _is_image(image: str, *, digests: bool) -> bool:
    if image.startswith(":"):
        return _OWN_STORE_IMAGE.fullmatch(image) is not None
    if "@" in image and not digests:
        return False
    return _PUBLIC_IMAGE.fullmatch(image) is not None


def _read_endpoint(given: Mapping[str, Any], containers: Mapping[str, Container]) -> PublicEndpoint:
    name, port = given["containerName"], given["containerPort"]
    if name not in containers:
        raise invalid_input(f'The public endpoint names container "{name}", which is not deployed.')
    protocol = containers[name].ports.get(str(port))
    if protocol is None:
        raise invalid_input(
            f'The public endpoint names port {port}, which container "{name}" does not open.'
        )
    if protocol not in ("HTTP", "HTTPS"):
        raise invalid_input(
            f"The port of the public endpoint must be HTTP or HTTPS, not {protocol}."
        )
    return PublicEndpoint(name, port, _read_health_check(given.get("healthCheck", {})))


def _read_health_check(given: Mapping[str, Any]) -> HealthCheck:
    check = HealthCheck(**{xform_name(member): value for member, value in given.items()})
    for member, value, least, most in (
        ("healthyThreshold", check.healthy_threshold, 1, None),
        ("unhealthyThreshold", check.unhealthy_threshold, 1, None),
        ("intervalSeconds", check.interval_seconds, 5, 300),
        ("timeoutSeconds", check.timeout_seconds, 2, 60),
    ):
        if value < least or (most is not None and value > most):
            allowed = f"between {least} and {most}" if most else f"at least {least}"
            raise invalid_input(f"The health check's {member} must be {allowed}, not {value}.")
    if not re.fullmatch(r"/[\x21-\x7e]*", check.path):
        raise invalid_input(f'The health check\'s path "{check.path}" must start with "/".')
    if not _are_success_codes(check.success_codes):
        raise invalid_input(
            f'The health check\'s successCodes "{check.success_codes}" must be codes from 200 to '
            '499, as a list ("200,202") or a range ("200-299").'
        )
    return check


def _are_success_codes(text: str) -> bool:
    if not re.fullmatch(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*", text, re.ASCII):
        return False
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not 200 <= int(first) <= int(last or first) <= 499:
            return False
    return True
