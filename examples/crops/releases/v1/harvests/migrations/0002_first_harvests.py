from datetime import date

from django.db import migrations

# Tomatoes are picked twice on one day: nothing forbids it.
HARVESTS = [
    ("wheat", 5200, date(2025, 7, 28)),
    ("tomato", 140, date(2025, 8, 14)),
    ("tomato", 95, date(2025, 8, 14)),
    ("Apple ", 760, date(2025, 10, 3)),
    ("leek", 310, date(2026, 1, 17)),
]


def add(apps, _schema_editor):
    harvest = apps.get_model("harvests", "Harvest")
    harvest.objects.bulk_create(
        harvest(crop=crop, kilograms=kilograms, harvested_on=day)
        for crop, kilograms, day in HARVESTS
    )


class Migration(migrations.Migration):
    dependencies = [("harvests", "0001_initial")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
