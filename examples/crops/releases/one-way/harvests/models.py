from django.db import models


class Harvest(models.Model):
    crop = models.CharField(max_length=40)
    kilograms = models.PositiveIntegerField()
    harvested_on = models.DateField()

    def as_json(self):
        return {
            "id": self.id,
            "crop": self.crop,
            "kilograms": self.kilograms,
            "harvested_on": self.harvested_on.isoformat(),
        }
