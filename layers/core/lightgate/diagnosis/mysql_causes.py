"""Why migrations fail on MySQL and MariaDB alone, by the numbers of their errors."""

from typing import Any

from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.log_rule import LogRule, rule
from lightgate.diagnosis.symptoms import Remedy


def _numbered(numbers: str, what: str, action: str, **more: Any) -> LogRule:  # noqa: ANN401 - the fields of a cause
    return rule(rf".*\((?:{numbers}), ", what, action, kind=FailureClass.MIGRATION_ERROR, **more)


MYSQL_RULES: tuple[LogRule, ...] = (
    _numbered(
        "1845|1846",
        "The server cannot make this change with the ALGORITHM or LOCK that the SQL demands.",
        "Remove them from RunSQL, or take those that the error names. The change may then block "
        "writes to the table while it runs",
    ),
    _numbered(
        "1267|1271",
        "The SQL compares texts with different collations.",
        "Give the columns the same collation (ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4 "
        "COLLATE …), or write COLLATE into the SQL",
        remedy=Remedy.EITHER,
    ),
    _numbered(
        "1115|1253|1273",
        "The server does not know the collation or the character set, or they do not fit each "
        "other.",
        "Name one that SHOW COLLATION lists on this server: utf8mb4_0900_ai_ci is MySQL's alone, "
        "and utf8mb4_uca1400_ai_ci MariaDB's",
    ),
    _numbered(
        "1118",
        "The columns make too long a row.",
        "Change long CharFields to TextField, which is stored outside the row, or lower their "
        "max_length",
    ),
    rule(
        r".*\(1364, .*Field '([^']+)'",
        "The migration inserts a row without {0}, and this column has no default.",
        "Set {0} where the migration inserts the row, or give the field db_default",
        kind=FailureClass.MIGRATION_ERROR,
    ),
    _numbered(
        "1067|1101",
        "The server allows no such default for this column.",
        "Remove db_default from the field, or take another value: TEXT, BLOB and JSON take only an "
        "expression, and strict mode refuses the date 0000-00-00",
    ),
    rule(
        r".*\(1170, .*column '([^']+)'",
        "The server makes no index of {0}, which is a TEXT or BLOB, without a length.",
        "Change the field to a CharField with max_length, or remove unique=True and db_index=True",
    ),
    _numbered(
        "1553|1832|1833|1834",
        "A foreign key needs what the migration changes or drops.",
        "Drop the foreign key in the migration first, and create it again after the change",
    ),
    _numbered(
        "1799",
        "The app has written too much to the table while the index was created.",
        "Release at a time with fewer writes, or raise innodb_online_alter_log_max_size",
        remedy=Remedy.EITHER,
    ),
    _numbered(
        "1153",
        "A statement of the migration is longer than the server accepts.",
        "Change fewer rows at once (batch_size), or raise max_allowed_packet",
        remedy=Remedy.EITHER,
    ),
    _numbered(
        "1059",
        "A name in the migration is longer than the server allows.",
        "Shorten it to at most 64 characters",
    ),
    rule(
        r".*TransactionManagementError: Executing DDL statements while in a transaction",
        "The migration changes the schema within a transaction, which MySQL and MariaDB cannot "
        "undo.",
        "Write the change as an operation of its own, or set atomic = False in the migration",
        kind=FailureClass.MIGRATION_ERROR,
    ),
)
