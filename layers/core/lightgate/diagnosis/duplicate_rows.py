"""Rows that a new unique rule does not allow: their table and columns, and how to find them.

The values of the rows stay in the evidence: they may be personal.
"""

import re
from dataclasses import dataclass

from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.log_rule import LogCause
from lightgate.diagnosis.symptoms import Remedy
from lightgate.gate.gate_report import Failure

_NEW_RULE = re.compile(r'could not create unique index "([^"]+)"')
_NEW_ROW = re.compile(r'duplicate key value violates unique constraint "((?!pg_)[^"]+)"')
# The app can write this line too, and the query is there to copy.
_KEY = re.compile(r"Key \(((?:(?!;|--|/\*).){1,200}?)\)=\(")
_ENTRY = re.compile(r"""\(1062, ["']+Duplicate entry .* for key \\?'(?:([\w$]+)\.)?([^'\\]+)""")
# How Django ends the name of a unique rule: a hash of eight digits.
_ENDING = r"_[0-9a-f]{8}_uniq"


def duplicate_rows(failure: Failure) -> LogCause | None:
    """The cause, if a migration failed because rows have the same values."""
    error = failure.error
    keys = [found[1] for line in (error, *failure.last_lines) if (found := _KEY.search(line))]
    columns = keys[0] if keys else None
    if found := _NEW_ROW.search(error):
        return _written_twice(failure, found[1], columns)
    if found := _NEW_RULE.search(error):
        return _same_rows(failure, _Rule(found[1], _table(found[1], columns), columns, '"'))
    if found := _ENTRY.search(error):
        table, key = found[1], found[2]
        return _same_rows(failure, _Rule(key, table, _column(key, table), "`"))
    return None


@dataclass(frozen=True, slots=True)
class _Rule:
    """A unique rule, with what of it is known, and the mark of a quoted name."""

    name: str
    table: str | None
    columns: str | None
    mark: str


def _table(index: str, columns: str | None) -> str | None:
    """The table that Django, or PostgreSQL, has named the index after."""
    if columns is None:
        return None
    joined = re.escape(columns.replace(", ", "_").replace('"', ""))
    found = re.fullmatch(rf"(.+)_{joined}(?:_key|{_ENDING})", index)
    return found and found[1]


def _column(key: str, table: str | None) -> str | None:
    """The column that the key is named after, if it is certain that it is one."""
    if table is None:
        return None
    found = re.fullmatch(rf"{re.escape(table)}_([^\W_]+){_ENDING}", key)
    return found[1] if found else None if "_" in key else key


def _same_rows(failure: Failure, rule: _Rule) -> LogCause:
    columns = rule.columns.replace('"', "").split(", ") if rule.columns else []
    guessed = None
    if failure.model and not rule.table:
        guessed = f"{(failure.migration or '').partition('.')[0]}_{failure.model}"
    table = rule.table or guessed
    rows = f"Rows of {table or 'a table'} have the same "
    if new := [one for one in columns if one.removesuffix("_id") in failure.added_fields]:
        return _cause(
            f"{rows}{', '.join(new)}: the migration gives each of them the same value.",
            f"Add {', '.join(new)} with null=True and without the unique rule, give each row a "
            "value of its own in a second migration, and add the unique rule in a third",
            failure.error,
        )
    about = f", which the unique rule {rule.name} does not allow" if columns else ""
    return _cause(
        f"{rows}{rule.columns or f'values in the columns of {rule.name}'}{about}.",
        f"Find these rows with {_query(failure, rule, table, guessed)}, and correct them by hand "
        "or in a migration before this one",
        failure.error,
    )


def _query(failure: Failure, rule: _Rule, table: str | None, guessed: str | None) -> str:
    quoted = f"{rule.mark}{table}{rule.mark}" if table else "TABLE"
    columns = rule.columns or "COLUMNS"
    query = f"SELECT {columns}, count(*) FROM {quoted} GROUP BY {columns} HAVING count(*) > 1"  # noqa: S608 - to copy
    app, _, name = (failure.migration or "").partition(".")
    unknown = [word for word in ("TABLE", "COLUMNS") if word in (quoted, columns)]
    shows = f"python manage.py sqlmigrate {app} {name} shows {' and '.join(unknown)}"
    if_guessed = f"unless the model {failure.model} has another db_table"
    said = "; ".join([if_guessed] * bool(guessed) + [shows] * bool(unknown))
    return f"{query} ({said})" if said else query


def _written_twice(failure: Failure, name: str, columns: str | None) -> LogCause:
    table, is_key = name.removesuffix("_pkey"), name.endswith("_pkey")
    what = f"The migration writes a row whose {columns or 'key'} another row has already ({name})."
    skip = "Let the migration skip or change such rows (get_or_create, ignore_conflicts)"
    app = (failure.migration or "").partition(".")[0]
    reset = (
        f". If the rows of {table} came from an import, their sequence may be behind: run the SQL "
        f"that python manage.py sqlsequencereset {app} prints"
    )
    return _cause(what, skip + reset * is_key, failure.error)


def _cause(what: str, action: str, line: str) -> LogCause:
    return LogCause(
        what=what,
        action=action,
        line=line,
        rank=0,
        kind=FailureClass.MIGRATION_ERROR,
        remedy=Remedy.EITHER,
    )
