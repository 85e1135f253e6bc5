"""Strict reading of JSON documents that people write.

A `Node` is a value together with its place in the document. Each of its methods checks one
expectation. If it does not hold, the method adds a problem and returns a harmless stand-in, so that
a person sees every problem at once.
"""

import codecs
import difflib
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lightgate.patterns import pattern

LONGEST_TEXT = 4096
_SHOWN_CHARACTERS = 60
# A document may be wrong in thousands of places, and the state machine carries 256 KB.
_MOST_REASONS = 40
_LONGEST_PATH = 200
# User and password in a URL: a wrong value is shown to all subscribers.
_USER_INFO = pattern(r"(?<=://)[^\s\"']*@")
# Characters that only a shell understands. Without them a string is a list of words.
_SHELL_SYNTAX = pattern(r"[^\w\s./:=@%+,-]")


# A place has at most so many keys and indices, because no rule needs more.
_MOST_STEPS = 5
# The last step to a key that is itself a value, such as the name of a container.
KEY_ITSELF = -1
type _Steps = tuple[str | int, ...]


@dataclass(slots=True)
class Problems:
    """What is wrong with one document, in the order in which it was found.

    `lines` are for people. `unread` are the places whose values could not be used, so that a
    stand-in was read for them: a rule about such a value would report what is not there.
    """

    document: str = "the document"
    lines: list[str] = field(default_factory=list)
    unread: list[_Steps] = field(default_factory=list)

    def add(self, path: str, text: str, unread: _Steps | None = None) -> None:
        if len(path) > _LONGEST_PATH:
            path = f"{path[: _LONGEST_PATH // 2]}…{path[-_LONGEST_PATH // 2 :]}"
        self.lines.append(f"{path or self.document}: {text}")
        if unread is not None:
            self.unread.append(unread)

    @property
    def reasons(self) -> list[str]:
        """The lines, as many as a person reads."""
        more = len(self.lines) - _MOST_REASONS
        rest = [f"{self.document}: has {more} more problems"] if more > 0 else []
        return self.lines[:_MOST_REASONS] + rest


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value, its path in the document, and where problems are reported.

    `place` has the first steps of the path.
    """

    value: Any
    path: str
    problems: Problems
    place: _Steps = ()

    def problem(self, text: str) -> None:
        self.problems.add(self.path, text, self.place)

    def child(self, key: str | int, value: Any) -> "Node":  # noqa: ANN401 - any JSON value
        place = (*self.place, key)[:_MOST_STEPS]
        if isinstance(key, int):
            return Node(value, f"{self.path}[{key}]", self.problems, place)
        step = key if re.fullmatch(r"[\w./-]{1,60}", key) else shown(key)
        return Node(value, f"{self.path}.{step}" if self.path else step, self.problems, place)

    def key(self, name: str) -> "Node":
        """The key of this node as a value of its own."""
        return replace(self, value=name, place=(*self.place, KEY_ITSELF))

    def at(self, *keys: str | int) -> "Node":
        """The node below this one that the keys lead to; its value is None where there is none."""
        node = self
        for key in keys:
            try:
                value = node.value[key]
            except (KeyError, IndexError, TypeError):
                value = None
            node = node.child(key, value)
        return node

    def fields(self, *, required: Iterable[str] = (), optional: Iterable[str] = ()) -> "Fields":
        """The members of an object that may hold only the named keys."""
        if not isinstance(self.value, dict):
            self.problem(f"must be an object, not {shown(self.value)}")
            return Fields({})
        allowed = [*required, *optional]
        for key in self.value:
            if key not in allowed:
                meant = self.child(closest(key, allowed) or key, None)
                replace(self.child(key, None), place=meant.place).problem(
                    _unknown_key(key, allowed)
                )
        for key in required:
            if key not in self.value:
                self.child(key, None).problem("is missing")
        return Fields({k: self.child(k, v) for k, v in self.value.items() if k in allowed})

    def entries(self) -> Mapping[str, "Node"]:
        """The members of an object whose keys are the user's own."""
        if not isinstance(self.value, dict):
            self.problem(f"must be an object, not {shown(self.value)}")
            return {}
        return {key: self.child(key, value) for key, value in self.value.items()}

    def items(self, *, texts: bool = False) -> list["Node"]:
        """The items of a list; `texts` says that they are strings."""
        if not isinstance(self.value, list):
            hint = f"; write [{shown(self.value)}]" if texts and _is_short(self.value) else ""
            self.problem(f"must be a list, not {shown(self.value)}{hint}")
            return []
        return [self.child(index, value) for index, value in enumerate(self.value)]

    def string(
        self, pattern: str | None = None, allowed: str = "", longest: int = LONGEST_TEXT
    ) -> str:
        """A string which matches `pattern` as a whole; `allowed` says that in words."""
        if not isinstance(self.value, str):
            self.problem(f"must be a string, not {shown(self.value)}")
            return ""
        if not self.value:
            self.problem("must not be empty")
        elif len(self.value) > longest:
            self.problem(f"has {len(self.value)} characters; at most {longest} are allowed")
        elif "\0" in self.value or not _is_unicode(self.value):
            self.problem(
                f"{shown(self.value)} is not valid; allowed is whole characters, and no NUL"
            )
        elif pattern is not None and not re.fullmatch(pattern, self.value):
            self.problem(f"{shown(self.value)} is not valid; allowed is {allowed}")
        return self.value

    def text(self, longest: int = LONGEST_TEXT) -> str:
        """A string that may be empty, without NUL, which no process could be given."""
        if not isinstance(self.value, str):
            hint = f'; write "{shown(self.value)}"' if isinstance(self.value, bool | int) else ""
            self.problem(f"must be a string, not {shown(self.value)}{hint}")
            return ""
        if "\0" in self.value:
            self.problem("contains a NUL character, which no process can be given")
        elif not _is_unicode(self.value):
            self.problem(
                "contains half of a surrogate pair, which is no character; allowed is any text"
            )
        elif len(self.value) > longest:
            self.problem(f"has {len(self.value)} characters; at most {longest} are allowed")
        return self.value

    def choice[S: str](self, *options: S) -> S:
        """One of the options; anything else reads as the first of them."""
        if isinstance(self.value, str) and self.value in options:
            return options[options.index(self.value)]
        hint = nearest(self.value, options) if isinstance(self.value, str) else ""
        self.problem(f"{shown(self.value)} is not valid; allowed is {one_of(options)}{hint}")
        return options[0]

    def integer(self, lowest: int, highest: int) -> int:
        """A whole number in the range; a wrong one reads as the lowest."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            is_quoted = isinstance(self.value, str) and re.fullmatch("[1-9][0-9]{0,9}", self.value)
            hint = f"; write {self.value}" if is_quoted else ""
            self.problem(f"must be a whole number, not {shown(self.value)}{hint}")
        elif not lowest <= self.value <= highest:
            self.problem(f"{shown(self.value)} is out of range; allowed is {lowest} to {highest}")
        else:
            return self.value
        return lowest

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            self.problem(f"must be true or false, not {shown(self.value)}")
            return False
        return self.value

    def argv(self) -> tuple[str, ...]:
        """A command as a list of arguments: no shell ever sees it."""
        if isinstance(self.value, str):
            self.problem(
                f"must be a list of arguments, not {shown(self.value)}{_as_argv(self.value)}"
            )
            return ()
        arguments = [item.text() for item in self.items()]
        if isinstance(self.value, list) and self.value[:1] in ([], [""]):
            self.problem("must name a program to run, and is empty")
        return tuple(arguments)


@dataclass(frozen=True, slots=True)
class Fields:
    """The members of one object."""

    nodes: Mapping[str, Node]

    def __contains__(self, key: str) -> bool:
        return key in self.nodes

    def read[T](self, key: str, how: Callable[[Node], T], default: T) -> T:
        """The member, read by `how`; or `default` if the key is missing."""
        return how(self.nodes[key]) if key in self.nodes else default


def parse_json(text: str | bytes, problems: Problems) -> Any:  # noqa: ANN401 - any JSON value
    """The document, or None after reporting why it is not one.

    Stricter than JSON itself: a repeated key is reported, because one of its two values
    is silently lost.
    """
    repeats: list[tuple[dict[str, Any], str]] = []

    def note_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                repeats.append((members, key))
        return members

    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        document = json.loads(text, object_pairs_hook=note_repeats)
    except UnicodeDecodeError as error:
        problems.add("", _not_utf_8(error))
    except json.JSONDecodeError as error:
        problems.add("", _not_json(error))
    except (RecursionError, ValueError):
        problems.add("", "is not JSON that can be read: nested too deeply, or a number too long")
    else:
        for node in every_node(Node(document, "", problems)) if repeats else ():
            for members, key in repeats:
                if members is node.value:
                    node.child(key, None).problem("stands twice in the same object; keep one")
        return document
    return None


_SAVE_AS_UTF_8 = "save the file as UTF-8 without a byte order mark"
# The advice for a text that is not JSON: by the text at the place of the error, then by the
# message of Python's parser.
_WHAT_TO_DO_AT = (
    (pattern(r"\ufeff"), f"a byte order mark (BOM) stands here; {_SAVE_AS_UTF_8}"),
    (pattern(r"//|/\*|#"), "JSON has no comments; remove this one"),
    (pattern(r"['`]"), 'JSON takes no single quotes; write double quotes (")'),
    (
        pattern("[\u2018-\u201f\u00ab\u00bb]"),
        'these are typographic quotes; write double quotes (")',
    ),
    (pattern(r"(?:True|False|None)\b"), "this is Python; write true, false or null"),
)
_YAML = pattern(r"---|[A-Za-z][\w-]*:(?:\s|$)")
_COMMA_TOO_MANY = ("Expecting property name", "Expecting value")
_WHAT_TO_DO = (
    (
        "Expecting ',' delimiter",
        "a comma is missing before this, or a bracket is not closed; add it",
    ),
    ("Expecting ':' delimiter", "a colon is missing between a key and its value; add it"),
    ("Expecting property name", 'a key is expected here; write it in double quotes (")'),
    ("Expecting value", "a value is missing here; add it, or remove the comma or colon before it"),
    ("Extra data", "the JSON ends before this, and more text follows; keep one JSON object"),
    ("Unterminated string", "the quotation mark that ends this text is missing; add it"),
    ("Invalid control", "a text cannot hold a line break or a tab; write \\n or \\t"),
    ("Invalid \\", "a backslash begins an escape; write two of them for a backslash"),
)


def _not_json(error: json.JSONDecodeError) -> str:
    """Where the text stops being JSON, and what to do about it."""
    place = f"is not JSON: line {error.lineno}, column {error.colno}"
    rest = error.doc[error.pos :]
    if not error.doc.strip():
        return f"{place}: there is no text; write one JSON object"
    if "\0" in error.doc:
        return f"{place}: there are NUL characters, as in UTF-16 text; {_SAVE_AS_UTF_8}"
    if _YAML.match(rest) and not error.doc[: error.pos].strip():
        return f"{place}: this looks like YAML; write the document as JSON"
    if error.msg.startswith("Illegal trailing comma"):
        return f"{place}: this trailing comma stands before a closing bracket; remove it"
    if rest.startswith(",") and error.msg.startswith(_COMMA_TOO_MANY):
        return f"{place}: there is a comma too many; remove it"
    for found, advice in _WHAT_TO_DO_AT:
        if found.match(rest):
            return f"{place}: {advice}"
    if not rest.strip() and not error.msg.startswith("Unterminated"):
        return f"{place}: the text ends before its last bracket is closed; add what is missing"
    for message, advice in _WHAT_TO_DO:
        if error.msg.startswith(message):
            return f"{place}: {advice}"
    return f"{place}: {error.msg}"


def _not_utf_8(error: UnicodeDecodeError) -> str:
    before = error.object[: error.start]
    line, column = before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode()) + 1
    place = f"is not UTF-8 text: line {line}, column {column}"
    if error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"{place}: this is UTF-16; {_SAVE_AS_UTF_8}"
    return f"{place}: byte {error.start} is no character; {_SAVE_AS_UTF_8}"


def every_node(root: Node) -> Iterator[Node]:
    """The node and all below it, in the order of the document, however deep it is."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node.value, dict):
            waiting += reversed([node.child(key, value) for key, value in node.value.items()])
        elif isinstance(node.value, list):
            waiting += reversed([node.child(i, value) for i, value in enumerate(node.value)])


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _as_argv(command: str) -> str:
    """How a command line is written as a list of arguments, where that is short enough."""
    words = ["sh", "-c", command] if _SHELL_SYNTAX.search(command) else shlex.split(command)
    text = printable(json.dumps(words, ensure_ascii=False))
    return f"; write {text}" if words and len(text) <= 4 * _SHOWN_CHARACTERS else ""


def shown(value: object) -> str:
    """The value as it stands in the document, cut to a readable length."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = printable(json.dumps(value, ensure_ascii=False))
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    end = '…"' if isinstance(value, str) else "…"
    return text[: _SHOWN_CHARACTERS - len(end)] + end


def _is_short(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) < _SHOWN_CHARACTERS - 2


def printable(text: str) -> str:
    """The text with escapes for what a terminal would obey, and no user or password of a URL."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
        for c in _USER_INFO.sub("…@", text)
    )


def one_of(options: Iterable[str]) -> str:
    *most, last = options
    return f"{', '.join(most)} or {last}" if most else last


def closest(word: str, options: Iterable[str]) -> str | None:
    """The option that is spelt like the word, or begins with it."""
    by_spelling = {option.casefold(): option for option in options}
    begun = [spelt for spelt in by_spelling if len(word) > 2 and spelt.startswith(word.casefold())]
    close = begun or difflib.get_close_matches(word.casefold(), by_spelling, n=1)
    return by_spelling[close[0]] if close else None


def nearest(word: str, options: Iterable[str]) -> str:
    """A hint at the option that is closest to the word."""
    option = closest(word, options)
    return f" (did you mean {option}?)" if option else ""


def _unknown_key(key: str, allowed: Iterable[str]) -> str:
    hint = nearest(key, allowed)
    return f"is not a known key{hint}; allowed is {one_of(allowed)}"
