from django.db import migrations

MONTHS = {
    "winter": (12, 1, 2),
    "spring": (3, 4, 5),
    "summer": (6, 7, 8),
    "autumn": (9, 10, 11),
}


def fill(apps, _schema_editor):
    harvests = apps.get_model("harvests", "Harvest").objects
    for season, months in MONTHS.items():
        harvests.filter(season=None, harvested_on__month__in=months).update(season=season)


class Migration(migrations.Migration):
    dependencies = [("harvests", "0003_season")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
