"""The docs site: `make site` builds it with MkDocs, which calls the hooks of this module.

The files of the repository are written for GitHub. Here pages from outside `docs` get a place on
the site, and so do the examples. A link to source code, which is not on the site, becomes its text.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
FROM_OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "LICENSE",
}
EXAMPLES = ("md", "json", "yml", "yaml")
# Code is left alone, and so it comes first.
_CODE_OR_LINK = re.compile(
    r"^ *```.*?^ *```|`[^`\n]+`|(!?)\[((?:[^][]|\[[^]]*\])*)\]\(([^)#\s]+)(#[^)\s]+)?\)",
    re.MULTILINE | re.DOTALL,
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give the headings the anchors that GitHub gives them."""
    config.mdx_configs["toc"] = {"slugify": slugify(case="lower"), "permalink": True}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, place in FROM_OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    for path in _examples():
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    places = {file.src_uri for file in files}
    return with_lists_of_the_site(with_links_of_the_site(markdown, page.file.src_uri, places))


def with_lists_of_the_site(markdown: str) -> str:
    """The text with what belongs to a list item indented by four. GitHub goes by the marker."""
    lines = []
    marker = 0  # the width of the marker of the item that the line belongs to
    for line in markdown.splitlines(keepends=True):
        if item := re.match(r"(?:\d+\.|[-*]) +(?=\S)", line):
            marker = len(item[0])
        elif line.startswith(" " * marker):
            line = " " * (4 - marker if marker else 0) + line
        elif line.strip():
            marker = 0
        lines.append(line)
    return "".join(lines)


def with_links_of_the_site(markdown: str, page: str, places: set[str]) -> str:
    """The text of a page with the links that the site has, by the places of its files."""
    home = PurePosixPath(_path_of(page)).parent

    def link(match: re.Match[str]) -> str:
        image, text, target, heading = match.groups(default="")
        if not target or ":" in target:
            return match[0]
        path = normpath(home / target)
        if (ROOT / path).is_dir() and (ROOT / path / "README.md").exists():
            path += "/README.md"
        place = FROM_OUTSIDE.get(path, path.removeprefix("docs/"))
        if place not in places and (ROOT / path).exists():
            return text
        return f"{image}[{text}]({relpath(place, PurePosixPath(page).parent)}{heading})"

    return _CODE_OR_LINK.sub(link, markdown)


def _path_of(place: str) -> str:
    """The path in the repository of a page of the site."""
    outside = {there: path for path, there in FROM_OUTSIDE.items()}
    return outside.get(place, place if place.startswith("examples/") else f"docs/{place}")


def _examples() -> list[str]:
    found = [path for kind in EXAMPLES for path in ROOT.glob(f"examples/**/*.{kind}")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)
