"""A page as a reader or a browser takes it: its text and its elements."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "img", "input", "hr"}
_RAW = {"style", "script"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str]


@dataclass
class Parsed:
    """`texts` are those outside of styles and scripts. `open` is empty for a well-formed page."""

    elements: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(each.name, tuple(each.attributes)) for each in self.elements]

    def named(self, name: str) -> list[Element]:
        return [each for each in self.elements if each.name == name]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Parsed()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        attributes = {name: value or "" for name, value in attrs}
        self.found.elements.append(Element(tag, attributes))
        if tag not in _VOID:
            self.found.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.found.open, f"</{tag}> closes nothing"
        assert self.found.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not set(self.found.open) & _RAW:
            self.found.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.found.comments.append(data)


def parsed(html: str) -> Parsed:
    """Raises AssertionError if the elements are not nested as they should be."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.found.open == []
    return reader.found
