"""Migrations that fail on MySQL and MariaDB: each error has its own cause and advice."""

import pytest

from tests.unit.diagnosis.test_gate_failure import of_gate

SAID = {
    "(1846, 'ALGORITHM=INPLACE is not supported. Reason: Cannot change column type INPLACE."
    " Try ALGORITHM=COPY')": ("ALGORITHM or LOCK", "Remove them"),
    "(1845, 'ALGORITHM=INSTANT is not supported for this operation.')": (
        "ALGORITHM or LOCK",
        "Remove them",
    ),
    "(1846, 'LOCK=NONE is not supported. Reason: Fulltext index creation requires a lock.')": (
        "ALGORITHM or LOCK",
        "Remove them",
    ),
    '(1267, "Illegal mix of collations (utf8mb4_general_ci,IMPLICIT) and (utf8mb4_unicode_ci,'
    "IMPLICIT) for operation '='\")": ("different collations", "CONVERT TO"),
    "(1273, \"Unknown collation: 'utf8mb4_0900_ai_ci'\")": ("the collation", "SHOW COLLATION"),
    "(1253, \"COLLATION 'utf8mb4_bin' is not valid for CHARACTER SET 'latin1'\")": (
        "the collation",
        "SHOW COLLATION",
    ),
    "(1118, 'Row size too large. The maximum row size for the used table type is 65535.')": (
        "too long a row",
        "TextField",
    ),
    "(1292, \"Incorrect datetime value: '0000-00-00 00:00:00' for column `x`.`y`.`z`\")": (
        "do not fit",
        "Correct these rows",
    ),
    "(1366, \"Incorrect integer value: 'a' for column `x`.`y`.`z` at row 1\")": (
        "do not fit",
        "Correct these rows",
    ),
    "(1690, 'BIGINT UNSIGNED value is out of range')": ("do not fit", "Correct these rows"),
    "(1451, 'Cannot delete or update a parent row: a foreign key constraint fails')": (
        "do not fit",
        "Correct these rows",
    ),
    "(1364, \"Field 'slug' doesn't have a default value\")": ("slug", "db_default"),
    "(1101, \"BLOB, TEXT, GEOMETRY or JSON column 'x' can't have a default value\")": (
        "no such default",
        "db_default",
    ),
    "(1067, \"Invalid default value for 'x'\")": ("no such default", "db_default"),
    "(1170, \"BLOB/TEXT column 'name' used in key specification without a key length\")": (
        "index of name",
        "CharField",
    ),
    "(1553, \"Cannot drop index 'x': needed in a foreign key constraint\")": (
        "A foreign key",
        "Drop the foreign key",
    ),
    "(1833, \"Cannot change column 'id': used in a foreign key constraint 'fk' of table 't'\")": (
        "A foreign key",
        "Drop the foreign key",
    ),
    '(1091, "Can\'t DROP COLUMN `x`; check that it exists")': (
        "does not have what the migration drops",
        "showmigrations",
    ),
    "(1799, \"Creating index 'x' required more than 'innodb_online_alter_log_max_size' bytes\")": (
        "written too much",
        "innodb_online_alter_log_max_size",
    ),
    "(1153, \"Got a packet bigger than 'max_allowed_packet' bytes\")": (
        "longer than the server accepts",
        "max_allowed_packet",
    ),
    "(1059, \"Identifier name 'aaa' is too long\")": ("name", "64 characters"),
    "(1235, \"This version of MariaDB doesn't yet support 'x'\")": (
        "does not know a part of the SQL",
        "version",
    ),
}


@pytest.mark.parametrize(("said", "expected"), SAID.items(), ids=[one[1:5] for one in SAID])
def test_an_error_of_mysql_has_its_cause_and_advice(said: str, expected: tuple[str, str]) -> None:
    found = of_gate(cause="exit", error=f"django.db.utils.OperationalError: {said}")

    assert expected[0] in found.what
    assert expected[1] in found.next_action


def test_ddl_within_a_transaction_is_explained_on_mysql() -> None:
    said = (
        "django.db.transaction.TransactionManagementError: Executing DDL statements while in a "
        "transaction on databases that can't perform a rollback is prohibited."
    )
    found = of_gate(cause="exit", error=said)

    assert "within a transaction" in found.what
    assert "atomic = False" in found.next_action


@pytest.mark.parametrize(
    "said",
    ['constraint "one" of relation "crops_crop" does not exist', 'index "by_x" does not exist'],
)
def test_what_a_migration_drops_in_vain_is_named_on_postgresql(said: str) -> None:
    found = of_gate(cause="exit", error=f"psycopg.errors.UndefinedObject: {said}")

    assert "does not have what the migration drops" in found.what
