"""Nothing that a person, an app or a registry has written becomes markup of a page."""

from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.release.lock import Lock, Pause
from lightgate_report.overview_page import app_row, overview_page
from lightgate_report.pages import OverviewPage, ReleasePage
from lightgate_report.render import Frame, Theme, render_document, render_fragment
from tests.cli.releases import NOW
from tests.report.parsed import parsed
from tests.report.samples import demo_overview, full_evidence, full_record, page_of

HOSTILE = [
    "<script>alert(1)</script>",
    "</pre></details><iframe src=//x>",
    "</style><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "--><svg onload=alert(1)>",
    "]]><use href=x />",
    "</cwdb-action><cwdb-action action=call endpoint=x>",
    "{{ 7*7 }}{% include 'style.css' %}",
    "&lt;script&gt;&#60;b&#62;",
    "javascript:alert(1)",
    "a\x00b\x1b[31mc\u202egnp\ud800",
]
FRAMES = [
    Frame(),
    Frame(address=""),
    Frame(theme=Theme.DARK, endpoint="arn:aws:lambda:us-east-1:123456789012:function:page"),
]


def poisoned(value: Any, text: str) -> Any:
    """The value with this text for each text in it. Moments, numbers and choices stay."""
    if isinstance(value, Enum | datetime | timedelta):
        return value
    if isinstance(value, str):
        return text
    if isinstance(value, dict):
        return {text if key == "gate" else key: poisoned(each, text) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [poisoned(each, text) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        changes = {each.name: poisoned(getattr(value, each.name), text) for each in fields(value)}
        return replace(value, **changes)
    return value


def release(text: str) -> ReleasePage:
    evidence = poisoned(full_evidence(), text)
    evidence = replace(evidence, gates={text: [{text: text}]}, logs={text: [text, text]})
    return page_of(poisoned(full_record(), text), evidence)


def overview(text: str) -> OverviewPage:
    record = poisoned(full_record(), text)
    lock = Lock(paused=Pause(by=text, reason=text, at=NOW))
    row = replace(app_row(text, [record], lock, NOW), url=text, health_detail=text, rollback=text)
    return overview_page([row], [record], NOW, title=text, live={text}, notes=[text])


def assert_inert(html: str, plain: str) -> None:
    """The page has the elements and attributes of the page with harmless texts."""
    found, expected = parsed(html), parsed(plain)
    assert found.shape == expected.shape
    assert found.comments == []
    for each in found.elements:
        for name in ("href", "src"):
            address = each.attributes.get(name, "/")
            assert address.startswith(("https://", "/", "data:,")), address


@pytest.mark.parametrize("frame", FRAMES, ids=["file", "demo", "widget"])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_shown_as_texts(text: str, frame: Frame) -> None:
    for page in (release, overview):
        assert_inert(render_document(page(text), frame), render_document(page("harmless"), frame))


@given(text=st.text(alphabet=st.characters(categories=None), min_size=1, max_size=40))
def test_no_text_becomes_markup(text: str) -> None:
    # A status or a step that begins like a known one has another look.
    text = f"x{text}" if len(text) <= 24 else f"x{text[:20]}"
    frame = FRAMES[2]
    for page in (release, overview):
        assert_inert(render_fragment(page(text), frame), render_fragment(page("harmless"), frame))


def test_a_hostile_text_can_be_read() -> None:
    text = "<b>bold</b> & 'quoted' {{ 7*7 }}"

    assert text in parsed(render_fragment(release(text), Frame())).text


def test_characters_that_have_no_place_in_a_page_are_replaced() -> None:
    """A file with a lone surrogate could not even be written."""
    html = render_document(release(HOSTILE[-1]), Frame())

    assert html.encode().decode() == html
    assert "a\ufffdb\ufffd[31mc\ufffdgnp\ufffd" in html
    assert not {"\x00", "\x1b", "\u202e"} & set(html)


def test_only_an_address_of_https_is_a_link() -> None:
    page = demo_overview()
    bad = replace(page, apps=[replace(page.apps[0], url="javascript:alert(1)")])

    assert len(parsed(render_fragment(page, Frame())).named("a")) == 1
    assert parsed(render_fragment(bad, Frame())).named("a") == []


def test_the_document_allows_its_own_script_and_no_other() -> None:
    html = render_document(demo_overview(), Frame())

    [policy] = [
        each.attributes["content"]
        for each in parsed(html).named("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    assert "script-src 'sha256-" in policy
    assert "unsafe-inline' 'sha" not in policy
    assert len(parsed(html).named("script")) == 1
    assert parsed(render_fragment(demo_overview(), Frame())).named("script") == []
