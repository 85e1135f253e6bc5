"""One emulator that most tests share."""

from collections.abc import Iterator

import pytest

from tests.emulator.emulator import Emulator
from tests.emulator.fixtures import emulator, registry
from tests.emulator.registry import Registry

__all__ = ["emulator", "registry"]


@pytest.fixture(scope="session")
def shared_emulator(registry: Registry) -> Iterator[Emulator]:
    with Emulator("--registry", registry.url) as running:
        yield running
