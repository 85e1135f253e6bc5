"""What is told of operations that block a large table, and of open transactions."""

from typing import Any

import pytest

from lightgate.migrations.blocking import read_blocking, read_transactions

INDEX = ["crops.0002_name", "AddIndex Crop", "index", False, "crops_crop", 1_200_000, 210_000_000]
TRANSACTION = {
    "pid": 7,
    "application": "psql",
    "seconds": 300,
    "tables": "crops_crop",
    "query": "select\n  1",
}


def test_an_operation_is_told_with_the_size_of_its_table_and_another_way() -> None:
    [found] = read_blocking({"blocking": [INDEX]})

    assert str(found) == (
        "crops.0002_name: AddIndex Crop blocks writes of the table crops_crop (about 1,200,000 "
        "rows, 210.0 MB) while it builds the index. Use AddIndexConcurrently (of "
        "django.contrib.postgres) in a migration of its own with atomic = False; a new field gets "
        "db_index=False for that."
    )


def test_an_open_transaction_is_told_with_its_statement() -> None:
    [found] = read_transactions({"transactions": [TRANSACTION]})

    assert str(found) == (
        'Session 7 ("psql") has a transaction open for 300 s, whose locks of crops_crop may keep '
        "a migration waiting, and every query behind it. Its last statement: select 1"
    )


@pytest.mark.parametrize(
    "told",
    [
        None,
        5,
        {},
        ["x"],
        [[]],
        [INDEX[:6]],
        [[*INDEX[:2], "magic", *INDEX[3:]]],
        [[*INDEX[:5], -1, 0]],
    ],
)
def test_what_is_no_blocked_table_is_left_out(told: Any) -> None:
    assert read_blocking({"blocking": told}) == ()


@pytest.mark.parametrize("told", [None, 5, ["x"], [{}], [{"pid": "7", "seconds": 1}]])
def test_what_is_no_transaction_is_left_out(told: Any) -> None:
    assert read_transactions({"transactions": told}) == ()
