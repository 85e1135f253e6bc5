"""The programs that travel with a deployment and run inside the user's own image.

They are sent as source text (`python3 -I -S -c SOURCE CONFIG COMMAND ...`), so nothing here imports
them; each file stands alone and runs on any Python from 3.8 on. The source of the Django helper
stands between CONFIG and COMMAND when, and only when, CONFIG has the key `django`; after it comes
that of the courier, when CONFIG has `mailbox`.
"""

import ast
import builtins
import io
import keyword
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.resources import files
from string import ascii_lowercase
from typing import Any

_FOR_CHECKERS = ("if TYPE_CHECKING:", "TYPE_CHECKING = ", "from __future__ ")
_COMPOUND = ("if", "elif", "else", "while", "for", "try", "except", "finally", "with", "def",
             "class", "@")  # fmt: skip
# Variables, and members of them, that hold objects of the programs' own classes and no others.
_OURS = ("self", "gate", "child", "helper", "courier", "failure", "plan", "supervisor", "shut")
_BETWEEN_WORDS = (tokenize.NAME, tokenize.NUMBER, tokenize.STRING, tokenize.FSTRING_START)


def supervisor_source() -> str:
    """For a container that others wait for: runs its command and tells them how it went."""
    return _for_travel("supervisor.py")


def waiter_source() -> str:
    """For a container that only waits: becomes its command when the others have got there."""
    return _for_travel("waiter.py")


def django_helper_source() -> str:
    """For the supervisor of a Django app: reads the plan, and keeps the lock."""
    return _for_travel("django_helper.py")


def courier_source() -> str:
    """For the supervisor of a release with a mailbox: brings letters, asks for the permit."""
    return _for_travel("courier.py")


def carrier_source() -> str:
    """For the one container that brings the programs for all, where there are many."""
    return _for_travel("carrier.py")


def loader_source() -> str:
    """For the others then: gets its program from the carrier and becomes it."""
    return _for_travel("loader.py")


def _for_travel(file: str) -> str:
    """The program without what only its readers need.

    A deployment request has little room. Docstrings, comments, annotations and blanks are left
    out, and the program's own names are short; everything else runs as it stands in the file.
    (`ast.unparse` would write f-strings that only Python 3.12 reads.)
    """
    text = files(__name__).joinpath(file).read_text(encoding="ascii")
    for shorten in (
        *(_without_docstrings, _without_annotations),
        *(_with_short_globals, _with_short_members, _with_short_names),
        _without_blanks,
    ):
        text = shorten(text)
    return text


def _without_docstrings(text: str) -> str:
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                only = [" " * first.col_offset + "pass"] if len(node.body) == 1 else [""]
                lines[first.lineno - 1 : first.end_lineno] = [*only, *[""] * _more_lines(first)]
    return "\n".join(lines)


def _more_lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno


type _Edit = tuple[int, int, str]


def _without_annotations(text: str) -> str:
    """Cut them out; also the block in which only type checkers import what they need."""
    tree, place = ast.parse(text), _places(text)
    edits: list[_Edit] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation:
            edits.append((place(node)[0] + len(node.arg), place(node.annotation)[1], ""))
        elif isinstance(node, ast.FunctionDef) and node.returns:
            begin, end = place(node.returns)
            edits.append((text.rindex(" ->", 0, begin), end, ""))
        elif isinstance(node, ast.AnnAssign) and node.value:
            edits.append((place(node.target)[1], place(node.annotation)[1], ""))
    for statement in tree.body:
        if text.startswith(_FOR_CHECKERS, place(statement)[0]):
            edits.append((*place(statement), ""))
    return _edited(text, edits)


def _with_short_globals(text: str) -> str:
    """Rename what the program defines outside of classes and functions."""
    tree, place = ast.parse(text), _places(text)
    nodes = list(ast.walk(tree))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    elsewhere = {node.arg for node in nodes if isinstance(node, ast.keyword | ast.arg)}
    elsewhere |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    elsewhere |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)} - {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }
    of_classes = {name for node in _classes(tree) for name in _assigned(node.body)}
    defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    ours = (defined | _assigned(tree.body)) - elsewhere - of_classes - set(dir(builtins))
    short = _shortest(ours, Counter(n.id for n in names), str.upper, {n.id for n in names})
    renamed = [(*place(name), short[name.id]) for name in names if name.id in short]
    return _edited(text, [*renamed, *_definitions(text, tree.body, short)])


def _with_short_members(text: str) -> str:
    """Rename what the program's classes define, if no other object could be meant by it."""
    tree, place = ast.parse(text), _places(text)
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    bodies = [statement for node in _classes(tree) for statement in node.body]
    ours = {node.name for node in bodies if isinstance(node, ast.FunctionDef)}
    ours |= {node.attr for node in used if isinstance(node.ctx, ast.Store)}
    ours -= {node.attr for node in used if not _is_ours(node.value)} | _assigned(bodies)
    ours = {name for name in ours if not name.startswith("__")}
    short = _shortest(ours, Counter(node.attr for node in used), str, {n.attr for n in used})
    edits = _definitions(text, bodies, short)
    for node in used:
        if node.attr in short:
            end = place(node)[1]
            edits.append((end - len(node.attr), end, short[node.attr]))
    return _edited(text, edits)


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in tree.body if isinstance(node, ast.ClassDef)]


def _assigned(body: list[ast.stmt]) -> set[str]:
    targets = [target for s in body if isinstance(s, ast.Assign) for target in s.targets]
    targets += [s.target for s in body if isinstance(s, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _is_ours(owner: ast.expr) -> bool:
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return name in _OURS


def _shortest(
    names: set[str], uses: Counter[str], style: Callable[[str], str], taken: set[str]
) -> dict[str, str]:
    """The shortest free names, to those that are used most."""
    free = (n for n in map(style, _short_names()) if n not in {*taken, *keyword.kwlist})
    return {name: next(free) for name in sorted(names, key=lambda n: (-uses[n], n))}


def _definitions(text: str, body: list[ast.stmt], short: dict[str, str]) -> list[_Edit]:
    """The edits that rename functions and classes where they are defined."""
    place = _places(text)
    edits: list[_Edit] = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in short:
            begin = text.index(node.name, place(node)[0])
            edits.append((begin, begin + len(node.name), short[node.name]))
    return edits


def _with_short_names(text: str) -> str:
    """Rename what is local to one function and cannot be meant by anything outside of it."""
    tree, place = ast.parse(text), _places(text)
    named = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    outside = {*dir(builtins), *keyword.kwlist, *_module_names(tree)}
    edits: list[_Edit] = []
    for function in _outermost_functions(tree):
        nodes = list(ast.walk(function))
        used = [node for node in nodes if isinstance(node, ast.Name)]
        arguments = [node for node in nodes if isinstance(node, ast.arg)]
        handlers = [node for node in nodes if isinstance(node, ast.ExceptHandler) and node.name]
        inner = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        local = {node.id for node in used if not isinstance(node.ctx, ast.Load)}
        local |= {node.name or "" for node in handlers} | {node.arg for node in arguments}
        local -= outside | inner | (named & {node.arg for node in arguments})
        free = (n for n in _short_names() if n not in outside | inner | {u.id for u in used})
        by_use = Counter([*(n.id for n in used), *(a.arg for a in arguments)])
        short = {name: next(free) for name in sorted(local, key=lambda n: (-by_use[n], n))}
        for name in used:
            edits.append((*place(name), short.get(name.id, name.id)))
        for argument in arguments:
            edits.append((*place(argument), short.get(argument.arg, argument.arg)))
        for handler in handlers:
            if handler.type and handler.name in short:
                begin = text.index(" as ", place(handler.type)[1]) + len(" as ")
                edits.append((begin, begin + len(handler.name), short[handler.name]))
    return _edited(text, edits)


def _module_names(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            yield statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in statement.names)
        else:
            yield from (node.id for node in ast.walk(statement) if isinstance(node, ast.Name))


def _outermost_functions(node: ast.AST) -> Iterator[ast.FunctionDef]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield child
        elif isinstance(child, ast.ClassDef):
            yield from _outermost_functions(child)


def _short_names() -> Iterator[str]:
    for first in ["", *ascii_lowercase]:
        for last in ascii_lowercase:
            yield first + last


def _places(text: str) -> Callable[[ast.AST], tuple[int, int]]:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)

    def place(node: Any) -> tuple[int, int]:  # noqa: ANN401 - whatever has a place
        begin = starts[node.lineno - 1] + node.col_offset
        return begin, starts[node.end_lineno - 1] + node.end_col_offset

    return place


def _edited(text: str, edits: list[_Edit]) -> str:
    for begin, end, instead in sorted(edits, reverse=True):
        text = text[:begin] + instead + text[end:]
    return text


def _without_blanks(text: str) -> str:
    """One blank a level, none within a line, and a line for what may share it."""
    lines: list[tuple[int, str]] = [(0, "")]
    depth, last = 0, tokenize.NEWLINE
    for kind, word in _tokens(text):
        if kind in (tokenize.INDENT, tokenize.DEDENT):
            depth += 1 if kind == tokenize.INDENT else -1
        elif kind == tokenize.NEWLINE:
            last = kind
        elif kind not in (tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER):
            above, line = lines[-1]
            if last == tokenize.NEWLINE:
                follows = above == depth and not {word, _first_word(line)}.intersection(_COMPOUND)
                if follows and line:
                    lines[-1] = (depth, f"{line};{word}")
                else:
                    lines.append((depth, word))
            else:
                gap = " " if last in _BETWEEN_WORDS and kind in _BETWEEN_WORDS else ""
                lines[-1] = (above, line + gap + word)
            last = kind
    for index in range(len(lines) - 2, 0, -1):
        (above, head), (depth, body) = lines[index], lines[index + 1]
        below = lines[index + 2][0] if index + 2 < len(lines) else 0
        if head[-1:] == ":" and depth > above >= below and _first_word(body) not in _COMPOUND:
            lines[index : index + 2] = [(above, head + body)]
    return "".join(" " * depth + line + "\n" for depth, line in lines if line)


def _first_word(line: str) -> str:
    return "@" if line[:1] == "@" else re.split(r"\W", line, maxsplit=1)[0]


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """The tokens of a program, each f-string as one, and strings in the quotes that JSON spares."""
    lines = text.split("\n")
    begin, nested = (0, 0), 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.FSTRING_START:
            begin, nested = (begin if nested else token.start), nested + 1
        elif token.type == tokenize.FSTRING_END:
            nested -= 1
            if nested == 0:
                (first, left), (end, right) = begin, token.end
                whole = [*lines[first - 1 : end - 1], lines[end - 1][:right]]
                yield tokenize.STRING, "\n".join([whole[0][left:], *whole[1:]])
        elif nested == 0:
            yield token.type, _in_single_quotes(token.string)


def _in_single_quotes(word: str) -> str:
    inner = word[1:-1]
    is_plain = word[:1] == word[-1:] == '"' and not set(inner) & set("\"'\\\n")
    return f"'{inner}'" if is_plain and len(word) > 1 else word
