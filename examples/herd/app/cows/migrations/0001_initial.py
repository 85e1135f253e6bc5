import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel(
            "Weighing",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("cow", models.CharField(max_length=40)),
                ("kilograms", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            "Count",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("weighings", models.PositiveIntegerField()),
                ("counted_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
    ]
