from collections.abc import Iterator

import pytest

from tests.component.cloud import Cloud
from tests.component.running import running_cloud


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with running_cloud(monkeypatch) as cloud:
        yield cloud
