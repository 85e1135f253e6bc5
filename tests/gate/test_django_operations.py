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
from django.db import migrations, models
from django.db.migrations.state import ProjectState

if not settings.configured:
    settings.configure(USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
    django.setup()

from lightgate.gate.programs.django_helper.compatibility import classify
from lightgate.gate.programs.django_helper.operations import describe

M, F = migrations, models


class Chosen(F.CharField):
    """A field of the app that chooses the type of its column."""

    def db_type(self, _: Any) -> str:
        return "citext"


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
}
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
        (field(F.IntegerField(null=True)), "additive"),
        (field(F.IntegerField(db_default=0)), "additive"),
        (field(F.IntegerField(db_default=None)), "contract"),
        (field(F.IntegerField(db_default=F.Value(None))), "contract"),
        (field(F.IntegerField(null=True, db_default=None)), "additive"),
        (field(F.BooleanField(db_default=False)), "additive"),
        (field(F.JSONField(db_default={"a": 1})), "additive"),
        (field(F.JSONField(db_default=F.Value("a"))), "contract (db_default)"),
        (field(F.JSONField(db_default=F.Value({"a": 1}, F.JSONField()))), "additive"),
        (field(F.DateTimeField(db_default=F.functions.Now())), "additive"),
        (field(F.DateField(db_default=F.functions.Now())), "additive"),
        (field(F.FloatField(db_default=F.functions.Random())), "additive"),
        (field(F.CharField(max_length=9, db_default=F.functions.Now())), "contract (db_default)"),
        (field(F.IntegerField(db_default=F.functions.Now())), "contract (db_default)"),
        (field(F.PositiveIntegerField(db_default=5)), "additive"),
        (field(F.PositiveIntegerField(null=True, db_default=-5)), "contract (db_default)"),
        (field(F.SmallIntegerField(db_default=40_000)), "contract (db_default)"),
        (field(F.CharField(max_length=3, db_default="long")), "contract (db_default)"),
        (field(F.CharField(max_length=4, db_default=F.Value("long"))), "additive"),
        (
            field(F.DecimalField(max_digits=4, decimal_places=2, db_default=1000)),
            "contract (db_default)",
        ),
        (field(F.BooleanField(null=True, db_default="maybe")), "contract (db_default)"),
        (field(F.UUIDField(db_default="x")), "contract (db_default)"),
        (field(F.IntegerField(db_default=F.Value(1) / 0)), "contract (db_default)"),
        (
            field(F.IntegerField(db_default=F.functions.NullIf(1, 1), null=True)),
            "contract (db_default)",
        ),
        (field(Choosy(max_length=9, db_default="a", null=True)), "contract (db_default)"),
        (field(F.ForeignKey("crops.Plant", F.CASCADE, db_default=5)), "contract (db_default)"),
        (field(F.GenericIPAddressField(db_default="")), "contract (db_default)"),
        (field(F.GenericIPAddressField(db_default="::1")), "additive"),
        (field(ArrayField(F.CharField(max_length=1), db_default=["ab"])), "contract (db_default)"),
        (field(ArrayField(F.CharField(max_length=1), db_default=[])), "additive"),
        (field(F.IntegerField(default=0)), "contract"),
        (field(F.TextField(default="", blank=True)), "contract"),
        (field(F.IntegerField(null=True, unique=True)), "contract"),
        (field(F.OneToOneField("self", F.CASCADE, null=True)), "contract"),
        (field(F.ForeignKey("self", F.CASCADE)), "contract"),
        (field(F.ForeignKey("self", F.CASCADE, null=True)), "contract (ForeignKey)"),
        (field(F.ForeignKey("self", F.CASCADE, null=True, db_constraint=False)), "additive"),
        (field(F.ForeignKey("farms.Farm", F.CASCADE, null=True)), "contract (ForeignKey)"),
        (field(F.ForeignKey("crops.Plant", F.CASCADE, null=True)), "additive"),
        (field(F.ManyToManyField("self")), "contract (ForeignKey)"),
        (field(F.ManyToManyField("self", db_constraint=False)), "additive"),
        (field(F.ManyToManyField("self", through="crops.Plant")), "additive"),
        (table(TO_CROP), "contract (ForeignKey)"),
        (table(F.OneToOneField("Crop", F.CASCADE)), "contract (ForeignKey)"),
        (table(F.ManyToManyField("crops.Crop")), "contract (ForeignKey)"),
        (table(F.ForeignKey("crops.Crop", F.CASCADE, db_constraint=False)), "additive"),
        (table(F.ForeignKey("self", F.CASCADE)), "additive"),
        (table(F.ForeignKey("crops.Plant", F.CASCADE)), "additive"),
        (table(TO_CROP, managed=False), "additive"),
        (Twin("Crop", "extra", F.IntegerField(null=True)), "unknown"),
        (M.RemoveField("Crop", "size"), "contract"),
        (M.RenameField("Crop", "size", "width"), "contract"),
        (M.RenameModel("Crop", "Plant"), "contract"),
        (M.DeleteModel("Crop"), "contract"),
        (M.AlterModelTable("Crop", "plants"), "contract"),
        (M.AlterUniqueTogether("Crop", {("name", "size")}), "contract"),
        (M.AlterOrderWithRespectTo("Crop", None), "contract"),
        (M.AddIndex("Crop", INDEX), "additive"),
        (postgres.AddIndexConcurrently("Crop", INDEX), "additive"),
        (index(fields=["-size", "name"]), "additive"),
        (index(F.functions.Cast("name", F.IntegerField())), "contract (expression)"),
        (index(fields=["name"], condition=F.Q(size__gt=1) & ~F.Q(name="")), "additive"),
        (
            index(fields=["name"], condition=F.Q(size=1) | F.Q(size__gt=1 / F.F("price"))),
            "contract (expression)",
        ),
        (index(fields=["size"], kind=OwnIndex), "contract (expression)"),
        (index(fields=["story"]), "contract (unbounded)"),
        (index(fields=["size"], include=["story"]), "contract (unbounded)"),
        (index(fields=["farm_id"]), "additive"),
        (index(fields=["farm_id", "story"]), "contract (unbounded)"),
        (index(fields=["photo"]), "contract (unbounded)"),
        (index(fields=["story"], kind=GinIndex), "contract (unbounded)"),
        (index(fields=["story"], kind=GinIndex, opclasses=["gin_trgm_ops"]), "additive"),
        (index(fields=["facts"], kind=GinIndex), "additive"),
        (index(fields=["words"], kind=GinIndex), "additive"),
        (index(fields=["sizes"], kind=GinIndex), "additive"),
        (index(fields=["tags"], kind=GinIndex), "contract (unbounded)"),
        (index(fields=["codes"], kind=GinIndex), "additive"),
        (index(fields=["name", "codes"] * 40, kind=GinIndex), "additive"),
        (index(fields=["words"], kind=GistIndex), "additive"),
        (
            index(fields=["story"], kind=GistIndex, opclasses=["gist_trgm_ops"]),
            "contract (unbounded)",
        ),
        (index(fields=["span"], kind=GistIndex), "additive"),
        (index(fields=["size"], include=["story"], kind=SpGistIndex), "contract (unbounded)"),
        (index(fields=["story"], kind=SpGistIndex), "additive"),
        (index(fields=["story"], kind=BrinIndex), "contract (unbounded)"),
        (index(fields=["price"], kind=BrinIndex), "additive"),
        (index(fields=["story"], kind=HashIndex), "additive"),
        (index(fields=["story"], kind=BloomIndex), "additive"),
        (index(fields=["choice"]), "contract (unbounded)"),
        (M.RemoveIndex("Crop", "by_name"), "contract"),
        (M.AddConstraint("Crop", UNIQUE), "contract"),
        (M.AlterModelOptions("Crop", {"ordering": ["name"]}), "additive"),
        (M.AlterModelManagers("Crop", []), "additive"),
        (postgres.TrigramExtension(), "additive"),
        (M.RunPython(M.RunPython.noop), "data"),
        (M.RunSQL("select 1"), "unknown"),
        (PLANT, "additive"),
        (alter("name", F.CharField(max_length=51)), "additive"),
        (alter("name", F.CharField(max_length=49)), "contract"),
        (alter("name", F.CharField()), "additive"),
        (alter("name", F.TextField()), "additive"),
        (alter("name", F.CharField(max_length="51")), "additive"),
        (alter("name", F.CharField(max_length="49")), "contract"),
        (alter("story", F.TextField(max_length=3)), "additive"),
        (alter("story", F.TextField(db_index=True, max_length="9")), "contract (unbounded)"),
        (alter("photo", F.FileField(max_length=900)), "contract"),
        (alter("name", F.CharField(max_length=50, help_text="x")), "additive"),
        (alter("name", F.CharField(max_length=50, null=True)), "contract (NULL)"),
        (alter("farm", F.ForeignKey("crops.Plant", F.CASCADE, null=True)), "contract (NULL)"),
        (alter("size", F.IntegerField(null=True, blank=True)), "additive"),
        (alter("name", F.CharField(max_length=50, unique=True)), "contract"),
        (alter("name", F.CharField(max_length=50, db_index=True)), "additive"),
        (alter("story", F.TextField(db_index=True)), "contract (unbounded)"),
        (alter("name", F.CharField(max_length=50, db_column="n")), "contract"),
        (alter("name", F.CharField(max_length=50, db_default="")), "additive"),
        (alter("grade", F.SmallIntegerField(db_default=3)), "additive"),
        (alter("grade", F.SmallIntegerField(db_default=0)), "additive"),
        (alter("grade", F.SmallIntegerField(db_default=40_000)), "contract"),
        (alter("grade", F.SmallIntegerField(db_default=None)), "contract"),
        (alter("grade", F.SmallIntegerField()), "contract"),
        (alter("name", F.IntegerField()), "contract"),
        (alter("name", Choosy(max_length=50, choices=[("a", "b")])), "contract"),
        (alter("size", F.IntegerField()), "contract"),
        (alter("size", F.BigIntegerField(null=True)), "additive"),
        (alter("size", F.SmallIntegerField(null=True)), "contract"),
        (alter("price", F.DecimalField(max_digits=6, decimal_places=3)), "contract"),
        (both(), "additive"),
        (both(field(F.IntegerField(null=True))), "additive"),
        (both(field(F.IntegerField(default=0))), "contract"),
        (both(both(M.RunSQL("select 1"))), "unknown"),
        (both(field(F.IntegerField(null=True)), alter("extra", F.IntegerField())), "contract"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_an_operation_means(operation: Any, label: str) -> None:
    state = ProjectState()
    CROP.state_forwards("crops", state)
    for name, column in MORE.items():
        field(column, name).state_forwards("crops", state)
    before = sorted(state.models)

    found, why = classify(operation, "crops", state, {("crops", "plant")}, [])

    assert (f"{found} ({why})" if why else found) == label

    assert sorted(state.models) == before


def told(*operations: Any, existing: Sequence[str] = (), known: Sequence[Any] = ()) -> list[str]:
    """What a migration's operations mean on the tables of these models."""
    migration, state = M.Migration("0001", "crops"), ProjectState()
    migration.operations = list(operations)
    for one in known:
        one.state_forwards("crops", state)
    whole = describe((migration, False), state, set(), existing)
    return list(map(shown, whole["operations"]))


def shown(operation: list[str]) -> str:
    label, kind, target, detail, *_ = [*operation, "", ""]
    return f"{label} {kind}{f'({detail})' if detail else ''} {target}".strip()


@pytest.mark.parametrize(
    ("created", "existing"),
    [
        (M.CreateModel("Old", CROP.fields), ["crops_old"]),
        (M.CreateModel("Old", CROP.fields, {"db_table": "Plants"}), ["plants"]),
        (M.CreateModel("Old", CROP.fields, {"db_table": "plants", "managed": False}), ["plants"]),
        (M.CreateModel("Old", CROP.fields, {"managed": False}), []),
        (M.CreateModel("Old", CROP.fields, {"db_table": '"farm"."old"'}), []),
        (M.CreateModel("O" * 60, CROP.fields), []),
    ],
    ids=["there", "there by a name", "unmanaged", "made by others", "in a schema", "cut"],
)
def test_a_table_that_may_be_there_already_does_not_come_with_the_plan(
    created: Any, existing: list[str]
) -> None:
    [_, removed] = told(created, M.RemoveField(created.name, "size"), existing=existing)

    assert removed.startswith("contract RemoveField")


def test_what_only_the_database_half_creates_is_not_what_the_models_mean_by_that_name() -> None:
    other = M.CreateModel("Crop", CROP.fields, {"db_table": "copy"})
    half = M.SeparateDatabaseAndState(database_operations=[other])

    assert told(half, M.RemoveField("Crop", "size"), known=[CROP])[1].startswith("contract")


@pytest.mark.parametrize("column", [F.ForeignKey, F.OneToOneField, F.ManyToManyField])
def test_a_new_proxy_is_the_table_of_its_old_model(column: Any) -> None:
    proxy = M.CreateModel("Sweet", [], {"proxy": True}, bases=("crops.crop",))
    options = {} if column is F.ManyToManyField else {"on_delete": F.CASCADE}

    found = told(proxy, table(column("crops.Sweet", **options)), known=[CROP])

    assert found == ["additive CreateModel Sweet", "contract CreateModel(ForeignKey) Order"]


def test_a_new_table_that_refers_to_an_old_one_only_later_does_too() -> None:
    later = [
        PLANT,
        M.AddField("Plant", "crop", F.ForeignKey("crops.Crop", F.CASCADE, null=True)),
        M.AddField("Plant", "number", F.IntegerField(null=True)),
        M.AlterField("Plant", "number", TO_CROP),
    ]

    assert told(*later, known=[CROP]) == [
        "additive CreateModel Plant",
        "contract AddField(ForeignKey) Plant.crop",
        "additive AddField Plant.number",
        "contract AlterField(ForeignKey) Plant.number",
    ]


@pytest.mark.parametrize("null", [True, False])
@pytest.mark.skipif(not hasattr(F, "GeneratedField"), reason="of Django 5.0")
def test_a_column_that_the_database_reckons_may_refuse_a_row(null: bool) -> None:
    reckoned = F.GeneratedField(
        expression=F.F("price") / F.F("size"), output_field=F.FloatField(null=null), db_persist=True
    )

    assert told(field(reckoned), known=[CROP]) == ["contract AddField(GeneratedField) Crop.extra"]
    assert told(CROP, field(reckoned))[1] == "additive AddField Crop.extra"


@pytest.mark.skipif(not hasattr(F, "DB_CASCADE"), reason="of Django 6.1")
@pytest.mark.parametrize(
    ("before", "after", "label"),
    [
        ("CASCADE", "PROTECT", "additive AlterField"),
        ("CASCADE", "DB_CASCADE", "contract AlterField(on_delete)"),
        ("DB_CASCADE", "CASCADE", "contract AlterField(on_delete)"),
        ("DB_CASCADE", "DO_NOTHING", "contract AlterField(on_delete)"),
        ("DB_SET_NULL", "DB_CASCADE", "contract AlterField(on_delete)"),
        ("DB_CASCADE", "DB_CASCADE", "additive AlterField"),
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
    ("deletes", "label"),
    [("DB_CASCADE", "additive"), ("DB_SET_NULL", "additive"), ("DB_SET_DEFAULT", "contract")],
)
def test_where_the_database_lets_go_by_itself_old_code_can_delete(deletes: str, label: str) -> None:
    column = F.ForeignKey(
        "crops.Crop",
        getattr(F, deletes),
        null=True,
        **({"db_default": 1} if "DEFAULT" in deletes else {}),
    )
    [found] = told(table(column), known=[CROP])

    assert found.startswith(label)


def describe_alone(operation: Any) -> dict[str, Any]:
    """A migration with this operation alone, after the one that creates the model."""
    migration, state = M.Migration("0002", "crops"), ProjectState()
    migration.operations = [operation]
    CROP.state_forwards("crops", state)
    return describe((migration, False), state, set(), [])


@pytest.mark.parametrize(
    ("operation", "shows"),
    [
        (alter("size", F.IntegerField(default=0)), False),
        (both(alter("size", F.IntegerField(default=0))), False),
        (both(both(alter("size", F.IntegerField(default=0)))), False),
        (both(M.RunPython(M.RunPython.noop)), False),
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

    whole = describe((own("0002", "crops"), False), ProjectState(), set(), [])

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

    whole = describe((migration, False), ProjectState(), set(), [])

    assert [one[0] for one in whole["operations"]] == ["additive"] * 5
    assert whole["class"] == "additive"
    assert whole["name"] == "crops.0001"


def test_backwards_everything_is_taken_away() -> None:
    migration = M.Migration("0001", "crops")
    migration.operations = [CROP, M.RemoveField("Crop", "size"), M.RunSQL("select 1", "select 2")]
    state = ProjectState()
    CROP.state_forwards("crops", state)
    M.RemoveField("Crop", "size").state_forwards("crops", state)

    whole = describe((migration, True), state, set(), [])

    assert whole["class"] == "contract"
    assert whole["reversed"]
    assert whole["operations"] == [
        ["contract", "CreateModel", "Crop"],
        ["contract", "RemoveField", "Crop.size"],
        ["contract", "RunSQL", ""],
    ]


class Broken:
    """What can be asked for nothing."""

    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


def test_an_operation_that_cannot_be_judged_is_unknown_and_says_why() -> None:
    missing = alter("name", F.TextField())  # of a model that is not there
    migration = M.Migration("0001", "crops")
    migration.operations = [missing, Broken(), PLANT]

    whole = describe((migration, False), ProjectState(), set(), [])

    assert whole["class"] == "unknown"
    assert whole["irreversible"] == "AlterField"
    assert whole["operations"] == [
        ["unknown", "AlterField", "Crop.name", "", "KeyError: ('crops', 'crop')"],
        ["unknown", "Broken", "", "", "LookupError: model_name"],
        ["additive", "CreateModel", "Plant"],
    ]


def test_the_operations_after_one_that_cannot_be_judged_are_judged() -> None:
    odd = field(F.CharField(max_length="x", db_default="a"))

    assert told(odd, alter("extra", F.TextField()), index(fields=["extra"]), known=[CROP]) == [
        "unknown AddField Crop.extra",
        "contract AlterField Crop.extra",
        "contract AddIndex(unbounded) Crop",
    ]
