"""A command that has something to do though no migration is pending."""

import pytest

from tests.gate.programs import Runner
from tests.gate.projects import CREATE, Project, Rows
from tests.gate.test_django_as_migrate import add_to_settings

MODEL = """
    from django.db import models

    class Bag(models.Model):
        name = models.TextField(null=True)
    """


@pytest.fixture
def seeds(crops: Project) -> Project:
    """The project with one more app, which has no migrations."""
    crops.write("seeds/__init__.py", "")
    crops.write("seeds/models.py", MODEL)
    add_to_settings(crops, 'INSTALLED_APPS = ["crops", "seeds"]')
    return crops


@pytest.mark.parametrize("words", [[], ["seeds"]], ids=["all", "one app"])
def test_tables_of_apps_without_migrations_are_made_with_nothing_pending(
    runner: Runner, seeds: Project, rows: Rows, words: list[str]
) -> None:
    rows.begin()
    gate = seeds.gate(runner, *words, "--run-syncdb")
    gate.event("succeeded")
    assert "seeds_bag" in rows.tables()
    [told] = gate.event("plan")["migrations"]
    assert told["name"] == "seeds.run_syncdb"
    assert told["operations"] == [["compatible", "CreateModel", "Bag"]]
    again = seeds.gate(runner, *words, "--run-syncdb", release="r2")
    again.event("succeeded")
    assert (again.event("plan")["count"], again.named("applying")) == (0, [])


def test_a_table_of_an_app_without_migrations_that_refers_to_an_old_one_is_judged(
    runner: Runner, seeds: Project, rows: Rows
) -> None:
    rows.begin()
    seeds.write("crops/models.py", "from django.db import models\nclass Crop(models.Model):\n"
                "    name = models.TextField(null=True)\n")  # fmt: skip
    with (seeds.directory / "seeds/models.py").open("a") as models:
        models.write('    crop = models.ForeignKey("crops.Crop", models.CASCADE)\n')
    gate = seeds.gate(runner, "--run-syncdb", django={"policy": "block"})
    [told] = gate.event("plan")["migrations"]
    named = ["restricted", "CreateModel", "Bag", "ForeignKey", "", ["DELETE crops_crop"]]
    assert told["operations"] == [named]
    gate.event("succeeded")
    assert "seeds_bag" in rows.tables()


def test_a_squash_is_recorded_though_nothing_is_pending(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    """Otherwise the release that removes what it replaces would apply it once more."""
    rows.begin()
    crops.write(
        "crops/migrations/0001_squashed.py",
        "from django.db import migrations, models\n\nclass Migration(migrations.Migration):\n"
        f"    replaces = [('crops', '0001_initial')]\n    operations = [{CREATE}]\n",
    )
    crops.gate(runner).event("succeeded")
    assert rows.applied() == ["0001_initial", "0001_squashed"]
    again = crops.gate(runner, release="r2")
    again.event("succeeded")
    assert again.named("locked") == []
