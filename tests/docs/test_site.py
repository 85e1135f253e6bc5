"""The docs site has every page, and its build fails at a broken link."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.tools.site import with_links_of_the_site, with_lists_of_the_site

ROOT = Path(__file__).parents[2]
PLACES = {
    "index.md",
    "spec.md",
    "contributing.md",
    "examples/crops/README.md",
    "decisions/README.md",
}


@pytest.mark.parametrize(
    ("page", "written", "shown"),
    [
        ("index.md", "[a](docs/spec.md#tags)", "[a](spec.md#tags)"),
        ("index.md", "[`a`](CONTRIBUTING.md)", "[`a`](contributing.md)"),
        ("spec.md", "[a](../examples/crops)", "[a](examples/crops/README.md)"),
        ("decisions/README.md", "[a](../../README.md)", "[a](../index.md)"),
        ("spec.md", "[the code](../layers/core/build_gate)", "the code"),
        ("spec.md", "[a](nowhere.md)", "[a](nowhere.md)"),
        ("spec.md", "`[a](../README.md)`", "`[a](../README.md)`"),
        ("spec.md", "[a](https://example.com/b.md)", "[a](https://example.com/b.md)"),
    ],
)
def test_a_link_leads_to_the_same_text_on_the_site(page: str, written: str, shown: str) -> None:
    assert with_links_of_the_site(written, page, PLACES) == shown


def test_what_belongs_to_a_list_item_stays_in_it() -> None:
    written = "1. One\n\n   ```sh\n   a\n   ```\n\n2. Two\n- Three\n  more\nEnd\n   apart\n"

    assert with_lists_of_the_site(written) == (
        "1. One\n\n    ```sh\n    a\n    ```\n\n2. Two\n- Three\n    more\nEnd\n   apart\n"
    )


@pytest.mark.slow
def test_the_build_fails_at_each_broken_link(tmp_path: Path) -> None:
    broken = ("nowhere.md", "spec.md#no-key", "#no-term", "../README.md#no-part")
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for path in ROOT.iterdir():
        if path.name not in ("docs", "build", ".git"):
            (tmp_path / path.name).symlink_to(path)

    def build() -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "mkdocs", "build", "--strict"]
        environment = {"PYTHONPATH": str(tmp_path), "NO_MKDOCS_2_WARNING": "1"}
        return subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    whole = build()
    assert (whole.returncode, "WARNING" in whole.stderr) == (0, False)
    assert (tmp_path / "build" / "site" / "index.html").exists()

    page = tmp_path / "docs" / "glossary.md"
    links = "".join(f"[a]({link})\n" for link in broken)
    page.write_text(f"{page.read_text('utf-8')}\n{links}", "utf-8")
    wrong = build()
    assert wrong.returncode == 1
    warnings = [line for line in wrong.stderr.splitlines() if "WARNING" in line]
    assert len(warnings) == len(broken)
    assert all("glossary.md" in line for line in warnings)
