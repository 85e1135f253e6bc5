"""Where the tests run: at the emulator under a setting of its switches, or on AWS."""

import os
from collections.abc import Iterator

import pytest

from tests.emulator.conformance.settings import settings
from tests.emulator.conformance.targets import Target, aws, emulated
from tests.emulator.emulator import Service

ON_AWS = os.environ.get("LIGHTGATE_AWS") == "1"


@pytest.fixture(scope="module", params=[pytest.param({}, id="aws")] if ON_AWS else settings())
def lightsail(request: pytest.FixtureRequest) -> Iterator[Target]:
    if ON_AWS:
        said = request.config.pluginmanager.get_plugin("terminalreporter")
        if said is not None:
            said.write_line("This run creates container services on AWS: it COSTS MONEY.")
        target = aws()
        try:
            yield target
        finally:
            target.delete_services()
        return
    with emulated(request.getfixturevalue("shared_emulator"), request.param) as target:
        try:
            yield target
        finally:
            target.delete_services()


@pytest.fixture(scope="module")
def shared_service(lightsail: Target) -> Service:
    return lightsail.service()


@pytest.fixture
def service(shared_service: Service) -> Service:
    """The service that the tests share, once it is ready for the next deployment."""
    shared_service.waits_for("READY", "RUNNING")
    return shared_service
