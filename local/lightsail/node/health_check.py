"""The health check of a public endpoint: real HTTP requests, thresholds, one verdict a node."""

import asyncio
from collections.abc import Callable

import aiohttp
from yarl import URL

from local.lightsail.model import HealthCheck, PublicEndpoint

USER_AGENT = "ELB-HealthChecker/2.0"


class HealthCounter:
    """Turns single probes into a verdict by the two thresholds; unhealthy until proven healthy."""

    def __init__(self, check: HealthCheck) -> None:
        self._check = check
        self._successes = 0
        self._failures = 0
        self.healthy = False

    @property
    def failed(self) -> bool:
        """Whether the probes failed as often in a row as makes a node unhealthy."""
        return self._failures >= self._check.unhealthy_threshold

    def count(self, success: bool) -> None:
        """Take the outcome of one probe."""
        self._successes = self._successes + 1 if success else 0
        self._failures = 0 if success else self._failures + 1
        if self._successes >= self._check.healthy_threshold:
            self.healthy = True
        elif self.failed:
            self.healthy = False


async def watch_health(
    session: aiohttp.ClientSession,
    endpoint: PublicEndpoint,
    interval: float,
    on_verdict: Callable[[HealthCounter], None],
) -> None:
    """Probe for ever and tell the state after each probe."""
    counter = HealthCounter(endpoint.health_check)
    while True:
        counter.count(await probe(session, endpoint))
        on_verdict(counter)
        await asyncio.sleep(interval)


async def probe(session: aiohttp.ClientSession, endpoint: PublicEndpoint) -> bool:
    """Ask once. The time limit is real time: it measures the container, not the emulator."""
    check = endpoint.health_check
    url = URL(f"http://127.0.0.1:{endpoint.container_port}{check.path}", encoded=True)
    try:
        async with (
            asyncio.timeout(check.timeout_seconds),
            session.get(url, headers={"User-Agent": USER_AGENT}, allow_redirects=False) as answer,
        ):
            await answer.release()
            return check.accepts(answer.status)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return False
