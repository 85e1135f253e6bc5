from django.db import migrations
from django.db.models.functions import Lower, Trim


def tidy(apps, _schema_editor):
    apps.get_model("harvests", "Harvest").objects.update(crop=Lower(Trim("crop")))


class Migration(migrations.Migration):
    """Harmless, and a migration of its own: it stays applied when the next one fails."""

    dependencies = [("harvests", "0004_fill_season")]
    operations = [migrations.RunPython(tidy, migrations.RunPython.noop)]
