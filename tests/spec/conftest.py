from collections.abc import Iterator

import pytest

from tests.emulator.emulator import Emulator
from tests.emulator.fixtures import emulator, registry
from tests.emulator.registry import Registry
from tests.interpreters import any_python
from tests.spec.distributors import Containers

__all__ = ["any_python", "emulator", "registry"]


@pytest.fixture
def containers() -> Iterator[Containers]:
    containers = Containers()
    yield containers
    containers.close()


@pytest.fixture(scope="session")
def shared_emulator(registry: Registry) -> Iterator[Emulator]:
    # As long as a deployment takes on a busy machine, none is given up.
    with Emulator("--registry", registry.url, switches={"activation_limit": "18000"}) as running:
        yield running
