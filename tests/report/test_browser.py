"""The pages in a real browser: light and dark, from 400 to 1600 pixels."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lightgate_cli.report import overview_of
from lightgate_report.pages import OverviewPage, ReleasePage
from lightgate_report.render import Frame, Theme, render_document, render_fragment
from tests.cli import releases
from tests.cli.test_release_texts import of_each_kind
from tests.cli.test_status import facts, named
from tests.report.browser import Browser
from tests.report.parsed import parsed
from tests.report.samples import demo_overview, demo_release, full_evidence, full_record, page_of
from tests.report.test_markup import HOSTILE, overview, release

PAGES: Mapping[str, Callable[[], OverviewPage | ReleasePage]] = {
    "apps": demo_overview,
    "release": demo_release,
    # Apps in each state, and releases of each kind and status.
    "every-state": lambda: overview_of(
        [*named().values(), facts(history=of_each_kind())], releases.NOW, title="Apps"
    ),
    "every-fact": lambda: page_of(full_record(), full_evidence()),
    "long-words": lambda: release("x" * 3000),
    "long-words-of-apps": lambda: overview("x" * 3000),
}
# The same in a test as CloudWatch makes it of `<cwdb-action>`: nothing that is shown.
WIDGET = (
    "<!doctype html><html lang='en'><title>t</title><style>cwdb-action{{display:none}}</style>{}"
)
ENDPOINT = "arn:aws:lambda:us-east-1:123456789012:function:page"


@pytest.mark.parametrize("width", [400, 700, 1600])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_scrolls_sideways(browser: Browser, name: str, width: int) -> None:
    browser.open(render_document(PAGES[name](), Frame()), width=width, theme=Theme.LIGHT)
    browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")

    widths = browser.evaluate(
        "[document.documentElement.scrollWidth, "
        "...[...document.querySelectorAll('body *')].map(e => e.getBoundingClientRect().right)]"
    )
    assert max(widths) <= width + 0.5


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("theme", [Theme.LIGHT, Theme.DARK])
@pytest.mark.parametrize("name", ["apps", "release", "every-fact", "every-state"])
def test_a_page_has_no_serious_problem_of_accessibility(
    browser: Browser, axe: str, name: str, theme: Theme, width: int
) -> None:
    browser.open(render_document(PAGES[name](), Frame()), width=width, theme=theme)
    browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")

    assert serious(browser, axe) == []


@pytest.mark.parametrize("theme", [Theme.LIGHT, Theme.DARK])
@pytest.mark.parametrize("name", ["apps", "release"])
def test_the_widget_has_none_either_and_fits_a_narrow_place_on_a_wide_dashboard(
    browser: Browser, axe: str, name: str, theme: Theme
) -> None:
    fragment = render_fragment(PAGES[name](), Frame(theme=theme, endpoint=ENDPOINT))
    narrow = f"<main style='width:400px'>{fragment}</main>"
    browser.open(WIDGET.format(narrow), width=1600, theme=Theme.LIGHT)

    rights = browser.evaluate(
        "[...document.querySelectorAll('main *')].map(e => e.getBoundingClientRect().right - "
        "document.querySelector('main').getBoundingClientRect().left)"
    )
    assert max(rights) <= 400.5
    assert serious(browser, axe) == []


@pytest.mark.parametrize("theme", [Theme.LIGHT, Theme.DARK])
def test_a_file_follows_the_system_and_a_widget_follows_its_dashboard(
    browser: Browser, theme: Theme
) -> None:
    background = "getComputedStyle(document.querySelector('.lightgate')).backgroundColor"
    other = Theme.LIGHT if theme is Theme.DARK else Theme.DARK
    browser.open(render_document(demo_overview(), Frame()), width=800, theme=theme)
    of_file = browser.evaluate(background)
    browser.open(render_fragment(demo_overview(), Frame(theme=theme)), width=800, theme=other)
    of_widget = browser.evaluate(background)

    assert of_file == of_widget
    assert (of_file == "rgb(255, 255, 255)") == (theme is Theme.LIGHT)


def test_the_browser_builds_the_elements_that_the_page_has(browser: Browser) -> None:
    """And so no hostile text makes one of its own, whatever a browser mends."""
    for text in HOSTILE[:-1]:
        for page in (release, overview):
            html = render_document(page(text), Frame(endpoint=ENDPOINT))
            browser.open(html, width=800, theme=Theme.LIGHT)
            names = browser.evaluate(
                "[...document.querySelectorAll('*')].map(each => each.localName)"
            )
            added = {"tbody", "button"}  # the parser adds one, and our script the other
            assert [each for each in names if each not in added] == [
                each.name for each in parsed(html).elements if each.name not in added
            ]


def test_the_button_copies_the_command(browser: Browser) -> None:
    browser.open(render_document(demo_release(), Frame()), width=800, theme=Theme.LIGHT)

    copied = browser.evaluate(
        "new Promise(done => {"
        " navigator.clipboard.writeText = async text => done(text);"
        " document.querySelector('button.copy').click(); })"
    )
    assert copied == "lightgate explain crops-backend v3"


def serious(browser: Browser, axe: str) -> list[Any]:
    """The findings of axe-core that keep somebody from reading the page."""
    browser.evaluate(f"{axe}; null")
    found = browser.evaluate(
        "axe.run().then(found => JSON.stringify(found.violations.map(each => "
        "[each.impact, each.id, each.nodes.map(node => node.html.slice(0, 200)).slice(0, 3)])))"
    )
    return [each for each in json.loads(found) if each[0] in ("serious", "critical")]
