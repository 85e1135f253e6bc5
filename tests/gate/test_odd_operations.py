"""Whatever the arguments of an operation are, judging it raises nothing."""

# mypy: disable-error-code="import-untyped, name-defined, misc"

import json
from typing import Any

from django.contrib.postgres import fields as pg
from django.contrib.postgres import indexes
from django.db import connection
from django.db import migrations as m
from django.db import models as f
from django.db.migrations.state import ProjectState
from hypothesis import given
from hypothesis import strategies as st

from lightgate.gate.programs.django_classifier.compatibility import ORDER, Known
from lightgate.gate.programs.django_classifier.operations import describe
from tests.gate.test_django_operations import CROP, M, Twin

ODD: st.SearchStrategy[Any] = st.sampled_from([
    None, True, False, -5, 0, 3.5, 10**30, "", "1000", "x", b"x", [], {}, ["x"], (), object(),
    f.NOT_PROVIDED, f.Value(None), f.F("nothing"), f.Q(name="x"), f.Value(1) / 0,
])  # fmt: skip
NAMES = st.sampled_from(
    ["name", "size", "farm", "farm_id", "pk", "nothing", "", "-name", "é", "id"]
)
KINDS = st.sampled_from([
    f.CharField, f.TextField, f.IntegerField, f.PositiveIntegerField, f.BooleanField, f.FileField,
    f.DecimalField, f.DateTimeField, f.JSONField, f.UUIDField, f.GenericIPAddressField,
    f.BinaryField, f.SlugField, f.AutoField, pg.ArrayField, pg.HStoreField, pg.DateRangeField,
    f.ForeignKey, f.ManyToManyField, f.OneToOneField, f.Field, f.GeneratedField,
])  # fmt: skip
OPTIONS = st.dictionaries(
    st.sampled_from([
        "null", "unique", "db_default", "default", "max_length", "db_index", "primary_key",
        "validators", "choices", "db_column", "to", "on_delete", "base_field", "max_digits",
        "decimal_places", "db_constraint", "expression", "output_field", "db_persist", "through",
    ]),
    ODD | st.sampled_from([f.CASCADE, "crops.Crop", "self", f.IntegerField(), [1, "x"]]),
    max_size=5,
)  # fmt: skip


@st.composite
def columns(draw: st.DrawFn) -> Any:
    try:
        return draw(KINDS)(**draw(OPTIONS))
    except Exception:  # noqa: BLE001 - Django refuses it before any migration is read
        return draw(ODD)


@st.composite
def some_indexes(draw: st.DrawFn) -> Any:
    kind = draw(st.sampled_from([f.Index, *(getattr(indexes, n) for n in indexes.__all__[:-1])]))
    try:
        one = kind(
            fields=draw(st.lists(NAMES, min_size=1, max_size=3)),
            name="by_it",
            condition=draw(st.none() | ODD),
            include=draw(st.none() | st.lists(NAMES, max_size=2)),
        )
    except Exception:  # noqa: BLE001
        return draw(ODD)
    one.opclasses = draw(st.sampled_from([(), ["gin_trgm_ops"], [None, 3], "x"]))
    return one


FARM = f.ForeignKey("crops.Farm", f.CASCADE)
OPERATIONS = st.one_of(
    st.builds(m.AddField, st.just("Crop"), NAMES, columns()),
    st.builds(m.AlterField, st.sampled_from(["Crop", "nothing"]), NAMES, columns()),
    st.builds(m.RemoveField, st.just("crop"), NAMES),
    st.builds(m.AddIndex, st.just("Crop"), some_indexes()),
    st.builds(
        m.CreateModel,
        NAMES,
        st.lists(st.tuples(NAMES, columns()), max_size=2),
        st.dictionaries(st.sampled_from(["db_table", "managed", "ordering"]), ODD),
    ),
    st.builds(m.RenameModel, NAMES, NAMES),
    st.builds(m.RenameField, NAMES, NAMES, NAMES),
    st.builds(m.DeleteModel, NAMES),
    st.builds(m.RunSQL, ODD),
    st.builds(Twin, st.just("Crop"), NAMES, columns()),
    ODD,
)


@st.composite
def migrations(draw: st.DrawFn) -> Any:
    """Some operations, of which Django itself makes a part, and an app the rest."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        try:
            found.append(draw(OPERATIONS))
        except Exception:  # noqa: BLE001, S112 - Django refuses to make it
            continue
    if draw(st.booleans()):
        found = [m.SeparateDatabaseAndState(database_operations=found)]
    return found


@given(operations=migrations(), is_backwards=st.booleans())
def test_no_argument_of_an_operation_is_too_odd(operations: Any, is_backwards: bool) -> None:
    migration, state = M.Migration("0002", "crops"), ProjectState()
    migration.operations = operations
    for one in (m.CreateModel("Farm", []), CROP, m.AddField("Crop", "farm", FARM)):
        one.state_forwards("crops", state)

    whole = describe((migration, is_backwards), state, Known(connection))

    for label, kind, *more in whole["operations"]:
        problem = "".join(more[2:3])
        assert label in ORDER
        assert kind
        assert not problem or label == "unknown"
    assert json.loads(json.dumps(whole)) == whole
