"""The fields of log lines: a field that Python's own log record has raises instead of logging."""

import ast
import logging
from pathlib import Path

ROOT = Path(__file__).parents[3]
_RECORD = logging.LogRecord("", logging.INFO, "", 0, "", None, None)
TAKEN = {*vars(_RECORD), "message", "asctime"}
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
PARAMETERS = {"exc_info", "stack_info", "stacklevel", "extra"}
SOURCES = sorted(path for top in ("layers", "functions") for path in (ROOT / top).rglob("*.py"))


def logged(source: str) -> set[str]:
    """The fields that the calls of a logger give to their lines."""
    return {
        field.arg
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and ast.unparse(node.func.value).lower().endswith("logger")
        for field in node.keywords
        if field.arg is not None
    } - PARAMETERS


def test_no_line_takes_a_field_of_pythons_own() -> None:
    fields = {str(path.relative_to(ROOT)): logged(path.read_text()) & TAKEN for path in SOURCES}

    assert {path: taken for path, taken in fields.items() if taken} == {}


def test_the_fields_are_found() -> None:
    assert logged("runtime.logger.warning('gone', name=1, left=2, exc_info=True)") == {
        "name",
        "left",
    }
