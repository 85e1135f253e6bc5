"""A command that reverses what a release has applied: once, and only back to what there was."""

from typing import Any

from tests.gate.programs import Program, Runner
from tests.gate.projects import ADD_COLOUR, Project, Rows

RELEASE = "20250202t000000z-1b2c3d4e-8f7e"
BACK = f"{RELEASE}-back"
LATER = "20250303t000000z-2c3d4e5f-7e6d"
BREAKING = (
    'migrations.AddField("crop", "size", models.IntegerField(default=1))',
    'migrations.CreateModel("Farm", [("id", models.BigAutoField(primary_key=True)),'
    ' ("crop", models.ForeignKey("crop", models.CASCADE))])',
    'migrations.AddField("crop", "farms", models.ManyToManyField("farm", related_name="all"))',
    'migrations.RenameField("crop", "name", "title")',
    'migrations.AddConstraint("crop", models.UniqueConstraint(fields=["title"], name="one"))',
    'migrations.AlterUniqueTogether("crop", {("title", "size")})',
    'migrations.AddIndex("crop", models.Index(fields=["size"], name="by_size"))',
    'migrations.RenameModel("farm", "garden")',
)


def released(runner: Runner, crops: Project, *operations: str) -> None:
    for each in operations:
        crops.migration(each)
    crops.gate(runner, release=RELEASE).event("succeeded")


def reversing(runner: Runner, crops: Project, **changes: Any) -> Program:
    return crops.gate(
        runner,
        command=[*crops.manage, "migrate", "crops", "0001_initial"],
        django={"restores": RELEASE, "allowDestructive": True, "policy": "block"},
        **{"release": BACK, "container": "lightgate-command", **changes},
    )


def schema(rows: Rows) -> list[Any]:
    """All columns and rules, but the gate's own."""
    columns = rows(
        "select table_name, column_name, data_type, is_nullable, column_default"
        " from information_schema.columns where table_schema = 'public'"
        " and table_name not in ('lightgate_attempt', 'django_migrations') order by 1, 2"
    )
    rules = rows("select conname, pg_get_constraintdef(oid) from pg_constraint order by 1")
    indexes = rows("select indexname, indexdef from pg_indexes order by 1")
    ours = [one for one in (*rules, *indexes) if "lightgate" not in one[0]]
    return [columns, ours, rows.applied()]


def test_the_schema_is_as_before_the_release(runner: Runner, crops: Project, rows: Rows) -> None:
    rows.begin()
    before = schema(rows)
    released(runner, crops, *BREAKING)

    gate = reversing(runner, crops)
    done = gate.event("succeeded")

    assert schema(rows) == before
    assert set(done["left"]) == {"crops"}
    plan = gate.event("plan")
    assert all(one["reversed"] for one in plan["migrations"])
    assert plan["count"] == len(BREAKING)


def test_a_node_that_starts_again_reverses_nothing(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    released(runner, crops, ADD_COLOUR)
    reversing(runner, crops).event("succeeded")
    crops.gate(runner, release=LATER).event("succeeded")
    assert "colour" in rows.columns()

    gate = reversing(runner, crops)
    gate.event("succeeded")

    assert gate.named("applying") == gate.named("plan") == []
    assert "colour" in rows.columns()


def test_another_schema_than_before_keeps_the_gate_shut(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    released(runner, crops, ADD_COLOUR)
    rows("alter table crops_crop add column by_hand text")

    failed = reversing(runner, crops).event("failed")

    assert failed["cause"] == "unplanned"
    assert "differs from that before the release" in failed["error"]
    # And it is not tried again.
    assert reversing(runner, crops).event("failed")["cause"] == "attempt"


def test_nothing_is_reversed_if_the_schema_before_is_not_on_record(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    released(runner, crops, ADD_COLOUR)
    rows("delete from lightgate_attempt")

    failed = reversing(runner, crops).event("failed")

    assert (failed["cause"], failed["database"]) == ("refused", "unchanged")
    assert "colour" in rows.columns()
