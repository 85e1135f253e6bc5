"""All container services of one Region, and the switches that hold for each."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from local.lightsail.model import Service
from local.lightsail.node.network import Network
from local.lightsail.service.logs import LogStore
from local.lightsail.service.service_runner import Host, ServiceRunner
from local.lightsail.switches import Switches


class Region:
    """The services by name. A service can have switches of its own before it exists."""

    def __init__(self, name: str, account: str, host: Host, switches: Switches) -> None:
        self.name = name
        self.account = account
        self.switches = switches
        self.services: dict[str, ServiceRunner] = {}
        self.own_switches: dict[str, dict[str, object]] = {}
        self.is_vpc_peered = False
        self._host = host

    @property
    def clock(self) -> Callable[[], datetime]:
        return self._host.clock

    @property
    def logs(self) -> LogStore:
        return self._host.logs

    @property
    def network(self) -> Network:
        return self._host.network

    def switches_of(self, service: str) -> Switches:
        own = self.own_switches.get(service)
        return self.switches.changed(own) if own else self.switches

    def change_switches(
        self, changes: Mapping[str, object], service: str | None = None
    ) -> Switches:
        """Set switches for all services or for one. One invalid value refuses all."""
        if service is None:
            self.switches = self.switches.changed(changes)
            return self.switches
        after = self.switches_of(service).changed(changes)
        self.own_switches.setdefault(service, {}).update(changes)
        self._host.saved()
        return after

    def service_arn(self, parameters: Mapping[str, object]) -> str:
        """Return the ARN of the service in a request, or one with `*` if it does not exist."""
        runner = self._runner(parameters)
        if runner is not None:
            return runner.service.arn
        return f"arn:aws:lightsail:{self.name}:{self.account}:ContainerService/*"

    def service_tags(self, parameters: Mapping[str, object]) -> Mapping[str, str]:
        """Return the tags of the service in a request, or none if it does not exist."""
        runner = self._runner(parameters)
        return {} if runner is None else runner.service.tags

    def _runner(self, parameters: Mapping[str, object]) -> ServiceRunner | None:
        name = parameters.get("serviceName", parameters.get("resourceName"))
        return self.services.get(name) if isinstance(name, str) else None

    async def add(self, service: Service, port: int = 0) -> ServiceRunner:
        name = service.name
        runner = ServiceRunner(
            service, self._host, lambda: self.switches_of(name), lambda: self._remove(name)
        )
        self.services[name] = runner
        await runner.open(port)
        self._host.saved()
        return runner

    async def close(self) -> None:
        await asyncio.gather(*(runner.close() for runner in self.services.values()))

    def _remove(self, name: str) -> None:
        del self.services[name]
        self._host.saved()
