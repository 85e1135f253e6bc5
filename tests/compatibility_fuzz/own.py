"""What an app of the models writes itself: fields, bases, operations, functions on data."""

from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import migrations, models


class Phrase(models.CharField):
    """Says the type of its column itself, which has no limit."""

    def db_type(self, connection: Any) -> str:
        return "text" if connection.vendor == "postgresql" else "longtext"


class Tagged(models.CharField):
    """Only converts values."""

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else str(value)


class Counter(models.IntegerField):
    """Only has another default form."""

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**options)


class Encoded(DjangoJSONEncoder):
    """Another encoder of JSON."""


class Link(models.ForeignKey):
    """A foreign key of the app, which adds nothing to the column."""


class Must(models.IntegerField):
    """Its check wants a value, whatever `null` says."""

    def db_check(self, connection: Any) -> str:
        return f"{connection.ops.quote_name(self.column)} IS NOT NULL"


class Below(models.IntegerField):
    """Its check compares the column with another one of the table."""

    def __init__(self, *arguments: Any, other: str = "size", **options: Any) -> None:
        self.other = other
        super().__init__(*arguments, **options)

    def deconstruct(self) -> Any:
        name, path, arguments, options = super().deconstruct()
        return name, path, arguments, {**options, "other": self.other}

    def db_check(self, connection: Any) -> str:
        return f"{connection.ops.quote_name(self.other)} < 100"


class Dated(models.Model):
    """An abstract base without relations."""

    made = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        app_label = "farm"


class Owned(models.Model):
    """An abstract base with a foreign key to the first model of each case."""

    owner = models.ForeignKey("farm.Apple", models.CASCADE, related_name="+", null=True)

    class Meta:
        abstract = True
        app_label = "farm"


class Sized(models.Model):
    """An abstract base whose constraint and index are in its `Meta`."""

    size = models.IntegerField(null=True, db_index=True)

    class Meta:
        abstract = True
        app_label = "farm"


class AddNothing(migrations.AddField):
    """A subclass that does the same."""


def empty(apps: Any, editor: Any) -> None:
    """A function on data that changes nothing."""


def fill(apps: Any, editor: Any) -> None:
    """A function on data that changes each text of the first model."""
    model = apps.get_model("farm", "Apple")
    for field in model._meta.local_concrete_fields:
        if field.get_internal_type() in ("CharField", "TextField") and not field.unique:
            model.objects.using(editor.connection.alias).update(**{field.name: "x"})
