"""Many deployments in a row, good and bad mixed, under constant requests."""

from pathlib import Path

import pytest

from tests.emulator.emulator import Emulator, Service, wait_for
from tests.emulator.images import web
from tests.emulator.node.test_containment import children
from tests.emulator.registry import Registry
from tests.emulator.service.test_load_balancer import Visitor

BAD = [
    web("crash", "python3", "-c", "raise SystemExit(3)"),
    {**web("missing"), "image": web()["image"].replace("latest", "absent")},
    web("sick", SICK="1"),
]
HELD_MB = 24
"""What the server may grow by between two looks: pools and caches, not a leak."""


@pytest.mark.slow
@pytest.mark.parametrize(("rounds", "scale"), [(6, 2), (200, 1)])
def test_nothing_fails_and_nothing_is_left_over_many_deployments(
    registry: Registry, rounds: int, scale: int
) -> None:
    with Emulator("--registry", registry.url, "--log-level", "error") as emulator:
        service = emulator.service("soaked", scale=scale)
        assert service.ended(service.deploy({"web": web("v1")}, "web")) == "ACTIVE"
        visitors = [Visitor(service, method) for method in ("GET", "POST")]
        for visitor in visitors:
            visitor.start()
        try:
            # The first deployments fill caches and the stored versions, which is no leak.
            warm = max(2, rounds // 3)
            run(service, range(2, 2 + warm))
            before = held(emulator, nodes=scale)
            run(service, range(2 + warm, 2 + rounds))
        finally:
            for visitor in visitors:
                visitor.stop()
        # The visitors' connections are gone as well by now, or in a moment.
        wait_for(lambda: held(emulator, nodes=scale).files <= before.files, "no file is left open")
        after = held(emulator, nodes=scale)
        assert [visitor.failures for visitor in visitors] == [[], []]
        assert all(visitor.sent > 5 * rounds for visitor in visitors)
        get, post = visitors
        assert get.seen[:2] == ["v1", "v2"]  # and no version that failed
        assert not any(f"v{version}" in get.seen for version in range(3, 3 + rounds, 3))
        assert post.seen == ["2000 bytes"]
        assert after.megabytes <= before.megabytes + HELD_MB
        server = emulator.process.pid
        left = children(server)
    assert left
    # Killed they are by now; the system's first process may take a moment to bury them.
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), "nothing is left")


def run(service: Service, versions: range) -> None:
    for version in versions:
        good = version % 3 != 0
        if good:
            container, limit = web(f"v{version}"), 900
        else:
            container, limit = BAD[version // 3 % len(BAD)], 40
        path = f"services/{service.name}/switches"
        service_control(service).control("PUT", path, {"activation_limit": limit})
        assert service.deploy({"web": container}, "web") == version
        assert service.ended(version) == ("ACTIVE" if good else "FAILED")


def service_control(service: Service) -> Emulator:
    assert isinstance(service.lightsail, Emulator)
    return service.lightsail


class Held:
    """What the server holds at a moment."""

    def __init__(self, pid: int) -> None:
        status = Path(f"/proc/{pid}/status").read_text()
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        self.megabytes = int(resident.split()[1]) / 1024
        # Connections come and go with the requests; files, pipes and the nodes' sockets do not.
        self.files = len(list(Path(f"/proc/{pid}/fd").iterdir()))


def held(emulator: Emulator, nodes: int) -> Held:
    """Look when the nodes of old deployments are gone: each node is three processes of its own."""
    pid = emulator.process.pid
    wait_for(lambda: len(children(pid)) == 3 * nodes, "only the active deployment runs")
    return Held(pid)
