"""Servers that Lightsail cannot reach."""

from collections.abc import Iterator

from lightgate.image.config import ImageConfig
from lightgate.spec.app_server import AppServer, app_server, has_proxy_or_process_manager
from lightgate.spec.keys import AppSpec
from lightgate.spec.programs import programs
from lightgate.spec.warnings.warning import SpecWarning, command_of


def ports_without_the_endpoints(spec: AppSpec) -> Iterator[SpecWarning]:
    endpoint = spec.public_endpoint
    if endpoint is None:
        return
    ports = spec.containers[endpoint.container].ports
    if ports and endpoint.port not in ports:
        yield SpecWarning(
            f"containers.{endpoint.container}.ports",
            f"has {', '.join(map(str, ports))} and not {endpoint.port}, the containerPort of "
            "publicEndpoint, which Lightgate opens all the same",
            f'add "{endpoint.port}": "HTTP", or correct containerPort',
        )


def out_of_reach(spec: AppSpec, config: ImageConfig | None) -> Iterator[SpecWarning]:
    """A server of the public endpoint that Lightsail's health check cannot reach."""
    endpoint = spec.public_endpoint
    if endpoint is None:
        return
    container = spec.containers[endpoint.container]
    found = programs(command_of(spec, container, config))
    if has_proxy_or_process_manager(found):
        return
    of_image = config.environment if config is not None and container.image is None else {}
    environment = {**of_image, **container.environment}
    servers = [
        server
        for program in found
        if (server := app_server(program, environment, endpoint.port)) is not None
    ]
    if any(a.can_be_reached(endpoint.port) for server in servers for a in server.addresses):
        return
    for server in servers:
        # Beside the CMD of an image its server's file is likely, and cannot be seen.
        if container.command is not None or not server.may_have_a_file:
            yield SpecWarning(
                f"containers.{container.name}.command",
                _why(server, endpoint.port),
                server.fix,
            )


def _why(server: AppServer, port: int) -> str:
    asked = f"and Lightsail asks port {port} from outside the container (publicEndpoint)"
    where = " and ".join(map(str, server.addresses))
    if not server.addresses:
        return f"{server.name} is given no address for HTTP, {asked}"
    if not any(address.is_http for address in server.addresses):
        return f"{server.name} speaks its own protocol on {where}, not HTTP, {asked}"
    if not server.is_default:
        return f"{server.name} listens on {where}, {asked}"
    unless = ", unless gunicorn.conf.py in the image names one" if server.may_have_a_file else ""
    return f"{server.name} is given no address and listens on {where}{unless}, {asked}"
