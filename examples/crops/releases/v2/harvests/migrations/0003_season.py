from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("harvests", "0002_first_harvests")]
    operations = [
        migrations.AddField("harvest", "season", models.CharField(max_length=6, null=True)),
    ]
