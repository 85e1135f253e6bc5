"""What the app of the examples writes itself: fields, a rule, an operation, functions."""

from typing import Any

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Tagged(models.CharField):
    """Only converts values."""

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else str(value)


class Below(models.IntegerField):
    """Its check compares another column of the table."""

    def db_check(self, connection: Any) -> str:
        return "size < 20000"


class Stock(models.IntegerField):
    """Its type has a default and a rule."""

    def db_type(self, connection: Any) -> str:
        return "integer DEFAULT 0 UNIQUE"


class Rule(models.UniqueConstraint):
    """A constraint of the app."""


class Unique(models.Index):
    """An index of the app, which takes no value twice."""

    def create_sql(self, *arguments: Any, **options: Any) -> Any:
        made = super().create_sql(*arguments, **options)
        made.template = made.template.replace("CREATE INDEX", "CREATE UNIQUE INDEX")
        return made


class ContentTypes(Operation):
    """What the migrations of `django.contrib.contenttypes` add to the state."""

    def state_forwards(self, _: str, state: Any) -> None:
        made = migrations.CreateModel("ContentType", [], {"managed": False})
        made.state_forwards("contenttypes", state)

    def database_forwards(self, *_: Any) -> None:
        """Their table is not needed."""


class AddNothing(migrations.AddField):
    """A subclass that does the same."""


def fill(apps: Any, editor: Any) -> None:
    """A function on data."""


def apply(migration: Any, state: Any, *_: Any) -> Any:
    """A function of the app in the place of Django's `apply`."""
    return migration.mutate_state(state)
