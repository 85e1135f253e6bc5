"""The variables of a rehearsal lead to the copy, and to nothing but the copy."""

import pytest

from lightgate.errors import RefusedError
from lightgate.rehearsal.copied_database import Address, on_the_copy

ORIGINAL = Address(host="crops-db.abc.rds.amazonaws.com", port=5432)
COPY = Address(host="copy.abc.rds.amazonaws.com", port=5432)
ELSEWHERE = Address(host="127.0.0.1", port=61000)


@pytest.mark.parametrize(
    ("value", "copy", "expected"),
    [
        (
            "postgres://u:p%40ss@crops-db.abc.rds.amazonaws.com:5432/c?sslmode=require",
            COPY,
            "postgres://u:p%40ss@copy.abc.rds.amazonaws.com:5432/c?sslmode=require",
        ),
        (
            "postgres://u:p@crops-db.abc.rds.amazonaws.com/c",
            COPY,
            "postgres://u:p@copy.abc.rds.amazonaws.com/c",
        ),
        ("mysql://u:p@db/c", ELSEWHERE, "mysql://u:p@127.0.0.1:61000/c"),
        ("postgres://u:a@b@db:5432/c", COPY, "postgres://u:a@b@copy.abc.rds.amazonaws.com:5432/c"),
        ("crops-db.abc.rds.amazonaws.com", COPY, "copy.abc.rds.amazonaws.com"),
        ("db.internal:6432", ELSEWHERE, "127.0.0.1:61000"),
    ],
)
def test_the_address_of_the_copy_takes_the_place_of_the_host_and_of_its_port(
    value: str, copy: Address, expected: str
) -> None:
    given = {"DATABASE_URL": value, "DEBUG": "0"}

    found = on_the_copy(given, "DATABASE_URL", ORIGINAL, copy)

    assert found == {"DATABASE_URL": expected, "DEBUG": "0"}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "/var/run/postgresql",
        "postgres:///crops",
        "postgres://u:hunter2@[/c",
        "host=db password=hunter2",
        "postgres://u:hunter2@one,two/c",
        "postgres://u:hunter2@db:port/c",
    ],
)
def test_a_value_without_one_host_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(RefusedError) as caught:
        on_the_copy({"DATABASE_URL": value}, "DATABASE_URL", ORIGINAL, COPY)

    assert "holds neither a URL with a host, nor a host" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("other", ["db.internal", "CROPS-DB.ABC.RDS.AMAZONAWS.COM"])
def test_no_other_variable_may_name_the_database_of_the_app(other: str) -> None:
    given = {"DATABASE_URL": "postgres://u:p@db.internal/c", "REPLICA": f"pg://u:hunter2@{other}/c"}

    with pytest.raises(RefusedError) as caught:
        on_the_copy(given, "DATABASE_URL", ORIGINAL, COPY)

    assert "REPLICA names the host of the app's own database as well" in str(caught.value)
    assert "hunter2" not in str(caught.value)
