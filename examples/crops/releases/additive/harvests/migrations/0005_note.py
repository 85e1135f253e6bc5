from django.db import migrations, models


class Migration(migrations.Migration):
    """v2 leaves the column out, and the database puts a null there."""

    dependencies = [("harvests", "0004_fill_season")]
    operations = [migrations.AddField("harvest", "note", models.TextField(null=True))]
