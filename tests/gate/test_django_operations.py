"""What each operation means for the release that is still serving."""

# mypy: disable-error-code="import-untyped, name-defined, misc"

from typing import Any

import django
import pytest
from django.conf import settings
from django.contrib.postgres import operations as postgres
from django.db import migrations, models
from django.db.migrations.state import ProjectState

if not settings.configured:
    settings.configure(USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
    django.setup()

from lightgate.gate.django_helper import classify, describe

M, F = migrations, models
CROP = M.CreateModel(
    "Crop",
    [
        ("id", F.BigAutoField(primary_key=True)),
        ("name", F.CharField(max_length=50)),
        ("size", F.IntegerField(null=True)),
        ("slug", F.SlugField(db_index=False, unique=False)),
        ("price", F.DecimalField(max_digits=6, decimal_places=2)),
    ],
)
INDEX = F.Index(fields=["name"], name="by_name")
UNIQUE = F.UniqueConstraint(fields=["name"], name="one_name")


def field(column: Any, name: str = "extra") -> M.AddField:
    return M.AddField("Crop", name, column)


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
        (field(F.IntegerField(default=0)), "contract"),
        (field(F.TextField(default="", blank=True)), "contract"),
        (field(F.IntegerField(null=True, unique=True)), "contract"),
        (field(F.OneToOneField("self", F.CASCADE, null=True)), "contract"),
        (field(F.ForeignKey("self", F.CASCADE, null=True)), "additive"),
        (field(F.ForeignKey("self", F.CASCADE)), "contract"),
        (field(F.ManyToManyField("self")), "additive"),
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
        (M.RemoveIndex("Crop", "by_name"), "contract"),
        (M.AddConstraint("Crop", UNIQUE), "contract"),
        (M.AlterModelOptions("Crop", {"ordering": ["name"]}), "additive"),
        (M.AlterModelManagers("Crop", []), "additive"),
        (postgres.TrigramExtension(), "additive"),
        (M.RunPython(M.RunPython.noop), "data"),
        (M.RunSQL("select 1"), "unknown"),
        (M.CreateModel("Plant", [("id", F.BigAutoField(primary_key=True))]), "additive"),
        (alter("name", F.CharField(max_length=51)), "additive"),
        (alter("name", F.CharField(max_length=49)), "contract"),
        (alter("name", F.CharField()), "additive"),
        (alter("name", F.TextField()), "additive"),
        (alter("name", F.CharField(max_length=50, null=True, help_text="x")), "additive"),
        (alter("name", F.CharField(max_length=50, unique=True)), "contract"),
        (alter("name", F.CharField(max_length=50, db_index=True)), "additive"),
        (alter("name", F.CharField(max_length=50, db_column="n")), "contract"),
        (alter("name", F.CharField(max_length=50, db_default="")), "additive"),
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
    before = sorted(state.models)

    assert classify(operation, "crops", state, set()) == label

    assert sorted(state.models) == before


def test_changes_to_a_table_that_comes_with_the_same_plan_break_nobody() -> None:
    migration = M.Migration("0001", "crops")
    migration.operations = [
        CROP,
        field(F.IntegerField(default=0)),
        M.AddConstraint("Crop", UNIQUE),
        M.RenameModel("Crop", "Plant"),
        M.RemoveField("Plant", "size"),
    ]

    told = describe((migration, False), ProjectState(), set())

    assert [label for label, _ in told["operations"]] == ["additive"] * 5
    assert told["class"] == "additive"
    assert told["name"] == "crops.0001"


def test_backwards_everything_is_taken_away() -> None:
    migration = M.Migration("0001", "crops")
    migration.operations = [CROP, M.RemoveField("Crop", "size"), M.RunSQL("select 1", "select 2")]
    state = ProjectState()
    CROP.state_forwards("crops", state)
    M.RemoveField("Crop", "size").state_forwards("crops", state)

    told = describe((migration, True), state, set())

    assert told["class"] == "contract"
    assert told["operations"] == [
        ["contract", "undo CreateModel Crop"],
        ["contract", "undo RemoveField Crop.size"],
        ["contract", "undo RunSQL"],
    ]


def test_an_operation_that_cannot_be_judged_is_unknown() -> None:
    migration = M.Migration("0001", "crops")
    migration.operations = [alter("name", F.TextField())]  # of a model that is not there
    assert describe((migration, False), ProjectState(), set())["class"] == "unknown"
