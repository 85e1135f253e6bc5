"""What each operation means for the release that is still serving."""

# mypy: disable-error-code="import-untyped, name-defined, misc"

from collections.abc import Sequence
from typing import Any

import django
import pytest
from django.conf import settings
from django.contrib.postgres import operations as postgres
from django.contrib.postgres.fields import ArrayField, DateRangeField
from django.contrib.postgres.indexes import (
    BloomIndex,
    BrinIndex,
    GinIndex,
    GistIndex,
    HashIndex,
    SpGistIndex,
)
from django.contrib.postgres.search import SearchVectorField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

import tests.gate.django_settings  # noqa: F401 - before what needs them
from lightgate.gate.programs.django_classifier.compatibility import Known, classify
from lightgate.gate.programs.django_classifier.operations import describe

M, F = migrations, models


class Chosen(F.CharField):
    """A field of the app that chooses the type of its column."""

    def db_type(self, _: Any) -> str:
        return "citext"


class Checked(F.IntegerField):
    """A field of the app whose check looks at another column."""

    def db_check(self, _: Any) -> str:
        return "size > 0"


class Filled(F.IntegerField):
    """A field of the app whose type is more than a type."""

    def db_type(self, _: Any) -> str:
        return "integer DEFAULT 0 CHECK (size > 0)"


class Suffixed(F.IntegerField):
    """A field of the app that puts a rule behind its type."""

    def db_type_suffix(self, connection: Any) -> str:
        return f"CHECK ({connection.ops.quote_name('size')} > 0)"


class Parameters(F.IntegerField):
    """A field of the app that gives type and check together."""

    def db_parameters(self, _: Any) -> dict[str, str]:
        return {"type": "integer", "check": "size > 0"}


class Postcode(F.CharField):
    """A field of the app whose type is a domain, which may refuse NULL."""

    def db_type(self, _: Any) -> str:
        return "Postcode"


class Single(F.IntegerField):
    """A field of the app whose type has a default and a rule, both without parentheses."""

    def db_type(self, _: Any) -> str:
        return "integer DEFAULT 0 UNIQUE"


class OwnKey(F.ForeignKey):
    """A foreign key of the app."""


CROP = M.CreateModel(
    "Crop",
    [
        ("id", F.BigAutoField(primary_key=True)),
        ("name", F.CharField(max_length=50)),
        ("size", F.IntegerField(null=True)),
        ("slug", F.SlugField(db_index=False, unique=False)),
        ("story", F.TextField()),
        ("price", F.DecimalField(max_digits=6, decimal_places=2)),
    ],
)
MORE = {
    "farm": F.ForeignKey("crops.Plant", F.CASCADE),
    "photo": F.FileField(max_length=1000),
    "facts": F.JSONField(),
    "words": SearchVectorField(),
    "sizes": ArrayField(F.IntegerField()),
    "tags": ArrayField(F.TextField()),
    "codes": ArrayField(ArrayField(F.CharField(max_length=600))),
    "span": DateRangeField(),
    "choice": Chosen(max_length=9),
    "grade": F.SmallIntegerField(db_default=1),
    "once": F.SmallIntegerField(db_default=1, unique=True),
    "count": F.PositiveIntegerField(),
    "owner": OwnKey("crops.Plant", F.CASCADE),
    "loose": F.ForeignKey("crops.Plant", F.CASCADE, db_constraint=False),
    "fans": F.ManyToManyField("crops.Plant"),
    "any": F.DecimalField(),
    "code": F.CharField(max_length=660),
    "at": F.ForeignKey("crops.Field", F.CASCADE),
}
AREA = M.CreateModel("Field", [("id", F.BigAutoField(primary_key=True)), ("acres", F.FloatField())])
PLANT = M.CreateModel("Plant", [("id", F.BigAutoField(primary_key=True))])
INDEX = F.Index(fields=["name"], name="by_name")
TO_CROP = F.ForeignKey("crops.Crop", F.CASCADE)
UNIQUE = F.UniqueConstraint(fields=["name"], name="one_name")


def field(column: Any, name: str = "extra") -> M.AddField:
    return M.AddField("Crop", name, column)


def table(column: Any, **options: Any) -> M.CreateModel:
    return M.CreateModel(
        "Order", [("id", F.BigAutoField(primary_key=True)), ("it", column)], options
    )


def index(*expressions: Any, kind: Any = F.Index, **options: Any) -> M.AddIndex:
    return M.AddIndex("Crop", kind(*expressions, name="by_it", **options))


class OwnRule(F.UniqueConstraint):
    """A constraint of the app, which may be any."""


class OwnIndex(F.Index):
    """An index of the app, which may be any."""


def alter(name: str, column: Any) -> M.AlterField:
    return M.AlterField("Crop", name, column)


class Twin(M.AddField):
    """A subclass may do anything."""


class Choosy(F.CharField):
    """A field of the app, whose choices may be a type in the database."""


def both(*operations: Any) -> M.SeparateDatabaseAndState:
    return M.SeparateDatabaseAndState(
        database_operations=list(operations), state_operations=[M.RemoveField("Crop", "size")]
    )


@pytest.mark.parametrize(
    ("operation", "label"),
    [
        (field(F.IntegerField(null=True)), "compatible"),
        (field(F.IntegerField(db_default=0)), "compatible"),
        (field(F.IntegerField(db_default=None)), "breaking"),
        (field(F.IntegerField(db_default=F.Value(None))), "breaking"),
        (field(F.IntegerField(null=True, db_default=None)), "compatible"),
        (field(F.BooleanField(db_default=False)), "compatible"),
        (field(F.JSONField(db_default={"a": 1})), "compatible"),
        (field(F.JSONField(db_default=F.Value("a"))), "breaking (db_default)"),
        (field(F.JSONField(db_default=F.Value({"a": 1}, F.JSONField()))), "compatible"),
        (field(F.DateTimeField(db_default=F.functions.Now())), "compatible"),
        (field(F.DateField(db_default=F.functions.Now())), "compatible"),
        (field(F.FloatField(db_default=F.functions.Random())), "compatible"),
        (field(F.CharField(max_length=9, db_default=F.functions.Now())), "breaking (db_default)"),
        (field(F.IntegerField(db_default=F.functions.Now())), "breaking (db_default)"),
        (field(F.PositiveIntegerField(db_default=5)), "compatible"),
        (field(F.PositiveIntegerField(null=True, db_default=-5)), "breaking (db_default)"),
        (field(F.SmallIntegerField(db_default=40_000)), "breaking (db_default)"),
        (field(F.CharField(max_length=3, db_default="long")), "breaking (db_default)"),
        (field(F.CharField(max_length=4, db_default=F.Value("long"))), "compatible"),
        (
            field(F.DecimalField(max_digits=4, decimal_places=2, db_default=1000)),
            "breaking (db_default)",
        ),
        (field(F.BooleanField(null=True, db_default="maybe")), "breaking (db_default)"),
        (field(F.UUIDField(db_default="x")), "breaking (db_default)"),
        (field(F.IntegerField(db_default=F.Value(1) / 0)), "breaking (db_default)"),
        (
            field(F.IntegerField(db_default=F.functions.NullIf(1, 1), null=True)),
            "breaking (db_default)",
        ),
        (field(Choosy(max_length=9, db_default="a", null=True)), "breaking (db_default)"),
        (field(F.ForeignKey("crops.Plant", F.CASCADE, db_default=5)), "breaking (db_default)"),
        (field(F.GenericIPAddressField(db_default="")), "breaking (db_default)"),
        (field(F.TextField(db_default="short")), "compatible"),
        (field(F.TextField(db_default="long" * 999, db_index=True)), "breaking (db_default)"),
        (field(F.IntegerField(db_default=5, db_index=True)), "compatible"),
        (field(F.GenericIPAddressField(db_default="::1")), "compatible"),
        (field(ArrayField(F.CharField(max_length=1), db_default=["ab"])), "breaking (db_default)"),
        (field(ArrayField(F.CharField(max_length=1), db_default=[])), "compatible"),
        (field(F.IntegerField(default=0)), "breaking"),
        (field(F.TextField(default="", blank=True)), "breaking"),
        (field(F.IntegerField(null=True, unique=True)), "compatible"),
        (field(F.OneToOneField("self", F.CASCADE, null=True)), "restricted (ForeignKey)"),
        (field(F.ForeignKey("self", F.CASCADE)), "breaking"),
        (field(F.ForeignKey("self", F.CASCADE, null=True)), "restricted (ForeignKey)"),
        (field(F.ForeignKey("self", F.CASCADE, null=True, db_constraint=False)), "compatible"),
        (field(F.ForeignKey("farms.Farm", F.CASCADE, null=True)), "restricted (ForeignKey)"),
        (field(F.ForeignKey("crops.Plant", F.CASCADE, null=True)), "compatible"),
        (field(F.ManyToManyField("self")), "restricted (ForeignKey)"),
        (field(F.ManyToManyField("self", db_constraint=False)), "compatible"),
        (field(F.ManyToManyField("self", through="crops.Plant")), "compatible"),
        (table(TO_CROP), "restricted (ForeignKey)"),
        (table(F.OneToOneField("Crop", F.CASCADE)), "restricted (ForeignKey)"),
        (table(F.ManyToManyField("crops.Crop")), "restricted (ForeignKey)"),
        (table(F.ForeignKey("crops.Crop", F.CASCADE, db_constraint=False)), "compatible"),
        (table(F.ForeignKey("self", F.CASCADE)), "compatible"),
        (table(F.ForeignKey("crops.Plant", F.CASCADE)), "compatible"),
        (table(TO_CROP, managed=False), "compatible"),
        (Twin("Crop", "extra", F.IntegerField(null=True)), "unknown"),
        (M.RemoveField("Crop", "size"), "breaking"),
        (M.RenameField("Crop", "size", "width"), "breaking"),
        # PostgreSQL tells the case of a name, which is quoted.
        (M.RenameField("Crop", "size", "Size"), "breaking"),
        (alter("name", F.CharField(max_length=50, db_column="Name")), "breaking (renamed)"),
        (field(Suffixed(null=True)), "unknown (type)"),
        (field(Parameters(null=True)), "breaking (check)"),
        (M.RenameModel("Crop", "Plant"), "breaking"),
        (M.DeleteModel("Crop"), "breaking"),
        (M.AlterModelTable("Crop", "plants"), "breaking"),
        (M.AlterUniqueTogether("Crop", {("name", "size")}), "breaking"),
        (M.AlterOrderWithRespectTo("Crop", None), "compatible"),
        (M.AddIndex("Crop", INDEX), "compatible"),
        (postgres.AddIndexConcurrently("Crop", INDEX), "compatible"),
        (index(fields=["-size", "name"]), "compatible"),
        (index(F.functions.Cast("name", F.IntegerField())), "restricted (expression)"),
        (index(fields=["name"], condition=F.Q(size__gt=1) & ~F.Q(name="")), "compatible"),
        (
            index(fields=["name"], condition=F.Q(size=1) | F.Q(size__gt=1 / F.F("price"))),
            "restricted (expression)",
        ),
        (index(fields=["size"], kind=OwnIndex), "unknown (index)"),
        (index(fields=["story"]), "restricted (unbounded)"),
        (index(fields=["size"], include=["story"]), "restricted (unbounded)"),
        (index(fields=["farm_id"]), "compatible"),
        (index(fields=["farm_id", "story"]), "restricted (unbounded)"),
        (index(fields=["photo"]), "restricted (unbounded)"),
        (index(fields=["story"], kind=GinIndex), "restricted (unbounded)"),
        (index(fields=["story"], kind=GinIndex, opclasses=["gin_trgm_ops"]), "compatible"),
        (index(fields=["facts"], kind=GinIndex), "compatible"),
        (index(fields=["words"], kind=GinIndex), "compatible"),
        (index(fields=["sizes"], kind=GinIndex), "compatible"),
        (index(fields=["tags"], kind=GinIndex), "restricted (unbounded)"),
        (index(fields=["codes"], kind=GinIndex), "compatible"),
        (index(fields=["name", "codes"] * 40, kind=GinIndex), "compatible"),
        (index(fields=["words"], kind=GistIndex), "compatible"),
        (
            index(fields=["story"], kind=GistIndex, opclasses=["gist_trgm_ops"]),
            "restricted (unbounded)",
        ),
        (index(fields=["span"], kind=GistIndex), "compatible"),
        (index(fields=["size"], include=["story"], kind=SpGistIndex), "restricted (unbounded)"),
        (index(fields=["story"], kind=SpGistIndex), "compatible"),
        (index(fields=["story"], kind=BrinIndex), "restricted (unbounded)"),
        (index(fields=["price"], kind=BrinIndex), "compatible"),
        (index(fields=["story"], kind=HashIndex), "compatible"),
        (index(fields=["story"], kind=BloomIndex), "compatible"),
        (index(fields=["choice"]), "restricted (unbounded)"),
        (M.RemoveIndex("Crop", "by_name"), "restricted (slow)"),
        (M.AddConstraint("Crop", UNIQUE), "breaking"),
        (M.AlterModelOptions("Crop", {"ordering": ["name"]}), "compatible"),
        (M.AlterModelManagers("Crop", []), "compatible"),
        (postgres.TrigramExtension(), "compatible"),
        (M.RunPython(M.RunPython.noop), "compatible"),
        (M.RunPython(print), "data"),
        (M.RunSQL("select 1"), "unknown"),
        (PLANT, "compatible"),
        (alter("name", F.CharField(max_length=51)), "compatible"),
        (alter("name", F.CharField(max_length=49)), "breaking (type)"),
        (alter("name", F.CharField()), "compatible"),
        (alter("name", F.TextField()), "compatible"),
        (alter("name", F.CharField(max_length="51")), "compatible"),
        (alter("name", F.CharField(max_length="49")), "breaking (type)"),
        (alter("story", F.TextField(max_length=3)), "compatible"),
        (alter("story", F.TextField(db_index=True, max_length="9")), "restricted (unbounded)"),
        (alter("photo", F.FileField(max_length=900)), "breaking (type)"),
        (alter("name", F.CharField(max_length=50, help_text="x")), "compatible"),
        (alter("name", F.CharField(max_length=50, null=True)), "restricted (NULL)"),
        (alter("farm", F.ForeignKey("crops.Plant", F.CASCADE, null=True)), "restricted (NULL)"),
        (alter("size", F.IntegerField(null=True, blank=True)), "compatible"),
        (alter("name", F.CharField(max_length=50, unique=True)), "breaking"),
        (alter("name", F.CharField(max_length=50, db_index=True)), "compatible"),
        (alter("story", F.TextField(db_index=True)), "restricted (unbounded)"),
        (alter("name", F.CharField(max_length=50, db_column="n")), "breaking (renamed)"),
        (alter("name", F.CharField(max_length=50, db_default="")), "compatible"),
        (alter("grade", F.SmallIntegerField(db_default=3)), "compatible"),
        (alter("grade", F.SmallIntegerField(db_default=0)), "compatible"),
        (alter("grade", F.SmallIntegerField(db_default=40_000)), "breaking (db_default)"),
        (alter("grade", F.SmallIntegerField(db_default=None)), "breaking (db_default)"),
        (alter("grade", F.SmallIntegerField()), "breaking (db_default)"),
        (alter("name", F.IntegerField()), "breaking (type)"),
        (alter("name", Choosy(max_length=50, choices=[("a", "b")])), "restricted (form)"),
        (alter("size", F.IntegerField()), "breaking"),
        (alter("size", F.BigIntegerField(null=True)), "restricted (wider)"),
        (alter("size", F.SmallIntegerField(null=True)), "breaking (type)"),
        (alter("price", F.DecimalField(max_digits=6, decimal_places=3)), "breaking (type)"),
        # What has no SQL changes nothing.
        (alter("photo", F.ImageField(max_length=1000)), "compatible"),
        (alter("photo", F.FileField(max_length=1000, upload_to="here")), "compatible"),
        (alter("slug", F.SlugField(db_index=False, allow_unicode=True)), "compatible"),
        (alter("facts", F.JSONField(encoder=DjangoJSONEncoder)), "compatible"),
        (alter("farm", OwnKey("crops.Plant", F.CASCADE, related_name="of")), "restricted (form)"),
        (alter("owner", OwnKey("crops.Plant", F.CASCADE, related_name="of")), "compatible"),
        (
            alter("fans", F.ManyToManyField("crops.Plant", related_name="x", blank=True)),
            "compatible",
        ),
        (alter("fans", F.ManyToManyField("crops.Plant", db_table="fans")), "breaking"),
        (M.RemoveField("Crop", "fans"), "breaking"),
        (M.RunSQL(M.RunSQL.noop), "compatible"),
        (M.AlterModelTable("Crop", "crops_crop"), "compatible"),
        (M.AlterModelTable("Crop", None), "compatible"),
        (M.AlterUniqueTogether("Crop", set()), "compatible"),
        (alter("once", F.SmallIntegerField(db_default=1)), "restricted (unique)"),
        (M.AlterIndexTogether("Crop", {("name", "size")}), "compatible"),
        (M.AlterIndexTogether("Crop", {("name", "story")}), "restricted (unbounded)"),
        (index(F.F("name"), F.F("size").desc()), "compatible"),
        # The type of the column decides, whatever the class of the field.
        (alter("name", F.URLField(max_length=200)), "compatible"),
        (alter("price", F.DecimalField(max_digits=9, decimal_places=3)), "compatible"),
        (alter("price", F.DecimalField(max_digits=9, decimal_places=1)), "breaking (type)"),
        (alter("count", F.IntegerField()), "restricted (free)"),
        (alter("size", F.PositiveIntegerField(null=True)), "breaking (check)"),
        (alter("id", F.AutoField(primary_key=True)), "breaking (type)"),
        (alter("tags", ArrayField(F.TextField(), null=True)), "restricted (NULL)"),
        (alter("owner", OwnKey("crops.Plant", F.CASCADE, null=True)), "restricted (NULL)"),
        (
            alter("owner", OwnKey("crops.Plant", F.CASCADE, db_constraint=False)),
            "restricted (dangling)",
        ),
        (alter("loose", F.ForeignKey("crops.Plant", F.CASCADE)), "breaking (constrained)"),
        (alter("farm", F.ForeignKey("crops.Crop", F.CASCADE)), "breaking (target)"),
        (alter("name", F.CharField(max_length=50, db_collation="C")), "breaking (collation)"),
        (alter("slug", F.SlugField(db_index=True)), "compatible"),
        (alter("grade", F.SmallIntegerField(db_default=1, unique=True)), "breaking"),
        (alter("once", F.SmallIntegerField(db_default=2, unique=True)), "breaking (db_default)"),
        # An index has an entry for every row of old code.
        (index(fields=["any"]), "restricted (unbounded)"),
        (index(fields=["words"]), "restricted (unbounded)"),
        (index(fields=["words"], kind=BrinIndex), "restricted (unbounded)"),
        (index(fields=["code", "name"]), "restricted (unbounded)"),
        (index(fields=["code"]), "compatible"),
        # A new column that old rows, or SQL of old code, cannot stand.
        (field(Checked(null=True)), "breaking (check)"),
        (field(Filled(null=True)), "unknown (type)"),
        (field(Single(null=True)), "unknown (type)"),
        (field(F.IntegerField(null=True), "acres"), "restricted (ambiguous)"),
        (postgres.CreateExtension("intarray"), "unknown (extension)"),
        (postgres.CreateExtension("hstore"), "compatible"),
        (postgres.CreateCollation("german", "de-x-icu"), "compatible"),
        (postgres.RemoveCollation("german", "de-x-icu"), "breaking"),
        (both(), "compatible"),
        (both(field(F.IntegerField(null=True))), "compatible"),
        (both(field(F.IntegerField(default=0))), "breaking"),
        (both(both(M.RunSQL("select 1"))), "unknown"),
        (both(field(F.IntegerField(null=True)), alter("extra", F.IntegerField())), "breaking"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_an_operation_means(operation: Any, label: str) -> None:
    state = ProjectState()
    CROP.state_forwards("crops", state)
    AREA.state_forwards("crops", state)
    for name, column in MORE.items():
        field(column, name).state_forwards("crops", state)
    before = sorted(state.models)

    known = Known(connection)
    known.created.add(("crops", "plant"))

    found, why, statements = classify(operation, "crops", state, known)

    assert (f"{found} ({why})" if why else found) == label
    assert bool(statements) is (found == "restricted")

    assert sorted(state.models) == before


def told(*operations: Any, existing: Sequence[str] = (), known: Sequence[Any] = ()) -> list[str]:
    """What a migration's operations mean on the tables of these models."""
    migration, state = M.Migration("0001", "crops"), ProjectState()
    migration.operations = list(operations)
    for one in known:
        one.state_forwards("crops", state)
    whole = describe((migration, False), state, Known(connection, existing))
    return list(map(shown, whole["operations"]))


def shown(operation: list[str]) -> str:
    label, kind, target, detail, *_ = [*operation, "", ""]
    return f"{label} {kind}{f'({detail})' if detail else ''} {target}".strip()


@pytest.mark.parametrize(
    ("created", "existing"),
    [
        (M.CreateModel("Old", CROP.fields), ["crops_old"]),
        (M.CreateModel("Old", CROP.fields, {"db_table": "Plants"}), ["plants"]),
        (M.CreateModel("Old", CROP.fields, {"db_table": '"farm"."old"'}), []),
        (M.CreateModel("O" * 60, CROP.fields), []),
    ],
    ids=["there", "there by a name", "in a schema", "cut"],
)
def test_a_table_that_may_be_there_already_does_not_come_with_the_plan(
    created: Any, existing: list[str]
) -> None:
    [_, removed] = told(created, M.RemoveField(created.name, "size"), existing=existing)

    assert removed.startswith("breaking RemoveField")


def test_what_only_the_database_half_creates_is_not_what_the_models_mean_by_that_name() -> None:
    other = M.CreateModel("Crop", CROP.fields, {"db_table": "copy"})
    half = M.SeparateDatabaseAndState(database_operations=[other])

    assert told(half, M.RemoveField("Crop", "size"), known=[CROP])[1].startswith("breaking")


@pytest.mark.parametrize("column", [F.ForeignKey, F.OneToOneField, F.ManyToManyField])
def test_a_new_proxy_is_the_table_of_its_old_model(column: Any) -> None:
    proxy = M.CreateModel("Sweet", [], {"proxy": True}, bases=("crops.crop",))
    options = {} if column is F.ManyToManyField else {"on_delete": F.CASCADE}

    found = told(proxy, table(column("crops.Sweet", **options)), known=[CROP])

    assert found == ["compatible CreateModel Sweet", "restricted CreateModel(ForeignKey) Order"]


def test_a_new_table_that_refers_to_an_old_one_only_later_does_too() -> None:
    later = [
        PLANT,
        M.AddField("Plant", "crop", F.ForeignKey("crops.Crop", F.CASCADE, null=True)),
        M.AddField("Plant", "number", F.IntegerField(null=True)),
        M.AlterField("Plant", "number", TO_CROP),
    ]

    assert told(*later, known=[CROP]) == [
        "compatible CreateModel Plant",
        "restricted AddField(ForeignKey) Plant.crop",
        "compatible AddField Plant.number",
        "restricted AlterField(ForeignKey) Plant.number",
    ]


class Dated(F.Model):
    """An abstract base of the app."""

    day = F.DateField(null=True)
    of = F.ForeignKey("crops.Crop", F.CASCADE)

    class Meta:
        abstract = True
        app_label = "crops"


GRADE = F.SmallIntegerField(db_default=1)
LOW = {"condition" if django.VERSION >= (5, 1) else "check": F.Q(grade__lt=3)}


@pytest.mark.parametrize(
    ("operation", "statements"),
    [
        (M.CreateModel("Fruit", [], bases=("crops.Crop",)), ["DELETE crops_crop"]),
        (M.CreateModel("Note", [], bases=(Dated,)), ["DELETE crops_crop"]),
        (
            table(F.ForeignKey("crops.Crop", F.CASCADE, to_field="name")),
            ["DELETE crops_crop", "UPDATE crops_crop"],
        ),
        (
            table(F.ForeignKey("crops.Label", F.CASCADE)),
            ["DELETE crops_label", "UPDATE crops_label"],
        ),
        (
            M.CreateModel("Tag", [], bases=("crops.Label",)),
            ["DELETE crops_label", "UPDATE crops_label"],
        ),
        (
            field(F.ManyToManyField("crops.Label")),
            ["DELETE crops_crop", "DELETE crops_label", "UPDATE crops_label"],
        ),
        (table(F.ForeignKey("crops.Herb", F.CASCADE)), ["DELETE crops_herb"]),
        (field(F.ManyToManyField("self")), ["DELETE crops_crop"]),
        (M.RemoveIndex("Crop", "by_name"), ["SELECT crops_crop"]),
        (M.RemoveConstraint("Crop", "once"), ["INSERT crops_crop", "SELECT crops_crop"]),
        (M.RemoveConstraint("Crop", "low"), ["SELECT crops_crop"]),
        (M.AlterUniqueTogether("Crop", set()), ["INSERT crops_crop", "SELECT crops_crop"]),
        (index(fields=["story"]), ["INSERT crops_crop", "UPDATE crops_crop"]),
        (
            M.AlterField("Field", "id", F.BigAutoField(primary_key=True)),
            [
                f"{call} crops_{name}"
                for call in ("INSERT", "SELECT", "UPDATE")
                for name in ("bed", "field", "mound", "pot")
            ],
        ),
    ],
)
def test_a_restricted_operation_names_the_statements(operation: Any, statements: list[str]) -> None:
    state, known = ProjectState(), Known(connection)
    area = M.CreateModel("Field", [("id", F.AutoField(primary_key=True))])
    bed = M.CreateModel("Bed", [("it", F.ForeignKey("crops.Field", F.CASCADE))])
    plot = M.CreateModel("Plot", [], {"proxy": True}, bases=("crops.Field",))
    mound_key = F.OneToOneField("crops.Plot", F.CASCADE, primary_key=True)
    mound = M.CreateModel("Mound", [("it", mound_key)])
    pot = M.CreateModel("Pot", [("it", F.ForeignKey("crops.Mound", F.CASCADE))])
    far = M.CreateModel("Far", [("it", F.ForeignKey("crops.Pot", F.CASCADE))])
    label_ = M.CreateModel("Label", [("code", F.CharField(max_length=9, primary_key=True))])
    link = F.OneToOneField("crops.Crop", F.CASCADE, primary_key=True, parent_link=True)
    herb = M.CreateModel("Herb", [("crop_ptr", link)], bases=("crops.Crop",))
    rules = [
        F.UniqueConstraint(fields=["name"], name="once"),
        F.CheckConstraint(name="low", **LOW),
    ]
    options = {"constraints": rules, "unique_together": {("name", "size")}}
    crop = M.CreateModel("Crop", CROP.fields, options)
    for one in (crop, area, bed, label_, herb, plot, mound, pot, far):
        one.state_forwards("crops", state)

    label, _, found = classify(operation, "crops", state, known)

    assert (label, found) == ("restricted", statements)


def judged(operation: Any, state: ProjectState, known: Known) -> str:
    label, why, _ = classify(operation, "crops", state, known)
    return f"{label} ({why})" if why else label


def once(*names: str, **more: Any) -> M.AddConstraint:
    return M.AddConstraint("Crop", F.UniqueConstraint(fields=names, name="new", **more))


def without(name: str) -> M.RemoveConstraint:
    return M.RemoveConstraint("Crop", name)


@pytest.mark.parametrize(
    ("operations", "label"),
    [
        ([once("name", "size")], "compatible"),
        ([M.AlterUniqueTogether("Crop", set()), once("size", "name")], "compatible"),
        (
            [M.AlterUniqueTogether("Crop", {("name", "size"), ("name", "size", "farm")})],
            "compatible",
        ),
        ([without("known"), once("farm_id", "name")], "compatible"),
        ([alter("once", F.SmallIntegerField(db_default=1)), once("once", "size")], "compatible"),
        ([once("id", deferrable=F.Deferrable.DEFERRED)], "breaking"),
        ([once("name", "size", include=["story"])], "restricted (unbounded)"),
        ([once("name", "size", "story")], "restricted (unbounded)"),
        # None of these refuses only what is refused already.
        ([once("name")], "breaking"),
        ([once("size")], "breaking"),
        ([once("grade")], "breaking"),
        ([once("farm", "size")], "breaking"),
        ([once("price")], "breaking"),
        ([once("name", "size", condition=F.Q(size=1 / F.F("grade")))], "breaking"),
        ([M.AddConstraint("Crop", F.CheckConstraint(name="low", **LOW))], "breaking"),
        ([M.AddConstraint("Crop", F.UniqueConstraint(F.F("name"), name="new"))], "breaking"),
        ([M.AddConstraint("Crop", OwnRule(fields=["name", "size"], name="new"))], "breaking"),
        ([once("name", "size", opclasses=["text_ops", "int_ops"])], "breaking"),
        # The plan itself has made it unique, be it for Django alone.
        ([M.SeparateDatabaseAndState(state_operations=[once("name")]), once("name")], "breaking"),
        ([alter("story", F.TextField(unique=True)), once("story")], "breaking"),
    ],
)
def test_a_rule_that_refuses_only_what_another_one_refused_is_no_danger(
    operations: list[Any], label: str
) -> None:
    rules = [
        F.UniqueConstraint(fields=["farm", "name"], name="known"),
        F.UniqueConstraint(fields=["size"], name="part", condition=F.Q(size__gt=1)),
        F.UniqueConstraint(fields=["grade"], name="late", deferrable=F.Deferrable.DEFERRED),
        F.UniqueConstraint(fields=["price"], name="more", include=["name"]),
    ]
    options = {"constraints": rules, "unique_together": {("name", "size")}}
    state, known = ProjectState(), Known(connection)
    fields = [*CROP.fields, *MORE.items()]
    M.CreateModel("Crop", fields, options).state_forwards("crops", state)

    for operation in operations:
        found = judged(operation, state, known)
        operation.state_forwards("crops", state)

    assert found == label


@pytest.mark.skipif(django.VERSION < (5, 0), reason="it has no nulls_distinct")
def test_a_rule_that_compares_null_refuses_more() -> None:
    state = ProjectState()
    options = {"unique_together": {("name", "size")}}
    M.CreateModel("Crop", CROP.fields, options).state_forwards("crops", state)

    found = judged(once("name", "size", nulls_distinct=False), state, Known(connection))

    assert found == "breaking"


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ({}, "compatible"),
        ({"constraints": [F.CheckConstraint(name="low", **LOW)]}, "breaking"),
        ({"constraints": [F.UniqueConstraint(fields=["grade", "size"], name="one")]}, "breaking"),
        ({"unique_together": {("grade", "size")}}, "breaking"),
        ({"indexes": [F.Index(1 / F.F("grade"), name="part")]}, "breaking"),
        ({"indexes": [F.Index(fields=["grade"], name="part")]}, "compatible"),
        ({"indexes": [F.Index(fields=["grade", "story"], name="part")]}, "breaking"),
        ({"indexes": [F.Index(fields=["size"], include=["grade"], name="part")]}, "compatible"),
    ],
)
def test_a_new_default_of_the_database_is_a_value_that_other_rules_may_refuse(
    options: dict[str, Any], label: str
) -> None:
    made = M.CreateModel("Crop", [*CROP.fields, ("grade", GRADE)], options)

    [found] = told(alter("grade", F.SmallIntegerField(db_default=5)), known=[made])

    assert found.startswith(label)


def test_a_new_default_of_the_database_may_be_too_long_for_the_index_of_the_column() -> None:
    made, then = (F.TextField(db_default=each, db_index=True) for each in ("a", "long" * 999))

    found = told(alter("note", then), known=[M.CreateModel("Crop", [("note", made)])])

    assert found == ["breaking AlterField(db_default) Crop.note"]


def test_an_old_model_has_the_fields_of_its_abstract_base_too() -> None:
    note = M.CreateModel("Note", [], bases=(Dated,))

    [found] = told(field(F.DateField(null=True), "day"), known=[CROP, note])

    assert found == "restricted AddField(ambiguous) Crop.day"


def test_a_join_with_a_child_is_one_with_its_parents_too() -> None:
    child = M.CreateModel("Herb", [], bases=("crops.Crop",))
    other = M.CreateModel(
        "Bed", [("day", F.DateField()), ("herb", F.ForeignKey("crops.Herb", F.CASCADE))]
    )

    [found] = told(field(F.DateField(null=True), "day"), known=[CROP, child, other])

    assert found == "restricted AddField(ambiguous) Crop.day"


@pytest.mark.parametrize(
    ("column", "label"),
    [
        (F.ForeignKey("self", F.CASCADE), "compatible"),
        (F.ManyToManyField("self"), "breaking"),
        (F.ManyToManyField("self", through="crops.Plant"), "compatible"),
    ],
)
def test_a_new_name_for_the_same_table_matters_where_columns_are_named_after_it(
    column: Any, label: str
) -> None:
    named = M.CreateModel("Crop", [*CROP.fields, ("it", column)], {"db_table": "crops"})

    assert told(M.RenameModel("Crop", "Fruit"), known=[named])[0].startswith(label)


NEW = M.CreateModel("Plot", [("id", F.BigAutoField(primary_key=True))])
OLD = M.CreateModel("Crop", CROP.fields, {"db_table": "old"})


@pytest.mark.parametrize(
    "operations",
    [
        [NEW, M.RenameModel("Plot", "Bed"), M.RenameModel("Crop", "Plot")],
        [NEW, M.DeleteModel("Plot"), M.RenameModel("Crop", "Plot")],
        [
            NEW,
            M.SeparateDatabaseAndState(
                state_operations=[
                    M.DeleteModel("Plot"),
                    M.DeleteModel("Crop"),
                    M.CreateModel("Plot", CROP.fields, {"db_table": "old"}),
                ]
            ),
        ],
        [
            NEW,
            M.RunSQL(
                M.RunSQL.noop,
                state_operations=[M.DeleteModel("Plot"), M.RenameModel("Crop", "Plot")],
            ),
        ],
    ],
)
def test_an_old_table_that_gets_the_name_of_a_new_model_is_still_old(operations: list[Any]) -> None:
    found = told(*operations, M.AddField("Plot", "kind", F.TextField()), known=[OLD])

    assert found[-1] == "breaking AddField Plot.kind"


def test_a_renamed_model_gets_another_content_type_which_old_code_does_not_find() -> None:
    state, known = ProjectState(), Known(connection)
    OLD.state_forwards("crops", state)
    rename = M.RenameModel("Crop", "Plant")
    assert judged(rename, state, known) == "compatible"

    M.CreateModel("ContentType", []).state_forwards("contenttypes", state)

    assert judged(rename, state, known) == "data (contenttypes)"


def test_a_domain_of_the_server_may_refuse_a_row_that_leaves_the_column_out() -> None:
    state, known = ProjectState(), Known(connection)
    CROP.state_forwards("crops", state)
    column = field(Postcode(max_length=9, null=True))
    assert judged(column, state, known) == "compatible"

    known.domains = {"postcode"}

    assert judged(column, state, known) == "unknown (type)"


def test_a_wider_key_is_wider_in_the_tables_that_django_makes_for_many_to_many_fields() -> None:
    state, known = ProjectState(), Known(connection)
    key = ("id", F.AutoField(primary_key=True))
    for one in (
        M.CreateModel("Bin", [key, ("fans", F.ManyToManyField("crops.Farm"))]),
        M.CreateModel("Farm", [key, ("bins", F.ManyToManyField("crops.Bin", db_table="in_bin"))]),
    ):
        one.state_forwards("crops", state)
    wider = M.AlterField("Bin", "id", F.BigAutoField(primary_key=True))

    _, _, found = classify(wider, "crops", state, known)

    assert {one.split()[1] for one in found} >= {"crops_bin", "crops_bin_fans", "in_bin"}


SHORT, LESS_SHORT = (alter("name", F.CharField(max_length=size)) for size in (5, 8))


@pytest.mark.parametrize(
    ("before", "label"),
    [
        (M.SeparateDatabaseAndState(state_operations=[SHORT]), "unknown (state)"),
        (M.RunSQL(M.RunSQL.noop, state_operations=[SHORT]), "unknown (state)"),
        (M.SeparateDatabaseAndState([SHORT], [SHORT]), "compatible"),
    ],
)
def test_a_column_that_changed_for_django_alone_is_another_one_in_the_database(
    before: Any, label: str
) -> None:
    state, known = ProjectState(), Known(connection)
    CROP.state_forwards("crops", state)
    judged(before, state, known)
    before.state_forwards("crops", state)

    assert judged(LESS_SHORT, state, known) == label


def test_a_wider_number_is_wider_in_the_columns_that_refer_to_it() -> None:
    state, known = ProjectState(), Known(connection)
    to_number = F.ForeignKey("crops.Bin", F.CASCADE, to_field="number")
    for one in (
        M.CreateModel("Bin", [("number", F.IntegerField(unique=True))]),
        M.CreateModel("Shelf", [("bin", to_number)]),
    ):
        one.state_forwards("crops", state)
    wider = M.AlterField("Bin", "number", F.BigIntegerField(unique=True))

    _, _, found = classify(wider, "crops", state, known)

    assert {one.split()[1] for one in found} == {"crops_bin", "crops_shelf"}


@pytest.mark.parametrize("options", [{"managed": False}, {"proxy": True}, {"swappable": "CROPS"}])
@pytest.mark.parametrize(
    "operation", [field(F.IntegerField()), M.DeleteModel("Crop"), M.AlterModelTable("Crop", "x")]
)
def test_django_makes_no_sql_for_a_model_without_a_table_of_its_own(
    operation: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CROPS", "farms.Crop", raising=False)
    known = M.CreateModel("Crop", CROP.fields, options)

    assert told(operation, known=[known])[0].startswith("compatible")


@pytest.mark.parametrize("null", [True, False])
@pytest.mark.skipif(not hasattr(F, "GeneratedField"), reason="of Django 5.0")
def test_a_column_that_the_database_reckons_may_refuse_a_row(null: bool) -> None:
    reckoned = F.GeneratedField(
        expression=F.F("price") / F.F("size"), output_field=F.FloatField(null=null), db_persist=True
    )

    assert told(field(reckoned), known=[CROP]) == ["breaking AddField(GeneratedField) Crop.extra"]
    assert told(CROP, field(reckoned))[1] == "compatible AddField Crop.extra"


@pytest.mark.skipif(not hasattr(F, "DB_CASCADE"), reason="of Django 6.1")
@pytest.mark.parametrize(
    ("before", "after", "label"),
    [
        ("CASCADE", "PROTECT", "compatible AlterField"),
        ("CASCADE", "DB_CASCADE", "breaking AlterField(on_delete)"),
        ("DB_CASCADE", "CASCADE", "breaking AlterField(on_delete)"),
        ("DB_CASCADE", "DO_NOTHING", "breaking AlterField(on_delete)"),
        ("DB_SET_NULL", "DB_CASCADE", "breaking AlterField(on_delete)"),
        ("DB_CASCADE", "DB_CASCADE", "compatible AlterField"),
    ],
)
def test_who_deletes_what_refers_to_a_row_matters_where_it_is_the_database(
    before: str, after: str, label: str
) -> None:
    old, new = (F.ForeignKey("crops.Crop", getattr(F, name), null=True) for name in (before, after))

    found = told(M.AlterField("Order", "it", new), known=[CROP, table(old)])

    assert found == [f"{label} Order.it"]


@pytest.mark.skipif(not hasattr(F, "DB_CASCADE"), reason="of Django 6.1")
@pytest.mark.parametrize(
    "deletes",
    # A check may refuse the NULL that the database sets, and rows may hold those that it deletes.
    ["DB_CASCADE", "DB_SET_NULL", "DB_SET_DEFAULT"],
)
def test_what_the_database_itself_does_on_a_delete_may_fail(deletes: str) -> None:
    default = {"db_default": 1} if "DEFAULT" in deletes else {}
    column = F.ForeignKey("crops.Crop", getattr(F, deletes), null=True, **default)

    [found] = told(table(column), known=[CROP])

    assert found.startswith("restricted")


@pytest.mark.skipif(not hasattr(F, "DB_CASCADE"), reason="of Django 6.1")
def test_a_row_that_the_database_deletes_with_another_one_keeps_that_one_too() -> None:
    def made(name: str, **fields: Any) -> M.CreateModel:
        return M.CreateModel(name, list(fields.items()))

    state, known = ProjectState(), Known(connection)
    shop = made("Shop", of=F.ForeignKey("crops.Town", F.DB_CASCADE))
    shelf = made("Shelf", of=F.ForeignKey("crops.Shop", F.DB_CASCADE))
    twin = M.CreateModel("Twin", [], {"managed": False, "db_table": "crops_shelf"})
    for one in (made("Town"), shop, shelf, twin):
        one.state_forwards("crops", state)

    _, _, found = classify(table(F.ForeignKey("crops.Twin", F.CASCADE)), "crops", state, known)

    assert found == ["DELETE crops_shelf", "DELETE crops_shop", "DELETE crops_town"]


def describe_alone(operation: Any) -> dict[str, Any]:
    """A migration with this operation alone, after the one that creates the model."""
    migration, state = M.Migration("0002", "crops"), ProjectState()
    migration.operations = [operation]
    CROP.state_forwards("crops", state)
    return describe((migration, False), state, Known(connection))


@pytest.mark.parametrize(
    ("operation", "shows"),
    [
        (alter("size", F.IntegerField(default=0)), False),
        (both(alter("size", F.IntegerField(default=0))), False),
        (both(both(alter("size", F.IntegerField(default=0)))), False),
        (both(M.RunPython(print)), False),
        (alter("size", F.BigIntegerField(null=True)), True),
        (both(field(F.IntegerField(null=True))), True),
        # Collations and extensions are not part of the schema that is compared.
        (postgres.CreateCollation("german", "de-x-icu"), False),
        (postgres.TrigramExtension(), False),
    ],
)
def test_rows_that_an_operation_fills_do_not_show_in_the_schema(
    operation: Any, shows: bool
) -> None:
    assert describe_alone(operation)["shows"] is shows


@pytest.mark.parametrize("method", ["apply", "unapply"])
def test_a_migration_with_a_method_of_its_own_may_do_anything(method: str) -> None:
    own = type("Migration", (M.Migration,), {method: lambda *_: None})

    whole = describe((own("0002", "crops"), False), ProjectState(), Known(connection))

    assert whole["class"] == "unknown"
    assert whole["operations"] == [["unknown", "Migration.apply"]]
    assert whole["irreversible"]


@pytest.mark.parametrize(
    ("operation", "irreversible"),
    [
        (field(F.IntegerField(null=True)), ""),
        (M.RemoveField("Crop", "size"), ""),
        (M.RemoveField("Crop", "name"), "RemoveField"),
        (M.RunPython(M.RunPython.noop, M.RunPython.noop), ""),
        (M.RunPython(M.RunPython.noop), "RunPython"),
        (M.RunSQL("select 1"), "RunSQL"),
        (both(field(F.IntegerField(null=True))), ""),
        (both(both(M.RunSQL("select 1"))), "SeparateDatabaseAndState"),
        (Twin("Crop", "extra", F.IntegerField(null=True)), "Twin"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_operation_that_cannot_be_reversed_for_certain_is_named(
    operation: Any, irreversible: str
) -> None:
    assert describe_alone(operation)["irreversible"] == irreversible


def test_changes_to_a_table_that_comes_with_the_same_plan_break_nobody() -> None:
    migration = M.Migration("0001", "crops")
    migration.operations = [
        CROP,
        field(F.IntegerField(default=0)),
        M.AddConstraint("Crop", UNIQUE),
        M.RenameModel("Crop", "Plant"),
        M.RemoveField("Plant", "size"),
    ]

    whole = describe((migration, False), ProjectState(), Known(connection))

    assert [one[0] for one in whole["operations"]] == ["compatible"] * 5
    assert whole["class"] == "compatible"
    assert whole["name"] == "crops.0001"


@pytest.mark.parametrize(
    "operations",
    [
        [field(F.IntegerField(default=0))],
        [M.RemoveField("Crop", "size")],
        [M.DeleteModel("Crop")],
        [M.RenameField("Crop", "size", "width")],
        [M.RenameModel("Crop", "Fruit")],
        [M.AlterModelTable("Crop", "fruits")],
        [alter("size", F.TextField(null=True))],
        [alter("name", F.CharField(max_length=50, unique=True))],
        [M.AddConstraint("Crop", UNIQUE)],
        [M.AlterUniqueTogether("Crop", {("name", "size")})],
        [alter("size", F.IntegerField())],
        [M.RunPython(print)],
        [M.RunSQL("delete from crops_crop")],
        [postgres.AddIndexConcurrently("Crop", INDEX)],
        [postgres.RemoveIndexConcurrently("Crop", "by_name")],
        [both(postgres.AddIndexConcurrently("Crop", INDEX))],
        [field(F.IntegerField(null=True)), M.RunPython(print, M.RunPython.noop)],
    ],
    ids=[
        "column without a default",
        "dropped column",
        "dropped table",
        "renamed column",
        "renamed model",
        "renamed table",
        "changed type",
        "unique column",
        "unique constraint",
        "unique together",
        "NOT NULL",
        "Python without a reverse",
        "SQL without a reverse",
        "concurrent index in a transaction",
        "concurrent removal in a transaction",
        "concurrent index within another operation",
        "data and schema in one",
    ],
)
def test_each_kind_of_danger_that_django_migration_linter_knows_is_caught(
    operations: list[Any],
) -> None:
    migration, state = M.Migration("0002", "crops"), ProjectState()
    migration.operations = operations
    made = M.CreateModel("Crop", CROP.fields, {"indexes": [INDEX]})
    made.state_forwards("crops", state)

    assert describe((migration, False), state, Known(connection))["class"] != "compatible"


@pytest.mark.parametrize(("is_atomic", "label"), [(True, "unknown"), (False, "compatible")])
def test_a_concurrent_index_needs_a_migration_without_a_transaction(
    is_atomic: bool, label: str
) -> None:
    own = type("Migration", (M.Migration,), {"atomic": is_atomic})("0002", "crops")
    own.operations = [postgres.AddIndexConcurrently("Crop", INDEX)]
    state = ProjectState()
    CROP.state_forwards("crops", state)

    assert describe((own, False), state, Known(connection))["class"] == label


def test_backwards_everything_is_taken_away() -> None:
    migration = M.Migration("0001", "crops")
    migration.operations = [CROP, M.RemoveField("Crop", "size"), M.RunSQL("select 1", "select 2")]
    state = ProjectState()
    CROP.state_forwards("crops", state)
    M.RemoveField("Crop", "size").state_forwards("crops", state)

    whole = describe((migration, True), state, Known(connection))

    assert whole["class"] == "breaking"
    assert whole["reversed"]
    assert whole["operations"] == [
        ["breaking", "CreateModel", "Crop"],
        ["breaking", "RemoveField", "Crop.size"],
        ["breaking", "RunSQL", ""],
    ]


class Broken:
    """What can be asked for nothing."""

    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


def test_an_operation_that_cannot_be_judged_is_unknown_and_says_why() -> None:
    missing = alter("name", F.TextField())  # of a model that is not there
    migration = M.Migration("0001", "crops")
    migration.operations = [missing, Broken(), PLANT]

    whole = describe((migration, False), ProjectState(), Known(connection))

    assert whole["class"] == "unknown"
    assert whole["irreversible"] == "AlterField"
    assert whole["operations"] == [
        ["unknown", "AlterField", "Crop.name", "", "KeyError: ('crops', 'crop')"],
        ["unknown", "Broken", "", "", "LookupError: model_name"],
        ["compatible", "CreateModel", "Plant"],
    ]


def test_the_operations_after_one_that_cannot_be_judged_are_judged() -> None:
    odd = field(F.CharField(max_length="x", db_default="a"))

    assert told(odd, alter("extra", F.TextField()), index(fields=["extra"]), known=[CROP]) == [
        "unknown AddField Crop.extra",
        "breaking AlterField(type) Crop.extra",
        "restricted AddIndex(unbounded) Crop",
    ]


def declared(text: object, *operations: Any, spec: dict[str, str] | None = None) -> dict[str, Any]:
    """What is told of a migration with such a declaration."""
    own = type("Migration", (M.Migration,), {} if text is None else {"lightgate": text})
    migration, state = own("0002_fill", "crops"), ProjectState()
    migration.operations = list(operations)
    CROP.state_forwards("crops", state)
    return describe((migration, False), state, Known(connection, declared=spec))


@pytest.mark.parametrize(
    "operation", [M.RunPython(print), M.RunSQL("select 1"), Twin("Crop", "it", F.IntegerField())]
)
def test_what_cannot_be_read_has_the_class_that_the_team_declares(operation: Any) -> None:
    whole = declared("compatible: fills what only new code reads.", operation)

    assert whole["class"] == "compatible"
    assert whole["declared"] == ["compatible", "fills what only new code reads."]
    assert whole["operations"][0][:2] == ["compatible", type(operation).__name__]


def test_a_declaration_hides_nothing_that_is_seen_to_break() -> None:
    whole = declared("compatible: it is nothing", M.RunPython(print), M.RemoveField("Crop", "size"))

    assert whole["class"] == "breaking"


def test_a_declaration_does_not_make_an_operation_that_cannot_be_judged_known() -> None:
    assert declared("compatible: it is nothing", Broken(), PLANT)["class"] == "unknown"


def test_rows_that_a_declared_operation_changes_do_not_show_in_the_schema() -> None:
    assert not declared("compatible: it is nothing", M.RunPython(print))["shows"]


def test_a_declared_restriction_names_its_statements() -> None:
    whole = declared("restricted (DELETE crops_crop): rows refer to it", M.RunSQL("select 1"))

    assert whole["operations"] == [
        ["restricted", "RunSQL", "", "declared", "", ["DELETE crops_crop"]]
    ]


@pytest.mark.parametrize(
    "text",
    [
        "compatible", "compatible:", "safe: it is", "unknown: who", 3, "", "restricted: none",
        "restricted (DROP crops_crop): what", "compatible (DELETE x): what",
    ],
)  # fmt: skip
def test_what_is_no_declaration_is_ignored_and_told(text: object) -> None:
    whole = declared(text, M.RunPython(print))

    assert whole["class"] == "data"
    assert whole["declared"] == ["", f"{text!r} is no declaration"]


def test_the_spec_declares_what_nobody_can_edit() -> None:
    said = {"crops.0002_fill": "compatible: fills a new column only"}

    assert declared(None, M.RunPython(print), spec=said)["class"] == "compatible"
    assert "declared" not in declared(None, M.RunPython(print), spec={"crops.0003": "data: x"})
