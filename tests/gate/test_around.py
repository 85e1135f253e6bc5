"""What comes before and after `migrate`, and what is applied beside the plan."""

import sys
from pathlib import Path

import pytest

from tests.gate.programs import Program, Runner, shell
from tests.gate.projects import ADD_COLOUR, REMOVE_NAME, Project, Rows


def mark(place: Path, name: str) -> list[str]:
    """A command that leaves a line in a file each time that it runs."""
    return shell(f"echo {name} >> {place}/ran")


def ran(place: Path) -> list[str]:
    file = place / "ran"
    return file.read_text().split() if file.exists() else []


def steps(gate: Program) -> list[str]:
    return [one["event"] for one in gate.events if one["event"] in ("running", "plan", "applying")]


def test_commands_run_before_the_plan_is_read_and_after_it_is_applied(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path
) -> None:
    rows.begin()
    name = crops.migration(ADD_COLOUR)
    around = {"before": [mark(tmp_path, "a"), mark(tmp_path, "b")], "then": [mark(tmp_path, "c")]}
    gate = crops.gate(runner, **around)
    assert gate.event("succeeded")["migrations"] == [name]
    assert ran(tmp_path) == ["a", "b", "c"]
    assert steps(gate)[:3] == ["running", "running", "plan"]
    assert steps(gate)[-1] == "running"
    # A node that is launched again repeats nothing of a release that has succeeded.
    again = crops.gate(runner, **around)
    again.event("succeeded")
    assert (ran(tmp_path), steps(again)) == (["a", "b", "c"], ["plan"])


def test_with_nothing_pending_they_run_in_each_release_and_migrate_does_not(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path
) -> None:
    rows.begin()
    around = {"before": [mark(tmp_path, "a")], "then": [mark(tmp_path, "c")]}
    for count, release in enumerate(("r1", "r2"), 1):
        gate = crops.gate(runner, release=release, command=[*crops.manage, "migrate"], **around)
        done = gate.event("succeeded")
        assert (done["migrations"], gate.named("applying")) == ([], [])
        assert ran(tmp_path) == ["a", "c"] * count


def test_a_rollback_runs_neither(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path
) -> None:
    rows.begin()
    crops.environment |= {"LIGHTGATE_ROLLBACK": "checked", "LIGHTGATE_RELEASE": "r2-rollback"}
    gate = crops.gate(runner, before=[mark(tmp_path, "a")], then=[mark(tmp_path, "c")])
    gate.event("succeeded")
    assert ran(tmp_path) == []


@pytest.mark.representatives(1)
@pytest.mark.parametrize("step", ["before", "then"])
def test_a_command_that_fails_is_named_with_its_step(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path, step: str
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    fails = shell("echo no such bucket; exit 3")
    gate = crops.gate(runner, **{step: [fails, mark(tmp_path, "later")]})
    failed = gate.event("failed")
    assert (failed["step"], failed["exitCode"]) == (step, 3)
    assert failed["command"] == " ".join(fails)
    assert failed["error"] == "no such bucket"
    assert ran(tmp_path) == []
    assert ("colour" in rows.columns()) is (step == "then")
    assert failed["database"] == ("unchanged" if step == "before" else "part-way")


def test_the_time_limit_is_one_for_all_of_them(runner: Runner, crops: Project, rows: Rows) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    gate = crops.gate(runner, before=[["sleep", "60"]], timeoutSeconds=1)
    failed = gate.event("failed")
    assert (failed["cause"], failed["step"]) == ("timeout", "before")
    assert "colour" not in rows.columns()


def test_migrations_that_are_made_before_are_in_the_plan(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.write("crops/models.py", "from django.db import models\nclass Crop(models.Model):\n"
                "    colour = models.TextField(null=True)\n")  # fmt: skip
    gate = crops.gate(
        runner, django={"policy": "block"}, before=[[*crops.manage, "makemigrations", "--noinput"]]
    )
    refused = gate.event("refused")["operations"]
    assert any("RemoveField crop.name" in one for one in refused)
    assert gate.event("failed")["cause"] == "refused"
    assert rows.columns() == {"id", "name"}


@pytest.mark.representatives(1)
@pytest.mark.parametrize("step", ["before", "then"])
@pytest.mark.parametrize("code", [0, 3])
def test_a_command_that_changes_the_schema_is_a_failure(
    runner: Runner, crops: Project, rows: Rows, step: str, code: int
) -> None:
    rows.begin()
    crops.write("drop.py", f"""
        import os, sys
        os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
        import django
        django.setup()
        from django.db import connection
        connection.cursor().execute("alter table crops_crop drop column name")
        sys.exit({code})
        """)  # fmt: skip
    gate = crops.gate(runner, **{step: [[sys.executable, "drop.py"]]})
    failed = gate.event("failed")
    assert failed["cause"] == ("exit" if code else "unplanned")
    assert failed["unplanned"] == ["the schema has changed without a migration on record"]
    assert failed["database"] == "part-way"


def test_the_table_of_a_cache_is_no_change_of_the_schema(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    with (crops.directory / "settings.py").open("a") as settings:
        settings.write(
            '\nCACHES = {"default": {"LOCATION": "a_cache",'
            ' "BACKEND": "django.core.cache.backends.db.DatabaseCache"}}\n'
        )
    crops.gate(runner, then=[[*crops.manage, "createcachetable"]]).event("succeeded")
    assert "a_cache" in rows.tables()


def test_a_health_check_that_migrates_is_a_failure(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    name = crops.migration(REMOVE_NAME)
    check = {"command": [*crops.manage, "migrate"], "retries": 0, "timeout": 60, "interval": 1}
    failed = crops.gate(runner, healthCheck=check, django={"policy": "block"}).event("failed")
    assert (failed["cause"], failed["unplanned"]) == ("unplanned", [name])


def test_a_migration_before_migrate_is_a_failure(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    name = crops.migration(REMOVE_NAME)
    gate = crops.gate(runner, before=[shell(f"{sys.executable} manage.py migrate")])
    failed = gate.event("failed")
    assert (failed["cause"], failed["unplanned"], failed["step"]) == ("unplanned", [name], "before")


def test_more_than_the_plan_is_a_failure_of_its_own(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    first = crops.migration(ADD_COLOUR)
    second = crops.migration(REMOVE_NAME)
    # The command does not stop where its words say so.
    crops.write("crops/models.py", "")  # without it Django sends no post_migrate
    crops.write("crops/apps.py", """
        from django.apps import AppConfig

        class CropsConfig(AppConfig):
            name = "crops"

            def ready(self):
                from django.core.management import call_command
                from django.db.models.signals import post_migrate

                def more(**_):
                    post_migrate.disconnect(more)
                    call_command("migrate", "--noinput")

                self.more = more
                post_migrate.connect(more)
        """)  # fmt: skip
    gate = crops.gate(runner, command=[*crops.manage, "migrate", "crops", "0002"])
    assert [one["name"] for one in gate.event("plan")["migrations"]] == [first]
    failed = gate.event("failed")
    assert (failed["cause"], failed["unplanned"]) == ("unplanned", [f"{second} was applied"])
    assert failed["error"] == f"{second} was applied"
    assert [state for _, state, _ in rows.attempts()] == ["failed"]
    assert "left" in failed


def test_another_app_in_the_same_database_is_none_of_our_changes(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    name = crops.migration(ADD_COLOUR)
    crops.write("crops/models.py", "")
    crops.write("crops/apps.py", """
        from django.apps import AppConfig

        class CropsConfig(AppConfig):
            name = "crops"

            def ready(self):
                from django.db import connection
                from django.db.models.signals import post_migrate

                def other(**_):
                    with connection.cursor() as cursor:
                        cursor.execute("insert into django_migrations (app, name, applied)"
                                       " values ('farms', '0007_x', now())")

                self.other = other
                post_migrate.connect(other)
        """)  # fmt: skip
    assert crops.gate(runner).event("succeeded")["migrations"] == [name]


HANDLER = """
    from django.apps import AppConfig

    class CropsConfig(AppConfig):
        name = "crops"

        def ready(self):
            from django.db.models.signals import {signal}
            {signal}.connect(self.fill)

        def fill(self, **_):
            open("{place}/ran", "a").write("filled\\n")
            {does}
    """


ALTER = "from django.db import connection as c; c.cursor().execute('alter table crops_crop {}')"
DROP = ALTER.format("drop name")
GONE = "removed column crops_crop.name"


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "place", ["post_migrate", "pre_migrate", "manage.py", "operations", "progress"]
)
def test_a_column_that_changes_beside_a_plan_without_it_is_a_failure(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path, place: str
) -> None:
    rows.begin()
    name = crops.migration(ADD_COLOUR)
    if place.endswith("_migrate"):
        does = DROP if place == "post_migrate" else ALTER.format("add extra int")
        crops.write("crops/models.py", "")
        crops.write("crops/apps.py", HANDLER.format(signal=place, place=tmp_path, does=does))
    elif place == "manage.py":
        with (crops.directory / "manage.py").open("a") as manage:
            manage.write(DROP)
    elif place == "progress":
        crops.own_migrate(
            "    def migration_progress_callback(self, action, *rest):\n"
            f"        if action == 'apply_success': {DROP}\n"
            "        super().migration_progress_callback(action, *rest)\n"
        )
    else:  # the file has other operations each time that it is loaded
        file = crops.directory / f"crops/migrations/{name.partition('.')[2]}.py"
        loaded = f"open('{tmp_path}/loaded', 'a+')"
        count = f"({loaded}.write('x'), {loaded}.seek(0), {loaded}.close())"
        first = f"[{ADD_COLOUR}] if len(open('{tmp_path}/loaded').read()) < 2 else [{REMOVE_NAME}]"
        text = file.read_text().replace("\nclass", f"\n{count}\nclass")
        file.write_text(text.replace(f"[{ADD_COLOUR}]", first))

    failed = crops.gate(runner).event("failed")

    assert (failed["cause"], failed["database"]) == ("unplanned", "part-way")
    what = "added column crops_crop.extra" if place == "pre_migrate" else GONE
    assert what in failed["unplanned"]


@pytest.mark.slow
def test_handlers_of_post_migrate_that_failed_run_in_the_next_release(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    crops.write("crops/models.py", "")
    crops.write(
        "crops/apps.py", HANDLER.format(signal="post_migrate", place=tmp_path, does="1 / 0")
    )
    assert crops.gate(runner, release="r1").event("failed")["cause"] == "exit"
    crops.write("crops/apps.py", HANDLER.format(signal="post_migrate", place=tmp_path, does="pass"))
    second = crops.gate(runner, release="r2")
    second.event("succeeded")
    assert ran(tmp_path) == ["filled", "filled"]
    assert second.named("applying") == []


@pytest.mark.parametrize("signal", ["post_migrate", "pre_migrate"])
def test_handlers_of_the_app_run_in_each_release_though_nothing_is_pending(
    runner: Runner, crops: Project, rows: Rows, tmp_path: Path, signal: str
) -> None:
    """They may be new, or may have failed in a `migrate` past the gate."""
    rows.begin()
    crops.write("crops/models.py", "")
    crops.write("crops/apps.py", HANDLER.format(signal=signal, place=tmp_path, does="pass"))

    for release in ("r1", "r1", "r2"):
        gate = crops.gate(runner, release=release)
        assert gate.event("succeeded")["migrations"] == []

    assert ran(tmp_path) == ["filled", "filled"]
    # A rollback runs none.
    crops.environment |= {"LIGHTGATE_ROLLBACK": "checked", "LIGHTGATE_RELEASE": "r3-rollback"}
    crops.gate(runner, release="r3").event("succeeded")
    assert ran(tmp_path) == ["filled", "filled"]


@pytest.mark.slow
def test_a_squash_that_is_recorded_is_no_change_beside_the_plan(
    runner: Runner, crops: Project, rows: Rows
) -> None:
    rows.begin()
    crops.migration(ADD_COLOUR)
    crops.gate(runner, release="r1").event("succeeded")
    crops.write("crops/migrations/0001_squashed.py", """
        from django.db import migrations, models
        class Migration(migrations.Migration):
            replaces = [("crops", "0001_initial"), ("crops", "0002_change")]
            operations = [migrations.CreateModel("Crop", [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.TextField(null=True)), ("colour", models.TextField(null=True))])]
        """)  # fmt: skip
    third = crops.migration(ADD_COLOUR.replace("colour", "shade"), name="third")
    done = crops.gate(runner, release="r2").event("succeeded")
    assert done["migrations"] == [third]


def test_the_plan_names_what_was_recorded_last(runner: Runner, crops: Project, rows: Rows) -> None:
    rows.begin()
    name = crops.migration(ADD_COLOUR)
    first = crops.gate(runner, release="r1")
    done = first.event("succeeded")
    assert [one for one, _ in first.event("plan")["recent"]] == ["crops.0001_initial"]
    second = crops.gate(runner, release="r2").event("plan")
    assert [one for one, _ in second["recent"]] == ["crops.0001_initial", name]
    assert second["found"] == done["left"] != first.event("plan")["found"]
