from django.db import migrations, models


class Migration(migrations.Migration):
    """Django fills the column for the rows that are there, and leaves no default behind."""

    dependencies = [("harvests", "0004_fill_season")]
    operations = [
        migrations.AddField("harvest", "quality", models.PositiveSmallIntegerField(default=1)),
    ]
