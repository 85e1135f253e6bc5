from django.db import migrations, models


class Migration(migrations.Migration):
    """Fails half-way: the column is added, then two pickings of one day violate the constraint.

    PostgreSQL takes the column back with the rest of the migration's transaction.
    """

    dependencies = [("harvests", "0005_tidy_crops")]
    operations = [
        migrations.AddField("harvest", "field", models.CharField(max_length=40, null=True)),
        migrations.AddConstraint(
            "harvest",
            models.UniqueConstraint("crop", "harvested_on", name="one_harvest_a_day"),
        ),
    ]
