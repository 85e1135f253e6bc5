"""README.md, CONTRIBUTING.md and docs name only paths and modules that exist."""

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOP_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = [*(ROOT / name for name in TOP_PAGES), *sorted(ROOT.glob("docs/**/*.md"))]
TOP = {path.name for path in ROOT.iterdir() if path.name not in ("build", ".git")}
# Names that stand for the name of a new step, or of a file that is generated.
EXAMPLES = re.compile(r"check_quota|<\w+>|^build(/|$)")
WORD = re.compile(r"[\w./<>-]+")
LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([^)\s]+))?\)")
MODULE = re.compile(r"\blightgate(?!\.json)(?:\.[a-z_]+)+\b")


def texts_in_code(page: str) -> Iterator[str]:
    """What stands in backticks, and the lines of blocks without a language."""
    outside = []
    for index, block in enumerate(re.split(r"^ *```(.*)$", page, flags=re.MULTILINE)):
        if index % 4 == 0:
            outside.append(block)
        elif index % 4 == 2:
            yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", "\n".join(outside))


def paths_in(page: str) -> set[str]:
    """The words that begin with a folder or a file of the top of this repository."""
    words = {word.rstrip(".,/") for text in texts_in_code(page) for word in WORD.findall(text)}
    return {
        word
        for word in words
        if word.split("/")[0] in TOP and ("/" in word or "." in word) and not EXAMPLES.search(word)
    }


def test_the_paths_of_a_page_are_found() -> None:
    page = "`local/demo/`\n```\ntests/only.py  what it does\n```\n`functions/<step>/app.py`"

    assert paths_in(page) == {"local/demo", "tests/only.py"}


def headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    named = paths_in(page.read_text("utf-8"))

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    modules = set(MODULE.findall(page.read_text("utf-8")))

    assert [name for name in sorted(modules) if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, heading in LINK.findall(page.read_text("utf-8")):
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        assert not heading or heading in headings(file), f"{target}#{heading}"


def test_the_architecture_shows_every_package_and_every_step() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    order = " | ".join(contracts["contracts"][0]["layers"]).split(" | ")
    table = re.findall(r"^\| (`.*?) \|", page.partition("### tests")[0], re.MULTILINE)
    shown = [name.removesuffix(".py") for row in table for name in re.findall(r"`([\w.]+)`", row)]

    assert shown == order
    steps = {path.parent.name for path in ROOT.glob("functions/*/app.py")}
    named = re.findall(r"^\| ([A-Z]\w+) \|", page, re.MULTILINE)
    assert {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in named} == steps


def test_the_architecture_shows_every_folder_of_tests() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    folders = {path.parent.name for path in ROOT.glob("tests/*/*.py")}

    assert folders <= set(re.findall(r"`tests/(\w+)/`", page))


def names_in_files(page: str) -> Iterator[tuple[str, str]]:
    """A name, and the file that the page says it is in: "`_RULES` in `lightgate/log_causes.py`"."""
    text = " ".join(page.split())
    for names, file in re.findall(
        r"((?:`\w+`(?:, | and | or )?)+) (?:in|of) `([\w/]+\.(?:py|json|yaml))`", text
    ):
        yield from ((name, file) for name in re.findall(r"\w+", names) if name not in ("and", "or"))


def test_every_name_that_a_recipe_changes_is_in_its_file() -> None:
    named = [*names_in_files((ROOT / "CONTRIBUTING.md").read_text("utf-8"))]

    assert len(named) > 10
    assert [
        (name, file)
        for name, file in named
        if not EXAMPLES.search(file)
        and not re.search(rf"\b{name}\b", (ROOT / file).read_text("utf-8"))
    ] == []
