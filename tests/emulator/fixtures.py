"""What every folder needs that tests at the emulator; each conftest imports what it uses."""

from collections.abc import Iterator

import pytest

from tests.emulator.emulator import Emulator
from tests.emulator.images import push_images
from tests.emulator.registry import Registry


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    """One registry with the images of the tests."""
    with Registry() as running:
        push_images(running)
        yield running


@pytest.fixture
def emulator(shared_emulator: Emulator) -> Iterator[Emulator]:
    """The shared emulator; the services of the test are deleted, so that none costs the next."""
    yield shared_emulator
    shared_emulator.delete_services()
