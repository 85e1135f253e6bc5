"""Why migrations, or Django's checks before them, fail."""

from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.log_rule import EXCEPTION, LogRule, rule
from lightgate.diagnosis.mysql_causes import MYSQL_RULES
from lightgate.diagnosis.symptoms import Remedy

_EXISTS = (
    "The database already has what the migration creates.",
    "Find out what created it (an earlier attempt, another branch, a change by hand). Compare "
    "python manage.py showmigrations with the schema, and correct the one that is wrong",
)
_ROWS = (
    "Rows of the table do not fit the change.",
    "Correct these rows first, by hand or in a migration before this one",
)

# The first rule that fits a line counts.
MIGRATION_RULES: tuple[LogRule, ...] = (
    rule(
        r""".*"pg_(?:type_typname|class_relname)_nsp_index\"""",
        "Two processes created the same table at the same moment.",
        "Let one process alone migrate: take migrate out of the ENTRYPOINT and CMD of the image, "
        "and start the release again",
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    rule(
        r".*lazy reference to '([^']+)', but app '\w+' doesn't provide model",
        "The migrations of the image have no model {0}.",
        "Commit the migration that creates the model, or correct its name, such as in "
        "AUTH_USER_MODEL",
    ),
    rule(
        r".*lazy reference to '([^']+)', but app '\w+' isn't installed",
        "An app is missing in INSTALLED_APPS, or in the dependencies of a migration ({0}).",
        "Add the app to INSTALLED_APPS, or its migration to the dependencies of the migration that "
        "refers to it",
    ),
    rule(
        r".*\(1366, .*Incorrect string value",
        "The character set of the column does not have a character of the text.",
        "Convert the database and its tables: ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4, and "
        'connect with the option charset: "utf8mb4"',
        ends_the_app=False,
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"""(?:.*\b(?:relation|column|constraint|type|schema)\b .* already exists"""
        r"""|.*\((?:1050|1060|1061|1826), |.*(?:table|index) \S+ already exists)""",
        *_EXISTS,
        ends_the_app=False,
    ),
    rule(
        EXCEPTION + r"InconsistentMigrationHistory: ",
        "The recorded migrations contradict the dependencies of the migrations in the image.",
        "Compare python manage.py showmigrations --plan with the table django_migrations: a "
        "migration was renamed, or got a dependency after it was applied",
    ),
    rule(
        EXCEPTION + r"(?:CommandError: )?Conflicting migrations detected",
        "Two migrations of one app follow the same migration.",
        "Merge them with python manage.py makemigrations --merge, commit the new migration",
    ),
    rule(
        r"Migrations for '[^']+':",
        "The models of the image have changes without a migration.",
        "Run python manage.py makemigrations, commit the new migration",
    ),
    rule(
        r"(?:SystemCheckError: |\?: |.*\(\w+\.[EC]\d+\) )",
        "A system check of Django failed.",
        "Run python manage.py check with this image and the app's variables, correct what it names",
    ),
    rule(
        EXCEPTION + r"NodeNotFoundError: ",
        "A migration depends on one that the image does not have.",
        "Commit the missing migration (.gitignore and .dockerignore may leave it out), or install "
        "the version of the package that has it",
    ),
    rule(
        EXCEPTION + r"(?:CircularDependencyError|BadMigrationError|AmbiguityError): ",
        "Django cannot read the migrations of the image.",
        "Correct the migrations that the error names",
    ),
)

# The same words of the running app are about something else.
ROW_RULES: tuple[LogRule, ...] = (
    *MYSQL_RULES,
    rule(
        r".*(?:\(1091, "
        r"|(?:constraint|index) \"[^\"]+\"(?: of relation \"[^\"]+\")? does not exist)",
        "The database does not have what the migration drops.",
        "Compare python manage.py showmigrations with the schema. If an earlier attempt or a "
        "change by hand has dropped it, create it again, or record the migration with "
        "migrate --fake",
        kind=FailureClass.MIGRATION_ERROR,
        remedy=Remedy.EITHER,
    ),
    rule(
        EXCEPTION + r"\w+: (?:column .* contains null values"
        r"|check constraint .* is violated by some row"
        r"|insert or update on table .* violates foreign key"
        r"|value too long for type"
        r"|\((?:1048|1138|1264|1265|1292|1366|1406|1451|1452|1526|1690|3819|4025), )",
        *_ROWS,
        kind=FailureClass.MIGRATION_ERROR,
        remedy=Remedy.EITHER,
    ),
    rule(
        r""".*(?:relation "([^"]+)" does not exist|no such (?:table|column): (\S+)"""
        r"""|column "?([\w.]+)"?(?: of relation "\w+")? does not exist"""
        r"""|\(1146, "Table '([^']+)'|\(1054, "Unknown column '([^']+)')""",
        "The migration needs {0}, which the database does not have.",
        "Compare python manage.py showmigrations with the schema. If the migration that creates "
        "{0} is missing, run makemigrations and commit it; if it comes later, add it to the "
        "dependencies; if Python code of the migration asks for it, use apps.get_model() there",
        kind=FailureClass.MIGRATION_ERROR,
    ),
    rule(
        r".*(?:syntax error at or near|\((?:1064|1235), )",
        "The server does not know a part of the SQL.",
        "If the SQL is the app's own (RunSQL), correct it. Otherwise check the version of the "
        "server: the release notes of Django name the oldest one that it supports",
        remedy=Remedy.EITHER,
    ),
    rule(
        r".*\((?:1071|1709), ",
        "An index is longer than the server allows.",
        "Lower max_length of the fields in the index (191 characters of utf8mb4 have 764 "
        "bytes), or use a newer server",
        remedy=Remedy.EITHER,
    ),
    rule(
        r'.*column "([^"]+)" cannot be cast automatically',
        "PostgreSQL cannot change the type of {0} by itself.",
        "Change it with RunSQL and a USING clause, with the AlterField in state_operations, or "
        "fill a new column",
    ),
    rule(
        r".*(?:operator class \"[^\"]+\" does not exist|has no default operator class)",
        "The index needs an operator class that the database does not have.",
        "Create its extension in a migration before this one, such as with TrigramExtension() or "
        "BtreeGinExtension() of django.contrib.postgres, or name opclasses in the index",
    ),
    rule(
        r".*(?:is of type [\w ]+ but expression is of type|operator does not exist: )",
        "The SQL of the migration compares or stores a value of another type.",
        "Correct the SQL in RunSQL, such as false in the place of 0, or cast the value",
    ),
    rule(
        r".*because it has pending trigger events",
        "The migration changes rows and then their table in one transaction.",
        "Split it: one migration for the rows, and one for the table",
    ),
    rule(
        r".*(?:could not open extension control file|extension \"([^\"]+)\" is not available"
        r"|type \"(geometry|geography|vector|citext|hstore|ltree)\" does not exist)",
        "The database lacks the extension {0}.",
        "Create the extension in the database as its administrator, or use a server that has it",
        remedy=Remedy.EITHER,
    ),
    rule(
        r".*because other objects depend on it",
        "A view, or another object, needs what the migration drops.",
        "Drop this object in the migration first, and create it again after it",
    ),
    rule(
        r".*\((?:1215|3780), |.*errno: 150 ",
        "The foreign key and the column that it names differ in type, collation or engine.",
        "Compare both tables with SHOW CREATE TABLE, and make the columns alike",
        remedy=Remedy.EITHER,
    ),
    rule(
        r".*out of shared memory$|.*\(1206, ",
        "The migration takes more locks than the server allows.",
        "Split the migration, or raise max_locks_per_transaction on PostgreSQL",
        remedy=Remedy.EITHER,
    ),
)
