"""The health check of a public endpoint: HTTP requests and thresholds."""

import asyncio
from collections.abc import Callable

import aiohttp
from yarl import URL

from local.lightsail.model import HealthCheck, PublicEndpoint

USER_AGENT = "ELB-HealthChecker/2.0"


class HealthCounter:
    """Counts probes against the two thresholds. A node starts as unhealthy."""

    def __init__(self, check: HealthCheck) -> None:
        self._check = check
        self._successes = 0
        self._failures = 0
        self.healthy = False

    @property
    def failed(self) -> bool:
        """Whether as many probes in a row failed as the threshold says."""
        return self._failures >= self._check.unhealthy_threshold

    def count(self, success: bool) -> None:
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
    counter = HealthCounter(endpoint.health_check)
    while True:
        counter.count(await probe(session, endpoint))
        on_verdict(counter)
        await asyncio.sleep(interval)


async def probe(session: aiohttp.ClientSession, endpoint: PublicEndpoint) -> bool:
    """Send one request. Its time limit is in real seconds, because it measures the container."""
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
