"""The code cites pages and headings of the docs that exist."""

import re
from pathlib import Path

from tests.docs.pages import PAGES

ROOT = Path(__file__).parents[2]
FOLDERS = (
    *("layers", "cli", "report", "functions", "statemachine"),
    *("local", "tests", "benchmarks", "examples"),
)
FILES = [
    ROOT / "template.yaml",
    ROOT / "Makefile",
    *sorted(
        path
        for folder in FOLDERS
        for kind in ("*.py", "*.json", "*.yaml", "Makefile")
        for path in (ROOT / folder).rglob(kind)
        if not {"node_modules", "golden", "versions"} & set(path.parts)
    ),
]
# The names of pages on the site.
SITE = ROOT / "local/tools/site.py"
# A citation may go over the end of a line, also within a comment.
_END_OF_LINE = re.compile(r"\n\s*(?:# )?")
_PAGE = re.compile(r"(?<![\w/])docs/[\w/-]+\.md")
_HEADING = re.compile(rf'({_PAGE.pattern}), "([^"]+)"(?: and "([^"]+)")?')


def wrong_citations(text: str) -> list[str]:
    """The pages, and the headings of pages, that a text cites and that do not exist."""
    text = _END_OF_LINE.sub(" ", text)
    missing = [page for page in _PAGE.findall(text) if not (ROOT / page).exists()]
    return missing + [
        f'{page}, "{heading}"'
        for page, *headings in _HEADING.findall(text)
        if page not in missing
        for heading in headings
        if heading and heading not in headings_of(page)
    ]


def headings_of(page: str) -> list[str]:
    return re.findall(r"^#+ (.+)$", (ROOT / page).read_text("utf-8"), re.MULTILINE)


def test_the_code_cites_pages_and_headings_that_exist() -> None:
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in FILES
        if path != Path(__file__) and (found := wrong_citations(path.read_text("utf-8")))
    }
    assert wrong == {}


def test_a_citation_of_nothing_is_found() -> None:
    text = """
    # A limit (docs/lightsail.md,
    # "Quotas" and "Limits"), and docs/nowhere.md; docs/measured.md, "The database
    # lock", is there.
    """
    assert wrong_citations(text) == ["docs/nowhere.md", 'docs/lightsail.md, "Limits"']


def test_no_fact_is_cited_from_outside_of_the_repository() -> None:
    """Nobody would find such a page."""
    names = {page.name for page in PAGES}
    cited = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        if "tests" not in path.relative_to(ROOT).parts and path != SITE
        for name in re.findall(r"(?<![\w/*{}.-])[\w-]+\.md\b", path.read_text("utf-8"))
        if name not in names
    }
    assert cited == set()
