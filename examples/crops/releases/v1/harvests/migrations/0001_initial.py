from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Harvest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("crop", models.CharField(max_length=40)),
                ("kilograms", models.PositiveIntegerField()),
                ("harvested_on", models.DateField()),
            ],
        ),
    ]
