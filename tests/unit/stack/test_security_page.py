"""Each claim of docs/security.md names its test, and the test exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
PROVEN = ("Shown by", "By AWS's documentation")
# These sections say what to do, or how the table above them is meant.
FREE = ("Who can do what with Lightgate", "`states:StartExecution` and", "**After an update")


def claims() -> list[str]:
    """The points of the lists, and the other paragraphs."""
    text = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    blocks = [block.strip() for block in re.split(r"\n(?=- )|\n\s*\n", text)]
    return [
        " ".join(block.split())
        for block in blocks
        if block and not block.startswith(("#", "|", *FREE))
    ]


def rows() -> list[list[str]]:
    found = re.findall(r"^\| (.*) \|$", PAGE, re.MULTILINE)
    return [row.split(" | ") for row in found if not row.startswith("---")][1:]


def test_the_page_has_claims() -> None:
    assert len(claims()) > 10
    assert len(rows()) > 3


def test_each_claim_names_its_test() -> None:
    assert [one for one in claims() if not any(word in one for word in PROVEN)] == []


def test_each_row_names_its_test_or_is_by_design() -> None:
    for *_, proof in rows():
        assert proof == "by design" or "`tests/" in proof, proof


def test_each_named_test_exists() -> None:
    named = re.findall(r"`(tests/[^`]*)`", PAGE)

    assert len(named) > 10
    for path in named:
        found = ROOT / path
        tests = [found] if found.is_file() else list(found.rglob("test_*.py"))
        assert tests, path
        assert any("\ndef test_" in one.read_text("utf-8") for one in tests), path
