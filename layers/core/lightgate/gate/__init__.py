"""The programs that travel with a deployment and run inside the user's own image.

They are sent as source text (`python3 -I -S -c SOURCE CONFIG COMMAND ...`), so nothing here imports
them; each file stands alone and runs on any Python from 3.8 on.
"""

import ast
from importlib.resources import files


def supervisor_source() -> str:
    """For a container that others wait for: runs its command and tells them how it went."""
    return _for_travel("supervisor.py")


def waiter_source() -> str:
    """For a container that only waits: becomes its command when the others have got there."""
    return _for_travel("waiter.py")


def carrier_source() -> str:
    """For the one container that brings the programs for all, where there are many."""
    return _for_travel("carrier.py")


def loader_source() -> str:
    """For the others then: gets its program from the carrier and becomes it."""
    return _for_travel("loader.py")


def _for_travel(file: str) -> str:
    """The lines of the program without docstrings, comment lines and most of the indentation.

    A deployment request has little room. Lines are left out or moved, never rewritten: what runs
    is what stands in the file (`ast.unparse` would write f-strings that only Python 3.12 reads).
    """
    text = files(__name__).joinpath(file).read_text(encoding="ascii")
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and len(node.body) > 1:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines[first.lineno - 1 : first.end_lineno] = [""] * _height(first)
    code = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return "".join(_indentation(line) + line.lstrip() + "\n" for line in code)


def _height(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _indentation(line: str) -> str:
    return " " * ((len(line) - len(line.lstrip())) // 4)
