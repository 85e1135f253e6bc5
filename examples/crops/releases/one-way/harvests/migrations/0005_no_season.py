from django.db import migrations


class Migration(migrations.Migration):
    """v2 reads and writes the column that this takes away."""

    dependencies = [("harvests", "0004_fill_season")]
    operations = [migrations.RemoveField("harvest", "season")]
