"""Django projects on disk, and the database that they migrate."""

import json
import os
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from lightgate.deployment.python_call import helper_words
from lightgate.gate.packaging import CLASSIFIER, program_hash, program_text
from lightgate.spec.django_command import database_alias
from local.cloud.postgres import Database
from tests.gate.mailbox_server import Mailbox
from tests.gate.programs import RELEASE, Program, Runner, free_port

HEAD = "from django.db import migrations, models\n"
MANAGE = """
    import os, sys
    from django.core.management import execute_from_command_line
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    execute_from_command_line(sys.argv)
    """
SETTINGS = """
    import json, os
    SECRET_KEY = "x"
    INSTALLED_APPS = ["crops"]
    DATABASES = json.loads(os.environ["DATABASES"])
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    USE_TZ = True
    """
CREATE = """migrations.CreateModel("Crop", [
    ("id", models.BigAutoField(primary_key=True)), ("name", models.TextField(null=True))])"""
ADD_COLOUR = 'migrations.AddField("crop", "colour", models.TextField(null=True))'
REMOVE_NAME = 'migrations.RemoveField("crop", "name")'
# Fails in the middle: its first half is there only if it is not undone.
HALF = ADD_COLOUR.replace("colour", "half") + ', migrations.RunSQL("select 1 / 0")'


def sql(statement: str) -> str:
    return f"migrations.RunSQL({statement!r})"


def postgres(database: Database, **options: Any) -> dict[str, Any]:
    parts = urlsplit(database.url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database.name,
        "USER": parts.username,
        "PASSWORD": parts.password,
        "HOST": parts.hostname,
        "PORT": parts.port,
        **options,
    }


@dataclass
class Project:
    """A project with one app, `crops`, that has its migrations added one by one."""

    directory: Path
    database: dict[str, Any]
    python: str = sys.executable
    count: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.write("manage.py", MANAGE)
        self.write("settings.py", SETTINGS)
        self.write("crops/__init__.py", "")
        self.write("crops/migrations/__init__.py", "")

    def write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def migration(self, operations: str, *, name: str = "change", atomic: bool = True) -> str:
        """Add one after the last, and return its name."""
        before = self.names()
        self.count += 1
        after = [("crops", before[-1])] if before else []
        self.write(
            f"crops/migrations/{self.count:04}_{name}.py",
            f"{HEAD}\nclass Migration(migrations.Migration):\n    dependencies = {after}\n"
            f"    atomic = {atomic}\n    operations = [{operations}]\n",
        )
        return f"crops.{self.count:04}_{name}"

    def names(self) -> list[str]:
        files = (self.directory / "crops/migrations").glob("0*.py")
        return sorted(file.stem for file in files)

    def own_migrate(self, body: str) -> None:
        """A `migrate` command of the app's own, a subclass of Django's."""
        self.write("crops/management/__init__.py", "")
        self.write("crops/management/commands/__init__.py", "")
        self.write(
            "crops/management/commands/migrate.py",
            "from django.core.management.commands.migrate import Command as Django\n\n"
            f"class Command(Django):\n{body}",
        )

    def ready(self, body: str) -> None:
        """An AppConfig whose `ready` runs these statements."""
        lines = textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
        self.write(
            "crops/apps.py",
            "import os, subprocess, sys\nfrom django.apps import AppConfig\n\n"
            f"class Crops(AppConfig):\n    name = 'crops'\n\n    def ready(self):\n{lines}\n",
        )

    @property
    def manage(self) -> list[str]:
        return [self.python, "manage.py"]

    def gate(
        self,
        runner: Runner,
        *more: str,
        django: Any = None,
        command: list[str] | None = None,
        options: Any = None,
        mailbox: Mailbox | None = None,
        **config: Any,
    ) -> Program:
        """A gate of a node with this project, with the mailbox if there is one."""
        words = command or [*self.manage, "migrate", "--noinput", *more]
        changes = dict(django or {})
        manage = tuple(changes.pop("manage", self.manage))
        whole = {
            "release": RELEASE,
            "container": "migrate",
            "after": [],
            "port": free_port(),
            "mode": "task",
            "timeoutSeconds": 60,
            "graceSeconds": 0.2,
            "afterFailure": "hold",
            "healthCheck": None,
            "django": {
                **helper_words(manage, tuple(words)),
                "database": database_alias(tuple(words)),
                "policy": "warn",
                "allowDestructive": False,
                "lockTimeoutSeconds": 2,
                "requireLock": True,
                "databaseTimeoutSeconds": 10,
                "classifier": program_hash(CLASSIFIER),
                **changes,
            },
            **({"mailbox": mailbox.limits} if mailbox else {"classifier": 1}),
            **config,
        }
        environment = {
            **(mailbox.options()["env"] if mailbox else os.environ),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DATABASES": json.dumps({"default": self.database}),
            **self.environment,
        }
        started = [
            program_text("django_helper"),
            program_text("s3_client") if mailbox else program_text(CLASSIFIER),
            *words,
        ]
        return runner.program(
            program_text("supervisor"),
            whole,
            started,
            self.python,
            {"cwd": self.directory, "env": environment, **(options or {})},
        )


class Rows:
    """What is in the database, seen from outside."""

    def __init__(self, database: Database) -> None:
        self.connection = psycopg.connect(database.url, autocommit=True)

    def __call__(self, statement: str) -> list[Any]:
        cursor = self.connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    def begin(self) -> None:
        """As if the first migration had been applied long ago."""
        self(
            "create table crops_crop (id bigint generated by default as identity primary key,"
            " name text);"
            "create table django_migrations (id bigint generated by default as identity primary"
            " key, app varchar(255), name varchar(255), applied timestamptz default now());"
            "insert into django_migrations (app, name) values ('crops', '0001_initial')"
        )

    def tables(self) -> set[str]:
        found = self("select tablename from pg_tables where schemaname = 'public'")
        return {name for (name,) in found}

    def columns(self, table: str = "crops_crop") -> set[str]:
        found = self(
            f"select attname from pg_attribute where attrelid = to_regclass('{table}')"  # noqa: S608
            " and attnum > 0 and not attisdropped"
        )
        return {name for (name,) in found}

    def applied(self) -> list[str]:
        if "django_migrations" not in self.tables():
            return []
        return [name for (name,) in self("select name from django_migrations order by id")]

    def attempts(self) -> list[tuple[str, str, dict[str, Any]]]:
        if "lightgate_attempt" not in self.tables():
            return []
        found = self("select release_id, state, detail from lightgate_attempt order by 1, 2")
        return [(release, state, json.loads(detail)) for release, state, detail in found]

    def locks(self) -> int:
        return int(
            self(
                "select count(*) from pg_locks where locktype = 'advisory' and database ="
                " (select oid from pg_database where datname = current_database())"
            )[0][0]
        )
