"""Ports, the public endpoint, and what is asked of it."""

from lightgate.spec.rules.under_check import SpecUnderCheck

NEED_AN_ANSWER = (
    "path",
    "successCodes",
    "expectHeader",
    "expectText",
    "latencySeconds",
    "write",
)


def check_ports(checked: SpecUnderCheck) -> None:
    """All containers of a node share its ports (docs/lightsail.md, "The network of a node")."""
    spec = checked.spec
    owners: dict[int, str] = {}
    for name, container in spec.containers.items():
        for port in container.ports:
            if port in owners:
                checked.report(
                    f"the container {owners[port]} listens on it too, and the containers of a "
                    "deployment share one network; give one of them another port",
                    *("containers", name, "ports", str(port)),
                )
            owners.setdefault(port, name)
    endpoint = spec.public_endpoint
    if endpoint is None or endpoint.container not in spec.containers:
        return
    owner, own = owners.get(endpoint.port), spec.containers[endpoint.container].ports
    is_sure = checked.was_read("containers", endpoint.container, "ports")
    if owner is not None and endpoint.port not in own and is_sure:
        checked.report(
            f"{endpoint.port} is a port of the container {owner}, and the containers of a "
            f"deployment share one network; name {owner} in containerName, or give a port of "
            f"{endpoint.container}",
            *("publicEndpoint", "containerPort"),
        )


def check_endpoint(checked: SpecUnderCheck) -> None:
    spec = checked.spec
    endpoint = spec.public_endpoint
    if endpoint is None:
        if not spec.unprotected and checked.was_read("unprotected"):
            checked.report(
                "is missing: without it Lightsail checks no health, and a deployment becomes "
                'active while its gate is still shut; add it, or say "unprotected": true',
                "publicEndpoint",
            )
        return
    if spec.unprotected:
        checked.report("contradicts publicEndpoint; keep one of the two", "unprotected")
    container = spec.containers.get(endpoint.container)
    if container is None:
        checked.report_no_container(endpoint.container, "publicEndpoint", "containerName")
        return
    # A port that the container does not mention is opened for the endpoint.
    protocol = container.ports.get(endpoint.port, "HTTP")
    if protocol not in ("HTTP", "HTTPS"):
        checked.report(
            f"{endpoint.port} is open for {protocol} in containers.{container.name}.ports; "
            "allowed is HTTP or HTTPS",
            *("publicEndpoint", "containerPort"),
        )
    if spec.runs_to_an_end(container.name):
        checked.report(
            f"{container.name} is waited for until it ends, so it cannot serve",
            *("publicEndpoint", "containerName"),
        )


def check_verification(checked: SpecUnderCheck) -> None:
    """Without a public endpoint there are no answers, so nothing can be expected of them."""
    given = checked.root.at("verification").value
    if checked.spec.public_endpoint is not None or not checked.was_read("publicEndpoint"):
        return
    for key in NEED_AN_ANSWER:
        if isinstance(given, dict) and key in given:
            checked.report(
                "needs publicEndpoint, which is missing: without a public URL nothing is asked",
                *("verification", key),
            )
