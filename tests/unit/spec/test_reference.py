"""The reference page says what the schema, the presets and the compiler say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lightgate.names import RELEASE_VARIABLE
from lightgate.spec.keys import ExpectedHeader
from local.tools import spec_reference
from tests.support.builders import parse, spec_document
from tests.support.spec_examples import FULL, GUIDE

PAGE = spec_reference.PAGE.read_text("utf-8")


def test_the_page_and_the_schema_are_up_to_date() -> None:
    assert spec_reference.main(["--check"]) == 0, "run make docs"


@pytest.mark.parametrize("name", ["PAGE", "SCHEMA"])
def test_an_old_file_is_noticed_and_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file = getattr(spec_reference, name)
    old = tmp_path / "docs" / file.name
    old.parent.mkdir()
    old.write_text("old")
    monkeypatch.setattr(spec_reference, name, old)
    monkeypatch.setattr(spec_reference, "_ROOT", tmp_path)

    assert spec_reference.main(["--check"]) == 1
    assert capsys.readouterr().err == f"docs/{file.name} is old: run make docs\n"
    assert spec_reference.main([]) == 0
    assert old.read_text("utf-8") == file.read_text("utf-8")


def test_every_spec_on_the_page_is_valid() -> None:
    blocks = [json.loads(found) for found in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    specs = [block for block in blocks if "repository" in block]

    assert specs[:2] == [GUIDE, FULL]
    assert len(specs) == 3
    for spec in specs:
        parse(spec)


def test_the_watch_that_the_page_describes_is_valid() -> None:
    blocks = [json.loads(found) for found in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    [shown] = [block for block in blocks if "verification" in block]

    assert parse(spec_document(**shown)).verification.expected_header == ExpectedHeader(
        name="X-Release", value="{release}"
    )


def test_the_middleware_on_the_page_answers_with_the_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    [source] = [block for block in blocks if "release_header" in block]
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102 - it is our own page
    middleware = names["release_header"](dict)
    monkeypatch.setenv(RELEASE_VARIABLE, "20260102t030405z-0a1b2c3d-9f8e")

    assert middleware({}) == {"X-Release": "20260102t030405z-0a1b2c3d-9f8e"}


def test_every_link_within_the_page_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }

    links = re.findall(r"\]\(#([^)]*)\)", PAGE)

    assert links
    assert set(links) <= headings


def test_every_row_of_a_table_has_its_columns() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        assert len({re.sub(r"`[^`]*`", "", row).count("|") for row in table.splitlines()}) == 1
