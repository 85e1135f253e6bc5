"""Whole messages as they arrive, one file for each kind and status in tests/golden.

To write them anew after a change, run this file with REWRITE_GOLDEN=1, and read each of them.
"""

import os
from pathlib import Path

import pytest

from tests.support.messages import mails

GOLDEN = Path(__file__).parents[2] / "golden"
MAILS = mails()
REWRITE = os.environ.get("REWRITE_GOLDEN") == "1"


@pytest.mark.parametrize("name", MAILS)
def test_a_message_reads_as_its_golden_file(name: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if REWRITE:
        path.write_text(str(MAILS[name]))

    assert str(MAILS[name]) == path.read_text()


def test_every_golden_file_is_of_a_message() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(MAILS)
