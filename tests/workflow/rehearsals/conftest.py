"""The world of rehearsals."""

import pytest

from tests.workflow.rehearsals.rehearsal_world import RehearsalWorld
from tests.workflow.world import World


@pytest.fixture
def rehearsals(world: World, monkeypatch: pytest.MonkeyPatch) -> RehearsalWorld:
    return RehearsalWorld(world, monkeypatch)
