"""What the classes say of indexes and defaults is what PostgreSQL does."""

import random
import string
from typing import Any

import psycopg
import pytest

from tests.gate.projects import Rows

WORDS = random.Random(7)  # noqa: S311 - text that does not compress
LONG = "".join(WORDS.choice(string.ascii_letters) for _ in range(20_000))
MEMBERS = " ".join(LONG[n : n + 40] for n in range(0, 20_000, 40))


@pytest.mark.parametrize(
    ("column", "index", "value", "refused"),
    [
        ("text", "btree (it)", LONG, True),
        ("text[]", "gin (it)", "{" + LONG + "}", True),
        ("text[]", "gin (it)", "{" + LONG[:650] + "}", False),
        ("jsonb", "gin (it)", f'{{"{LONG}": "{LONG}"}}', False),
        ("tsvector", "gin (it)", MEMBERS, False),
        ("tsvector", "gist (it)", MEMBERS, False),
        ("text", "brin (it)", LONG, True),
        ("text", "hash (it)", LONG, False),
        ("text", "spgist (it)", LONG, False),
        ("text", "spgist (it) include (it)", LONG, True),
    ],
)
def test_a_value_that_is_too_long_for_an_index_is_refused(
    rows: Rows, column: str, index: str, value: str, refused: bool
) -> None:
    rows(f"create table crop (it {column}); create index on crop using {index}")
    rows("insert into crop values (null)")
    write = f"insert into crop values ('{value}')"  # noqa: S608
    if refused:
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            rows(write)
    else:
        rows(write)


@pytest.mark.parametrize(
    ("column", "error"),
    [
        ("integer not null default null", psycopg.errors.NotNullViolation),
        ("integer default -5 check (it >= 0)", psycopg.errors.CheckViolation),
    ],
)
def test_a_default_that_the_column_refuses_breaks_the_insert_of_old_code(
    rows: Rows, column: str, error: Any
) -> None:
    rows(f"create table crop (name text); alter table crop add column it {column}")
    with pytest.raises(error):
        rows("insert into crop (name) values ('beet')")
