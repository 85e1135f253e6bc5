"""An example for each rule of the classifier: old models, a migration, and what decides its class.

`docs/compatibility.md` shows them, and a test runs each one on a real server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres import operations as postgres
from django.contrib.postgres.indexes import GinIndex
from django.db import migrations as m
from django.db import models as f

from tests.compatibility_fuzz import examples_own as own

POSTGRESQL, MARIADB = "postgresql", "mariadb"
APP = "crops"
DECLARED = "The team has said so."
NO_ERROR = "Old code gets no error, and the result depends on what new code writes."


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """A migration after old models, and what to know of its rule."""

    condition: str
    """When the rule decides the class of such an operation."""
    operations: Sequence[Any]
    old: Sequence[Any] = ()
    """More old models than `MODELS`, or all of them on MariaDB."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Those of the migration class."""
    engine: str = POSTGRESQL
    fails: str = ""
    """A statement of old code that fails, or gives another result, only afterwards."""
    writes: str = ""
    """What new code writes before that."""
    most_rows: int = 3
    """So many rows has each table at most."""
    careful: str = ""
    """Why the class is no lower, though nothing fails in this example."""
    linter: str = ""
    """What django-migration-linter calls it."""
    is_reversed: bool = False


def model(title: str, /, *, bases: tuple[Any, ...] = (f.Model,), **given: Any) -> m.CreateModel:
    options = given.pop("options", {})
    fields = list(given.items())
    if not any(getattr(one, "primary_key", False) for one in given.values()) and f.Model in bases:
        fields = [("id", f.BigAutoField(primary_key=True)), *fields]
    return m.CreateModel(title, fields, options, bases)


def to(name: str, **options: Any) -> f.ForeignKey:
    return f.ForeignKey(f"crops.{name}", f.CASCADE, **options)


def name(**options: Any) -> f.CharField:
    return f.CharField(max_length=50, **options)


def price(digits: int, places: int) -> f.DecimalField:
    return f.DecimalField(max_digits=digits, decimal_places=places)


def unique(*names: str, **options: Any) -> f.UniqueConstraint:
    return f.UniqueConstraint(fields=names, name="once", **options)


def positive(name: str) -> f.CheckConstraint:
    return f.CheckConstraint(condition=f.Q(size__gt=0), name=name)


def reckoned(times: int, **options: Any) -> f.GeneratedField:
    return f.GeneratedField(
        expression=f.F("size") * f.Value(times),
        output_field=f.IntegerField(),
        db_persist=True,
        **options,
    )


LOW = f.CheckConstraint(condition=f.Q(grade__lt=100), name="low")
GRADED = model(
    "Tool", grade=f.SmallIntegerField(db_default=1), note=f.TextField(null=True),
    options={"constraints": [LOW]},
)  # fmt: skip
BY_SIZE = f.Index(fields=["size"], name="by_size")
HARVEST = model("Harvest", crop=to("Crop"), note=f.TextField(null=True))

MODELS = (
    model("Farm", name=name(unique=True), acres=f.IntegerField(null=True)),
    model(
        "Crop",
        name=name(),
        code=f.SlugField(db_index=False, unique=True),
        kind=f.CharField(max_length=20, db_index=True),
        size=f.IntegerField(null=True),
        count=f.PositiveIntegerField(default=0),
        grade=f.SmallIntegerField(db_default=1),
        price=price(8, 2),
        story=f.TextField(),
        photo=f.FileField(),
        facts=f.JSONField(default=dict),
        made=f.DateField(null=True),
        farm=to("Farm", null=True),
        owner=to("Farm", related_name="owned"),
        loose=to("Farm", null=True, db_constraint=False, related_name="+"),
        options={
            "indexes": [f.Index(fields=["made"], name="by_date")],
            "unique_together": {("name", "price")},
            "constraints": [f.UniqueConstraint(fields=["story"], name="told_once")],
        },
    ),
)
ON_MARIADB = (
    model("Crop", price=price(8, 2), note=f.CharField(max_length=700), size=f.IntegerField()),
)

EXAMPLES = (
    # New tables
    Example(
        condition="it refers to no older table",
        operations=[model("Tool", name=name())],
    ),
    Example(
        condition="it refers to an older table, by a foreign key, a parent or a many-to-many field",
        operations=[HARVEST],
    ),
    Example(
        condition="it refers to an older table without a constraint in the database",
        operations=[model("Harvest", crop=to("Crop", db_constraint=False))],
    ),
    Example(
        condition="it is a child of an older model",
        operations=[
            model(
                "Herb",
                bases=("crops.Farm",),
                farm_ptr=f.OneToOneField(
                    "crops.Farm", f.CASCADE, primary_key=True, parent_link=True
                ),
            )
        ],
    ),
    Example(
        condition="it is a proxy or not managed: Django makes no table",
        operations=[m.CreateModel("Sweet", [], {"proxy": True}, ("crops.crop",))],
    ),
    Example(
        condition="anything else is done to a table that the same plan creates",
        operations=[
            model("Tool", name=name()),
            m.AddField("tool", "size", f.IntegerField(default=0)),
            m.AddConstraint("tool", unique("size")),
            m.RemoveField("tool", "name"),
        ],
    ),
    Example(
        condition="always",
        operations=[m.DeleteModel("tool")],
        old=[model("Tool", name=name())],
        linter="dropped table",
    ),
    Example(
        condition="the table gets another name",
        operations=[m.RenameModel("Farm", "Estate")],
        linter="renamed table",
    ),
    Example(
        condition="the table keeps its name by `db_table`, and Django names no column after it",
        operations=[m.RenameModel("Tool", "Device")],
        old=[model("Tool", name=name(), options={"db_table": "tools"})],
    ),
    Example(
        condition="the table keeps its name, and the project has content types",
        operations=[m.RenameModel("Tool", "Device")],
        old=[own.ContentTypes(), model("Tool", name=name(), options={"db_table": "tools"})],
    ),
    Example(
        condition="the table gets another name",
        operations=[m.AlterModelTable("farm", "farms")],
        linter="renamed table",
    ),
    Example(
        condition="the table keeps its name",
        operations=[m.AlterModelTable("farm", "crops_farm")],
    ),
    # New columns
    Example(
        condition="NULL is allowed",
        operations=[m.AddField("crop", "colour", f.TextField(null=True))],
    ),
    Example(
        condition="the database has a default that the column takes",
        operations=[m.AddField("crop", "weight", f.IntegerField(db_default=0))],
    ),
    Example(
        condition="NOT NULL without a default in the database",
        operations=[m.AddField("crop", "weight", f.IntegerField(default=0))],
        linter="NOT NULL without a default",
    ),
    Example(
        condition="the default in the database may not fit the column, or is a value in a unique "
        "column",
        operations=[m.AddField("tool", "mark", f.IntegerField(db_default=1, unique=True))],
        old=[model("Tool", name=name())],
        most_rows=1,
    ),
    Example(
        condition="a foreign key to an older table, which may be NULL",
        operations=[m.AddField("farm", "best", to("Crop", null=True, related_name="+"))],
    ),
    Example(
        condition="a foreign key without a constraint in the database, which may be NULL",
        operations=[
            m.AddField("farm", "best", to("Crop", null=True, db_constraint=False, related_name="+"))
        ],
    ),
    Example(
        condition="a many-to-many field with a table of its own",
        operations=[m.AddField("crop", "fans", f.ManyToManyField("crops.Farm", related_name="+"))],
    ),
    Example(
        condition="a column that the database computes",
        operations=[m.AddField("crop", "double", reckoned(2))],
        fails="Crop.objects.update(size=2147483647)",
    ),
    Example(
        condition="the app's own field has a check",
        operations=[m.AddField("crop", "limit", own.Below(null=True))],
        fails="Crop.objects.update(size=30000)",
    ),
    Example(
        condition="the type of the app's own field is more than a type",
        operations=[m.AddField("tool", "stock", own.Stock(null=True))],
        old=[model("Tool", name=name())],
        most_rows=1,
    ),
    Example(
        condition="a table that old code can join has a column of this name",
        operations=[m.AddField("crop", "acres", f.IntegerField(null=True))],
        fails="Crop.objects.select_related('owner').extra(where=['acres IS NULL'])",
    ),
    Example(
        condition="always", operations=[m.RemoveField("crop", "size")], linter="dropped column"
    ),
    Example(
        condition="it is a many-to-many field with a model of its own in between",
        operations=[m.RemoveField("tool", "farms")],
        old=[
            model("Tool", farms=f.ManyToManyField("crops.Farm", through="crops.Loan")),
            model("Loan", tool=to("Tool"), farm=to("Farm")),
        ],
    ),
    Example(
        condition="the column gets another name",
        operations=[m.RenameField("crop", "size", "width")],
        linter="renamed column",
    ),
    Example(
        condition="the column gets another case, which PostgreSQL tells apart",
        operations=[m.RenameField("tool", "Size", "size")],
        old=[model("Tool", Size=f.IntegerField(null=True))],
    ),
    Example(
        condition="the column keeps its name by `db_column`",
        operations=[m.RenameField("tool", "size", "width")],
        old=[model("Tool", size=f.IntegerField(db_column="size", null=True))],
    ),
    # Changed columns
    Example(
        condition="the release has changed the column before, in the state alone",
        operations=[
            m.SeparateDatabaseAndState(state_operations=[m.AlterField("farm", "name", name())]),
            m.AlterField("farm", "name", f.CharField(max_length=60, unique=True)),
        ],
    ),
    Example(
        condition="Django runs no SQL: help texts, choices, `related_name`, `upload_to` and others",
        operations=[
            m.AlterField("crop", "farm", to("Farm", null=True, related_name="grown")),
            m.AlterField("crop", "photo", f.ImageField(upload_to="photos")),
        ],
    ),
    Example(
        condition="a text column gets longer, or without a limit",
        operations=[m.AlterField("crop", "name", f.TextField())],
    ),
    Example(
        condition="a text column gets shorter, or the type is another one",
        operations=[m.AlterField("crop", "name", f.CharField(max_length=40))],
        linter="changed type",
    ),
    Example(
        condition="an integer gets larger",
        operations=[m.AlterField("crop", "size", f.BigIntegerField(null=True))],
        linter="changed type",
    ),
    Example(
        condition="a key gets larger, and with it the columns that refer to it",
        operations=[m.AlterField("tool", "id", f.BigAutoField(primary_key=True))],
        old=[
            model("Tool", id=f.AutoField(primary_key=True), name=name()),
            model("Loan", tool=to("Tool")),
        ],
    ),
    Example(
        condition="a decimal gets more digits",
        operations=[m.AlterField("crop", "price", price(10, 2))],
    ),
    Example(
        condition="a decimal gets more digits",
        operations=[m.AlterField("crop", "price", price(10, 2))],
        old=ON_MARIADB,
        engine=MARIADB,
        careful="It fails with Django before 5.2.",
    ),
    Example(
        condition="NULL is allowed no more",
        operations=[m.AlterField("farm", "acres", f.IntegerField(default=0))],
        linter="NOT NULL added",
    ),
    Example(
        condition="NULL is allowed now",
        operations=[m.AlterField("crop", "name", name(null=True))],
        writes="Crop.objects.create(name=None, code='c', story='s', price=1, "
        "owner_id=key('farm0'))",
    ),
    Example(
        condition="it becomes unique",
        operations=[m.AlterField("crop", "grade", f.SmallIntegerField(db_default=1, unique=True))],
        linter="unique added",
    ),
    Example(
        condition="it is unique no more",
        operations=[m.AlterField("farm", "name", name())],
        fails="Farm.objects.bulk_create([Farm(name='oat')], update_conflicts=True, "
        "unique_fields=['name'], update_fields=['name'])",
    ),
    Example(
        condition="the column gets another name, or becomes the primary key",
        operations=[m.AlterField("crop", "size", f.IntegerField(null=True, db_column="width"))],
        linter="renamed column",
    ),
    Example(
        condition="an index is added",
        operations=[m.AlterField("crop", "name", name(db_index=True))],
    ),
    Example(
        condition="an index is added whose entries may be too long",
        operations=[m.AlterField("tool", "note", f.TextField(db_index=True))],
        old=[model("Tool", note=f.TextField())],
    ),
    Example(
        condition="the index is removed",
        operations=[m.AlterField("crop", "kind", f.CharField(max_length=20))],
        careful="A query without its index is slow, and does not fail.",
    ),
    Example(
        condition="another default in the database, which the column takes",
        operations=[m.AlterField("tool", "grade", f.SmallIntegerField(db_default=2))],
        old=[model("Tool", grade=f.SmallIntegerField(db_default=1))],
    ),
    Example(
        condition="a default in the database that a rule of the table may refuse, or that is gone",
        operations=[m.AlterField("tool", "grade", f.SmallIntegerField(db_default=200))],
        old=[GRADED],
    ),
    Example(
        condition="the check of the column is removed",
        operations=[m.AlterField("crop", "count", f.IntegerField(default=0))],
        careful=NO_ERROR,
    ),
    Example(
        condition="the column gets a check",
        operations=[m.AlterField("tool", "size", f.PositiveIntegerField(null=True))],
        old=[model("Tool", size=f.IntegerField(null=True))],
        fails="Tool.objects.create(size=-1)",
    ),
    Example(
        condition="the collation changes",
        operations=[m.AlterField("crop", "name", name(db_collation="C"))],
        careful="It depends on the collations and the values whether anything is refused.",
    ),
    Example(
        condition="a class of field that is not Django's takes its place, on the same column",
        operations=[m.AlterField("crop", "name", own.Tagged(max_length=50))],
        careful=NO_ERROR,
    ),
    Example(
        condition="the database computes the column",
        operations=[m.AlterField("tool", "double", reckoned(2, db_comment="twice"))],
        old=[model("Tool", size=f.IntegerField(null=True), double=reckoned(2))],
        careful="Django itself refuses most of these changes.",
    ),
    Example(
        condition="a foreign key refers to another table",
        operations=[m.AlterField("crop", "loose", to("Crop", null=True, related_name="+"))],
    ),
    Example(
        condition="a foreign key gets a constraint in the database",
        operations=[m.AlterField("crop", "loose", to("Farm", null=True, related_name="+"))],
        linter="foreign key added",
        fails="Crop.objects.update(loose_id=777777)",
    ),
    Example(
        condition="a foreign key loses its constraint in the database",
        operations=[
            m.AlterField("crop", "owner", to("Farm", db_constraint=False, related_name="owned"))
        ],
        careful="It shows only if new code leaves a row that refers to none.",
    ),
    Example(
        condition="the database begins or ceases to delete the rows that refer to a row",
        operations=[
            m.AlterField("tool", "farm", to("Farm")),
        ],
        old=[model("Tool", farm=f.ForeignKey("crops.Farm", f.DB_CASCADE))],
    ),
    # Indexes
    Example(
        condition="on columns whose values are short",
        operations=[m.AddIndex("crop", BY_SIZE)],
    ),
    Example(
        condition="its entries may be too long: a text without a limit, more than about 670 "
        "characters, or the like",
        operations=[m.AddIndex("tool", f.Index(fields=["note"], name="by_note"))],
        old=[model("Tool", note=f.TextField())],
    ),
    Example(
        condition="MariaDB and MySQL take no index whose entries may be too long",
        operations=[m.AddIndex("crop", f.Index(fields=["note"], name="by_note"))],
        old=ON_MARIADB,
        engine=MARIADB,
    ),
    Example(
        condition="on an expression, or with a condition that computes",
        operations=[
            m.AddIndex(
                "crop",
                f.Index(f.Value(100) / f.F("size"), name="by_share"),
            )
        ],
        fails="Crop.objects.update(size=0)",
    ),
    Example(
        condition="an index of a kind that is not Django's own",
        operations=[m.AddIndex("crop", own.Unique(fields=["kind"], name="by_kind"))],
    ),
    Example(
        condition="an index with an entry for each part of the value",
        operations=[m.AddIndex("crop", GinIndex(fields=["facts"], name="by_fact"))],
    ),
    Example(
        condition="always",
        operations=[m.RemoveIndex("crop", "by_date")],
        careful="A query without its index is slow, and does not fail.",
    ),
    Example(
        condition="always",
        operations=[m.RenameIndex("crop", new_name="by_day", old_name="by_date")],
    ),
    Example(
        condition="as `AddIndex`, in a migration with `atomic = False`",
        operations=[postgres.AddIndexConcurrently("crop", BY_SIZE)],
        attributes={"atomic": False},
    ),
    Example(
        condition="the migration is one transaction",
        operations=[postgres.AddIndexConcurrently("crop", BY_SIZE)],
        linter="concurrent index inside a transaction",
    ),
    Example(
        condition="as `RemoveIndex`, in a migration with `atomic = False`",
        operations=[postgres.RemoveIndexConcurrently("crop", "by_date")],
        attributes={"atomic": False},
        careful="A query without its index is slow, and does not fail.",
    ),
    Example(
        condition="it only adds",
        operations=[m.AlterIndexTogether("crop", {("size", "grade")})],
    ),
    Example(
        condition="it removes",
        operations=[
            m.AlterIndexTogether("tool", {("size", "name")}),
            m.AlterIndexTogether("tool", set()),
        ],
        old=[model("Tool", name=name(), size=f.IntegerField())],
        careful="A query without its index is slow, and does not fail.",
    ),
    # Rules on rows
    Example(
        condition="always, but for a unique rule as below",
        operations=[m.AddConstraint("crop", positive("positive"))],
        linter="constraint added",
        fails="Crop.objects.update(size=-1)",
    ),
    Example(
        condition="a unique rule",
        operations=[m.AddConstraint("crop", unique("size"))],
        linter="unique added",
        fails="Crop.objects.update(size=7)",
    ),
    Example(
        condition="a unique rule on columns of which some are unique already",
        operations=[m.AddConstraint("crop", unique("name", "price", "size"))],
    ),
    Example(
        condition="the same, where an index entry may be too long",
        operations=[m.AddConstraint("tool", unique("code", "note"))],
        old=[model("Tool", code=f.IntegerField(unique=True), note=f.TextField())],
    ),
    Example(
        condition="always",
        operations=[postgres.AddConstraintNotValid("crop", positive("positive"))],
        fails="Crop.objects.update(size=-1)",
    ),
    Example(
        condition="always",
        operations=[postgres.ValidateConstraint("tool", "positive")],
        old=[
            model(
                "Tool",
                size=f.IntegerField(null=True),
                options={"constraints": [positive("positive")]},
            )
        ],
    ),
    Example(
        condition="a check or an exclusion",
        operations=[m.RemoveConstraint("tool", "low")],
        old=[GRADED],
        careful=NO_ERROR,
    ),
    Example(
        condition="a unique rule",
        operations=[m.RemoveConstraint("crop", "told_once")],
        fails="Crop.objects.bulk_create([Crop(name='n', code='n', price=1, story='oat', "
        "owner_id=key('farm0'))], update_conflicts=True, unique_fields=['story'], "
        "update_fields=['size'])",
    ),
    Example(
        condition="a kind of rule that is not Django's",
        operations=[m.RemoveConstraint("tool", "own_rule")],
        old=[
            model(
                "Tool",
                size=f.IntegerField(null=True),
                options={"constraints": [own.Rule(fields=["size"], name="own_rule")]},
            )
        ],
        fails="Tool.objects.bulk_create([Tool(size=7)], update_conflicts=True, "
        "unique_fields=['size'], update_fields=['size'])",
    ),
    Example(
        condition="always: only the text of its error changes",
        operations=[
            m.AlterConstraint(
                "tool",
                "low",
                f.CheckConstraint(
                    condition=f.Q(grade__lt=100), name="low", violation_error_message="too high"
                ),
            )
        ],
        old=[GRADED],
    ),
    Example(
        condition="it adds",
        operations=[m.AlterUniqueTogether("crop", {("name", "price"), ("size", "grade")})],
        linter="unique added",
        fails="Crop.objects.update(size=7)",
    ),
    Example(
        condition="it only removes",
        operations=[m.AlterUniqueTogether("crop", set())],
        fails="Crop.objects.bulk_create([Crop(name='n', code='n', price=1, story='oat', "
        "owner_id=key('farm0'))], update_conflicts=True, unique_fields=['name', 'price'], "
        "update_fields=['size'])",
    ),
    Example(
        condition="a model becomes ordered, or is so no more",
        operations=[m.AlterOrderWithRespectTo("crop", "owner")],
    ),
    Example(
        condition="it stays ordered, or unordered",
        operations=[m.AlterOrderWithRespectTo("crop", None)],
    ),
    # Only Django's
    Example(
        condition="always",
        operations=[m.AlterModelOptions("crop", {"ordering": ["name"]})],
    ),
    Example(condition="always", operations=[m.AlterModelManagers("crop", [])]),
    Example(condition="always", operations=[m.AlterModelTableComment("crop", "what grows")]),
    Example(
        condition="as its operations on the database",
        operations=[
            m.SeparateDatabaseAndState(
                database_operations=[m.AddField("crop", "weight", f.IntegerField(null=True))],
                state_operations=[m.RemoveField("crop", "size")],
            )
        ],
    ),
    # The database itself
    Example(
        condition="it is there, or adds only types, functions and operators of its own: `bloom`, "
        "`btree_gin`, `btree_gist`, `citext`, `cube`, `fuzzystrmatch`, `hstore`, `ltree`, "
        "`pg_trgm`, `pgcrypto`, `unaccent`, `uuid-ossp`",
        operations=[postgres.CreateExtension("citext")],
    ),
    Example(
        condition="any other one",
        operations=[postgres.CreateExtension("intarray")],
    ),
    Example(
        condition="always",
        operations=[postgres.CreateCollation("german", "de-x-icu", provider="icu")],
    ),
    Example(
        condition="always",
        operations=[
            postgres.CreateCollation("german", "de-x-icu", provider="icu"),
            postgres.RemoveCollation("german", "de-x-icu", provider="icu"),
        ],
        careful="Only SQL of your own that names the collation fails.",
    ),
    # Code and SQL of the app
    Example(
        condition="`RunPython.noop`",
        operations=[m.RunPython(m.RunPython.noop)],
    ),
    Example(
        condition="any function",
        operations=[m.RunPython(own.fill)],
        linter="RunPython without reverse",
    ),
    Example(
        condition="with changes of the schema in one migration, the worst class counts",
        operations=[
            m.AddField("crop", "colour", f.TextField(null=True)),
            m.RunPython(own.fill, m.RunPython.noop),
        ],
        linter="data and schema in one",
    ),
    Example(condition="`RunSQL.noop`", operations=[m.RunSQL(m.RunSQL.noop)]),
    Example(
        condition="any statement",
        operations=[m.RunSQL("UPDATE crops_crop SET size = 1")],
        linter="RunSQL without reverse",
    ),
    Example(
        condition="a declared class takes the place of `data` or `unknown`",
        operations=[
            m.AddField("crop", "colour", f.TextField(null=True)),
            m.RunSQL("UPDATE crops_crop SET colour = 'red'"),
        ],
        attributes={"lightgate": "compatible: fills what only new code reads."},
    ),
    Example(
        condition="declared as `data`",
        operations=[m.RunSQL("UPDATE crops_crop SET size = 1")],
        attributes={"lightgate": "data: sizes are measured anew."},
    ),
    Example(
        condition="declared as restricted, with the statements",
        operations=[m.RunSQL("DELETE FROM crops_crop WHERE size > 9000")],
        attributes={"lightgate": "restricted (SELECT crops_crop): large ones are gone."},
        careful=DECLARED,
    ),
    Example(
        condition="declared as breaking",
        operations=[m.RunSQL("DELETE FROM crops_crop WHERE size > 9000")],
        attributes={"lightgate": "breaking: large ones are gone."},
        careful=DECLARED,
    ),
    Example(
        condition="an operation of the app or of a package, also a subclass of Django's",
        operations=[own.AddNothing("crop", "colour", f.TextField(null=True))],
    ),
    Example(
        condition="the migration replaces `apply` or `unapply`",
        operations=[],
        attributes={"apply": own.apply},
    ),
    # Reversed
    Example(
        condition="reversed: the table is removed",
        operations=[model("Tool", name=name())],
        is_reversed=True,
    ),
    Example(
        condition="reversed: the column is removed",
        operations=[m.AddField("crop", "colour", f.TextField(null=True))],
        is_reversed=True,
    ),
    Example(
        condition="reversed: the column comes back",
        operations=[m.RemoveField("tool", "size")],
        old=[model("Tool", size=f.IntegerField(default=0), note=f.TextField(null=True))],
        is_reversed=True,
    ),
    Example(
        condition="reversed: the table comes back",
        operations=[m.DeleteModel("tool")],
        old=[model("Tool", name=name())],
        is_reversed=True,
        careful="Lightgate calls every reversed operation breaking.",
    ),
    Example(
        condition="any other operation, reversed",
        operations=[m.AlterField("crop", "size", f.BigIntegerField(null=True))],
        is_reversed=True,
    ),
)


def migration_of(example: Example) -> Any:
    kind = type("Migration", (m.Migration,), dict(example.attributes))
    migration = kind("0002_example", APP)
    migration.operations = list(example.operations)
    return migration
