"""A case on a real server: old models with rows, a plan, and old code before and after it."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, migrations, models, transaction
from django.db.migrations import Migration
from django.db.migrations.state import ProjectState
from django.db.models import functions
from django.db.models.deletion import ProtectedError, RestrictedError
from django.db.models.fields.files import FieldFile
from django.db.models.fields.json import KeyTextTransform

from tests.compatibility_fuzz.changes import bare_clone
from tests.compatibility_fuzz.fields import digits, lexemes, long, wide
from tests.compatibility_fuzz.old_models import Step
from tests.compatibility_fuzz.statements import INSERT, SELECT, Statement
from tests.compatibility_fuzz.verdicts import Claim, Symptom, claim_of

VALUES: dict[str, Any] = {
    **{name: getattr(functions, name) for name in functions.__all__},
    **{
        name: getattr(models, name)
        for name in (
            "Avg", "CharField", "Count", "DateField", "DecimalField", "Exists", "ExpressionWrapper",
            "F", "Func", "IntegerField", "Max", "OuterRef", "Q", "Sum", "TextField", "Value",
        )
    },
    "KeyTextTransform": KeyTextTransform,
    **{one.__name__: one for one in (date, datetime, time, timedelta, Decimal, UUID)},
    **{one.__name__: one for one in (long, wide, digits, lexemes)},
    "UTC": UTC,
}  # fmt: skip

_SAVEPOINT = "old_code"
_UNDO = f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}"
_CHECK = "SET CONSTRAINTS ALL IMMEDIATE; " if connection.vendor == "postgresql" else ""


class ArrayPosition(models.Func):
    """A function of PostgreSQL that Django has none for."""

    function = "array_position"
    output_field = models.IntegerField()


READS_NULL = "reads NULL"

type Plan = Sequence[Step] | Migration
"""Operations, or a migration of a project."""


@dataclass(frozen=True)
class Case:
    """What is needed to see a plan break old code, or not."""

    setup: tuple[Step, ...]
    rows: tuple[Statement, ...]
    statements: tuple[Statement, ...]
    plan: tuple[Step, ...] = ()
    writes: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Outcome:
    claim: Claim
    symptoms: tuple[Symptom, ...] = ()
    problem: str = ""
    """Why the plan was not compared: it does not apply."""
    compared: int = 0
    written: int = 0


class SetupRefusedError(Exception):
    """The server or Django does not take an operation of the setup."""

    def __init__(self, number: int, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.number = number


class OtherResultError(Exception):
    """Old code ran without an error, and the result is wrong."""


class MissingRowError(OtherResultError):
    """An insert that ignores conflicts has left no row: a row of new code may be in its way."""


class _UndoError(Exception):
    pass


@dataclass(frozen=True)
class Result:
    value: Any = None
    error: str = ""
    text: str = ""
    constraint: str = ""
    sql: tuple[str, ...] = ()
    """What it sent to the database: of what the database refused, only that."""
    by_rows: bool = False
    """Django refuses it because of rows that old code knows."""
    is_data: bool = False
    """A value does not fit a function or an operator."""


@contextlib.contextmanager
def undone() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
            raise _UndoError
    except _UndoError:
        pass


@dataclass
class World:
    """Old models in the database, with rows, and what old code can do with them."""

    case: Case
    state: ProjectState = field(default_factory=ProjectState)
    """The state before the setup: models whose tables are in the database already."""
    foremost: frozenset[str] = frozenset()
    """The models that statements mean by their name, if others have the same one."""
    before: dict[Statement, Any] = field(init=False, default_factory=dict)
    is_fresh: bool = field(init=False, default=False)
    refused: set[tuple[str, str]] = field(init=False, default_factory=set)
    """The models and errors of the rows that the database did not take."""

    def __post_init__(self) -> None:
        for number, (app, operation) in enumerate(self.case.setup):
            try:
                operation.state_forwards(app, self.state)
            except Exception as error:
                raise SetupRefusedError(number, error) from error
        self.base = bare_clone(self.state)  # plans begin here, so that old classes stay as they are
        self.apps = self.state.apps
        self.rows: dict[str, Any] = {}
        self.sql: list[str] = []
        """What the statement that was tried last has sent to the database."""
        self.names = {**VALUES, **postgresql_values(), **self.helpers()}
        self.names |= self.named(self.apps)
        self.fields = {
            one._meta.label_lower: [f.attname for f in one._meta.concrete_fields]
            for one in self.apps.get_models()
        }
        self.compiled: dict[Statement, Any] = {}

    def named(self, apps: Any) -> dict[str, Any]:
        found = sorted(apps.get_models(), key=lambda one: one._meta.label_lower in self.foremost)
        for one in found:
            if not hasattr(one, "objects"):  # its managers have other names
                one.add_to_class("objects", models.Manager())
        return {one.__name__: one for one in found}

    @contextlib.contextmanager
    def standing(self) -> Iterator[None]:
        """The models and rows are in the database until the block ends."""
        if connection.features.can_rollback_ddl:
            with undone():
                self.create()
                self.compare_before()
                yield
        else:
            try:
                self.create()
                self.compare_before()
                yield
            finally:
                drop_everything()

    def create(self) -> None:
        try:
            with schema_editor() as editor:
                for app, operation in self.case.setup:
                    if isinstance(operation, migrations.CreateModel):
                        model = self.apps.get_model(app, operation.name)
                        if model._meta.managed and not model._meta.proxy:
                            editor.create_model(model)
        except Exception:  # noqa: BLE001 - found again, one by one
            self.create_one_by_one()
        for row in self.case.rows:
            self.write_row(row, self.names, self.fields)
        check_constraints()
        self.without_rows = [
            (model._meta.app_label, model._meta.model_name)
            for model in self.apps.get_models()
            if model._meta.managed and not model.objects.exists()
        ]
        with connection.cursor() as cursor:
            self.tables = connection.introspection.table_names(cursor, True)
            self.constraints = constraint_names(cursor)
        self.is_fresh = True

    def create_one_by_one(self) -> None:
        """Find the operation that is refused."""
        if not connection.features.can_rollback_ddl:
            drop_everything()
        for number, (app, operation) in enumerate(self.case.setup):
            if not isinstance(operation, migrations.CreateModel):
                continue
            model = self.apps.get_model(app, operation.name)
            try:
                if model._meta.managed and not model._meta.proxy:
                    with schema_editor() as editor:
                        editor.create_model(model)
            except Exception as error:
                raise SetupRefusedError(number, error) from error

    def write_row(self, row: Statement, names: dict[str, Any], fields: Mapping[str, Any]) -> bool:
        try:
            with transaction.atomic():
                made = eval(row.source(fields.get(row.model)), names)
                check_constraints()
        except Exception as error:  # noqa: BLE001 - what the models do not take is not there
            self.refused.add((row.model, error_code(error).error))
            return False
        if row.row:
            self.rows[row.row] = made
        return True

    def compare_before(self) -> None:
        self.before = self.works(self.case.statements)

    def works(self, statements: Sequence[Statement]) -> dict[Statement, Any]:
        """What old code can do, with the results."""
        found = self.attempt_all(statements)
        return {one: result.value for one, result in found if not result.error}

    def try_plan(self, plan: Plan, writes: Any, more: Sequence[Statement] = ()) -> Outcome:
        """Apply the plan, let new code write, and do again what old code could do before.

        `writes` gives the statements of new code for its models and rows. Besides the statements
        of the world, `more` are tried.
        """
        always = self.before
        try:
            return self.try_with(plan, writes, more)
        finally:
            self.before = always

    def try_with(self, plan: Plan, writes: Any, more: Sequence[Statement]) -> Outcome:
        with self.old_schema():
            self.before = {**self.before, **self.works(more)}
            outcome, failed, written = self.try_here(plan, writes)
        doubtful = [one for one in failed.values() if one.needs_new_rows]
        if not doubtful:
            return outcome
        with self.old_schema():
            innocent = self.fails_by_old_rows(failed, written)
        kept = [one for statement, one in failed.items() if statement not in innocent]
        return replace(outcome, symptoms=tuple(kept))

    @contextlib.contextmanager
    def old_schema(self) -> Iterator[None]:
        """The tables and rows of old code. They are as before when the block ends."""
        if connection.features.can_rollback_ddl:
            with undone():
                yield
            return
        if not self.is_fresh:
            drop_everything()
            self.rows.clear()
            self.create()
        self.is_fresh = False
        yield

    def try_here(
        self, plan: Plan, writes: Any
    ) -> tuple[Outcome, dict[Statement, Symptom], Sequence[Statement]]:
        """The outcome, the statements that failed, and what new code wrote."""
        steps = [plan] if isinstance(plan, Migration) else migrations_of(plan)
        claim = claim_of(steps, bare_clone(self.base), self.tables)
        state = bare_clone(self.base)
        try:
            for step in steps:
                state = applied(step, state)
            new = state.apps
        except Exception as error:  # noqa: BLE001 - the plan does not fit the rows or the server
            problem = error_code(error).error or type(error).__name__
            return Outcome(claim, problem=problem), {}, ()
        if callable(writes):
            writes = writes(new)
        failed, count = self.failures(writes, new)
        symptoms, _ = self.failures((), None, tuple(failed))
        for statement, symptom in failed.items():
            # Whether old code could have written such a value is not known.
            is_weak = symptom.is_weak or symptom.is_data
            symptoms.setdefault(statement, replace(symptom, needs_new_rows=True, is_weak=is_weak))
        outcome = Outcome(claim, tuple(symptoms.values()), compared=len(self.before), written=count)
        return outcome, symptoms, writes

    def fails_by_old_rows(
        self, failed: Mapping[Statement, Symptom], writes: Sequence[Statement]
    ) -> set[Statement]:
        """The statements that fail in the same way if old code has written these rows.

        Or that fail as the old schema refuses such a row: whether a value fits a page of an index
        depends on what is left there of rows that were undone.
        """
        doubtful = tuple(one for one, symptom in failed.items() if symptom.needs_new_rows)
        self.refused.clear()
        found, _ = self.failures(writes, self.apps, doubtful)
        return {
            one
            for one, symptom in failed.items()
            if symptom.needs_new_rows
            and (
                symptom.by_old_rules
                or (one in found and found[one].kind == symptom.kind)
                or (one.model, symptom.error) in self.refused
            )
        }

    def failures(
        self, writes: Sequence[Statement], apps: Any, statements: Sequence[Statement] | None = None
    ) -> tuple[dict[Statement, Symptom], int]:
        """What fails after these rows have been written, and how many were."""
        rows, count = dict(self.rows), 0
        found = {}
        names, fields = self.names, self.fields
        if apps is not None:
            names = {**names, **self.named(apps)}
            fields = {
                one._meta.label_lower: [f.attname for f in one._meta.concrete_fields]
                for one in apps.get_models()
            }
        with undone():
            for write in writes:
                count += self.write_row(write, names, fields)
            tried = self.before if statements is None else statements
            for statement, result in self.attempt_all(list(tried)):
                if symptom := self.symptom(statement, result):
                    found[statement] = symptom
        self.rows.clear()
        self.rows |= rows
        return found, count

    def symptom(self, statement: Statement, result: Result) -> Symptom | None:
        model = self.apps.get_model(statement.model)
        about = (statement.verb, model._meta.db_table)
        touched = frozenset(one for sql in result.sql for one in calls_of(sql, self.tables))
        source = statement.source(self.fields[statement.model])
        if result.error:
            return Symptom(
                *about,
                result.error,
                result.text,
                source,
                touched,
                by_old_rules=result.by_rows or result.constraint in self.constraints,
                is_data=result.is_data,
            )
        before, after = self.before[statement], result.value
        if statement.code.startswith("read_all("):
            if more := sorted(after - before):
                return Symptom(*about, READS_NULL, ", ".join(more), source, touched, is_weak=True)
            return None
        if statement.is_keyed:
            for key, lines in before.items():
                if not lines <= after.get(key, set()):
                    text = f"before {sorted(lines)}, after {sorted(after.get(key, set()))}"
                    return Symptom(*about, "other result", text, source, touched)
            return None
        if statement.verb == INSERT and before != after:
            text = f"{before}, then {after}"
            return Symptom(*about, "stores other value", text, source, touched)
        return None

    def attempt_all(self, statements: Sequence[Statement]) -> Iterator[tuple[Statement, Result]]:
        """Do each, and undo what it wrote. What only reads shares a savepoint."""
        reads = [one for one in statements if one.verb == SELECT]
        while reads:
            done = 0
            try:
                with transaction.atomic():
                    for statement in reads:
                        value = self.value(statement)
                        done += 1
                        yield statement, Result(value, sql=tuple(self.sql))
            except Exception as error:  # noqa: BLE001 - old code's errors are what is looked for
                yield reads[done], replace(error_code(error), sql=tuple(self.sql[-1:]))
                done += 1
            reads = reads[done:]
        writes = [one for one in statements if one.verb != SELECT]
        if writes:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SAVEPOINT {_SAVEPOINT}")
                for statement in writes:
                    yield statement, self.attempt(statement, cursor)

    def attempt(self, statement: Statement, cursor: Any) -> Result:
        """Do it, check what a commit would check, and undo it."""
        is_done = False
        try:
            result = Result(self.value(statement), sql=tuple(self.sql))
            is_done = True
            cursor.execute(f"{_CHECK}{_UNDO}")
        except Exception as error:  # noqa: BLE001
            result = replace(error_code(error), sql=tuple(self.sql if is_done else self.sql[-1:]))
            connection.needs_rollback = False
            cursor.execute(_UNDO)
        return result

    def value(self, statement: Statement) -> Any:
        code = self.compiled.get(statement)
        if code is None:
            source = statement.source(self.fields[statement.model])
            code = self.compiled[statement] = compile(source, "<statement>", "eval")
        self.sql.clear()
        with connection.execute_wrapper(self.note_sql):
            found = eval(code, self.names)
            if isinstance(found, models.QuerySet):
                found = list(found)
        if statement.is_keyed:
            lines: dict[str, set[str]] = {}
            for line in found:
                plain = [plain_value(one) for one in line]
                lines.setdefault(repr(plain[0]), set()).add(repr(plain))
            return lines
        if statement.verb == INSERT and statement.arguments:
            made = found[0] if isinstance(found, list) else found
            return stored(made, statement.arguments) if made.pk is not None else None
        if isinstance(found, frozenset):
            return found
        return None

    def note_sql(self, execute: Any, sql: str, *arguments: Any) -> Any:
        self.sql.append(sql)
        return execute(sql, *arguments)

    def helpers(self) -> dict[str, Any]:
        def key(name: str, attribute: str = "pk") -> Any:
            found = self.rows.get(name)
            if found is None:  # the server has refused the row
                like = name.rstrip("0123456789")
                found = next(v for k, v in self.rows.items() if k.rstrip("0123456789") == like)
            return getattr(found, attribute)

        def get(model: Any, name: str) -> Any:
            return model.objects.get(pk=key(name))

        return {
            one.__name__: one
            for one in (key, get, read_all, save_all, find_each, copy, read_raw, query)
        }


def read_all(model: Any) -> frozenset[str]:
    """Load each row; the fields that hold NULL against what the model says."""
    never = [
        one.attname
        for one in model._meta.concrete_fields
        if not one.null and one.get_internal_type() != "JSONField"
        and not getattr(one, "generated", False)
    ]  # fmt: skip
    rows = list(model.objects.all())
    return frozenset(name for name in never if any(getattr(row, name) is None for row in rows))


def save_all(model: Any) -> None:
    """Save each row. None may be inserted anew."""
    rows = list(model.objects.all())
    for row in rows:
        row.save()
    count = model.objects.count()
    if count != len(rows):
        raise OtherResultError(f"save() inserted {count - len(rows)} rows")


def find_each(model: Any, name: str) -> None:
    """Find each row by its own value."""
    for row in model.objects.all():
        value = getattr(row, name)
        if isinstance(value, FieldFile):
            value = value.name  # NULL is a file without a name
        if value is not None and not model.objects.filter(**{name: value}).exists():
            raise OtherResultError(f"no row is found by the value of {name} that it has")


def copy(row: Any) -> None:
    """Insert the same values once more."""
    given = {
        one.attname: getattr(row, one.attname)
        for one in row._meta.concrete_fields
        if not one.primary_key and not getattr(one, "generated", False)
        and type(one).__name__ != "OrderWrt" and not one.get_internal_type().endswith("AutoField")
    }  # fmt: skip
    type(row).objects.create(**given)


def read_raw(model: Any, statement: str) -> None:
    for row in model.objects.raw(statement):
        [getattr(row, one.attname) for one in model._meta.local_concrete_fields]


def query(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        cursor.fetchall()


def stored(made: Any, arguments: Mapping[str, str]) -> list[str]:
    """What the database holds of the values that were given."""
    fixed = [
        one.attname
        for one in made._meta.concrete_fields
        if one.attname in arguments
        and not getattr(one, "auto_now", False) and not getattr(one, "auto_now_add", False)
    ]  # fmt: skip
    if not fixed:
        return []
    found = list(type(made).objects.filter(pk=made.pk).values_list(*fixed))
    if not found:
        raise MissingRowError("the row that was inserted is not found")
    return [repr(plain_value(one)) for one in found[0]]


def plain_value(value: Any) -> Any:
    """Equal values as the same text: a column with more decimal places gives 1.50 as 1.500."""
    if isinstance(value, Decimal):
        return value.normalize()
    return bytes(value) if isinstance(value, memoryview) else value


def postgresql_values() -> dict[str, Any]:
    if connection.vendor != "postgresql":
        return {}
    from django.contrib.postgres.aggregates import ArrayAgg
    from django.contrib.postgres.search import SearchQuery, SearchRank
    from django.db.backends.postgresql.psycopg_any import (
        DateRange,
        DateTimeTZRange,
        NumericRange,
    )

    return {
        "ArrayPosition": ArrayPosition,
        "ArrayAgg": ArrayAgg, "SearchQuery": SearchQuery, "SearchRank": SearchRank,
        "DateRange": DateRange, "DateTimeTZRange": DateTimeTZRange, "NumericRange": NumericRange,
    }  # fmt: skip


@contextlib.contextmanager
def schema_editor() -> Iterator[Any]:
    """Django's, in a transaction of ours: its own stays open if deferred SQL fails."""
    can_undo = connection.features.can_rollback_ddl
    ours = transaction.atomic() if can_undo else contextlib.nullcontext()
    with ours, connection.schema_editor(atomic=False) as editor:
        yield editor


def migrations_of(plan: Sequence[Step]) -> list[Migration]:
    """The operations as migrations: one for each run of operations of the same app."""
    found: list[Migration] = []
    for app, operation in plan:
        if not found or found[-1].app_label != app:
            one = Migration(f"{len(found) + 2:04}_change", app)
            one.operations = []
            found.append(one)
        found[-1].operations.append(operation)
    return found


def applied(migration: Migration, state: ProjectState) -> ProjectState:
    """As `Migration.apply`. No index is built or removed concurrently; the result is the same."""
    app = migration.app_label
    with schema_editor() as editor:
        for operation in migration.operations:
            old = state.clone()
            operation.state_forwards(app, state)
            kind = _AT_ONCE.get(type(operation).__name__, type(operation))
            forwards = kind.database_forwards.__get__(operation)
            forwards(app, editor, old, state)
    check_constraints()
    return state


def check_constraints() -> None:
    """Check now what the end of a transaction would check."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def constraint_names(cursor: Any) -> set[str]:
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT conname FROM pg_constraint"
            " UNION SELECT relname FROM pg_class WHERE relkind = 'i'"
        )
    else:
        cursor.execute(
            "SELECT constraint_name FROM information_schema.table_constraints"
            " WHERE table_schema = DATABASE()"
            " UNION SELECT index_name FROM information_schema.statistics"
            " WHERE table_schema = DATABASE()"
        )
    return {name for (name,) in cursor.fetchall()}


def drop_everything() -> None:
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
        if tables:
            cursor.execute(f"DROP TABLE {', '.join(map(connection.ops.quote_name, tables))}")
        cursor.execute("SET FOREIGN_KEY_CHECKS = 1")


_AT_ONCE = {
    "AddIndexConcurrently": migrations.AddIndex,
    "RemoveIndexConcurrently": migrations.RemoveIndex,
}
_DATA = "22"  # the class of SQLSTATE for data exceptions
_NAMED = re.compile(r"(?:for key '(?:[^'.]*\.)?([^']+)'|CONSTRAINT [`\"]([^`\"]+)[`\"])")
_WRITES = re.compile(
    r"\s*(INSERT|REPLACE|UPDATE|DELETE)(?: IGNORE)?(?: INTO| FROM)? [\"`]?(\w+)", re.I
)


def calls_of(sql: str, tables: Iterable[str]) -> Iterator[str]:
    """Each table that it touches, with the call, such as `delete crops_farm`."""
    written = _WRITES.match(sql)
    words = {one.lower() for one in re.findall(r"\w+", sql)}
    if written:
        yield f"{written[1]} {written[2]}".lower()
        words.discard(written[2].lower())
    for table in words & {one.lower() for one in tables}:
        yield f"select {table}"


def error_code(error: Exception) -> Result:
    text = " ".join(str(error).split())[:300]
    if isinstance(error, OtherResultError):
        is_by_rows = isinstance(error, MissingRowError)
        return Result(error="other result", text=text, by_rows=is_by_rows)
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    is_by_rows = isinstance(error, (ProtectedError, RestrictedError, ObjectDoesNotExist))
    if connection.vendor == "mysql" and error.args and isinstance(error.args[0], int):
        constraint = next((a or b for a, b in _NAMED.findall(text)), "")
        is_data = str(state).startswith(_DATA)
        return Result(None, str(error.args[0]), text, constraint, is_data=is_data)
    if state:
        constraint = getattr(getattr(cause, "diag", None), "constraint_name", "") or ""
        is_data = str(state).startswith(_DATA)
        return Result(None, str(state), text, constraint, is_data=is_data)
    return Result(error=type(error).__name__, text=text, by_rows=is_by_rows)
