"""Renders a page as HTML: as a fragment for a dashboard, or as a whole document."""

import base64
import enum
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lightgate_report.pages import Opener, OverviewPage, ReleasePage

_TEMPLATES = Path(__file__).parent / "templates"
# HTML has no place for them, and they could change what a reader sees of the line around them.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Theme(enum.StrEnum):
    """AUTO: as the reader's system has it."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is around a page, and how it opens another one.

    `endpoint` is the ARN of the function that CloudWatch calls, `address` the part of a URL before
    `/app/release`. Without both, no page opens another one.
    """

    theme: Theme = Theme.AUTO
    endpoint: str | None = None
    address: str | None = None

    def page_of(self, it: Opener) -> str:
        return "/".join([self.address or "", *map(_quoted, (it.app, it.release))])


def render_fragment(page: OverviewPage | ReleasePage, frame: Frame) -> str:
    """The page as a `<div>` with its own style, and without any script."""
    body = "release.html" if isinstance(page, ReleasePage) else "overview.html"
    return _environment().get_template("fragment.html").render(page=page, frame=frame, body=body)


def render_document(page: OverviewPage | ReleasePage, frame: Frame) -> str:
    """The page as a document. Its only script adds a button to each command, which copies it."""
    # The templates are our own, and what they were given is escaped.
    script = Markup((_TEMPLATES / "copy.js").read_text())  # noqa: S704
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template("document.html")
        .render(
            title=page.title,
            fragment=Markup(render_fragment(page, frame)),  # noqa: S704
            script=script,
            script_hash=f"sha256-{digest}",
        )
    )


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _printable(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    return value
