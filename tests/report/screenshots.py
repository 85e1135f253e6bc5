"""`make screenshots`: the pictures of docs/page.md, from the releases of the demo."""

import sys
from pathlib import Path

from lightgate_report.render import Frame, Theme, render_document
from tests.report.browser import CHROMIUM, running_browser
from tests.report.samples import demo_overview, demo_release

_DOCS = Path(__file__).parents[2] / "docs"
_SHOTS = [(Theme.LIGHT, 1600), (Theme.DARK, 1600), (Theme.LIGHT, 400), (Theme.DARK, 400)]


def main() -> int:
    if CHROMIUM is None:
        print("chromium is not installed here", file=sys.stderr)
        return 1
    with running_browser() as browser:
        for name, page in {"apps": demo_overview(), "release": demo_release()}.items():
            for theme, width in _SHOTS:
                browser.open(render_document(page, Frame()), width=width, theme=theme)
                path = _DOCS / f"page-{name}-{theme}-{width}.webp"
                browser.screenshot(path)
                print(path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
