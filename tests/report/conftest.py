from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.browser import CHROMIUM, Browser, running_browser

_AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed here")
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, as package-lock.json pins it."""
    if not _AXE.exists():
        pytest.skip("axe-core is not installed here: npm ci --prefix tests/report")
    return _AXE.read_text()
