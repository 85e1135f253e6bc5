"""The promise of docs/record.md names every field, and no other."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from lightgate.codec import encode
from lightgate.records.release_evidence import Evidence
from lightgate.records.release_record import ReadableRecord

PAGE = (Path(__file__).parents[3] / "docs" / "record.md").read_text()
RECORD, EVIDENCE = PAGE.split("## The evidence file")


def named(text: str) -> set[str]:
    """The fields in the first column of its table."""
    rows = [row.split("|")[1] for row in text.splitlines() if row.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize(("kind", "text"), [(ReadableRecord, RECORD), (Evidence, EVIDENCE)])
def test_the_page_names_every_field(kind: type, text: str) -> None:
    bare = object.__new__(kind)
    for field in fields(kind):
        object.__setattr__(bare, field.name, None)

    assert named(text) == encode(bare, complete=True).keys()
