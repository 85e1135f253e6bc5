from django.db import migrations


def reckon(_apps, schema_editor):
    """Takes ten minutes, as if the farm were the size of a country."""
    schema_editor.execute("SELECT pg_sleep(600)")


class Migration(migrations.Migration):
    dependencies = [("harvests", "0004_fill_season")]
    operations = [migrations.RunPython(reckon, migrations.RunPython.noop)]
