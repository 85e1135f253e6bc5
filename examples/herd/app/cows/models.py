from django.db import models
from django.utils import timezone


class Weighing(models.Model):
    cow = models.CharField(max_length=40)
    kilograms = models.PositiveIntegerField()


class Count(models.Model):
    """How many weighings there were: the beat asks for one, and a worker makes it."""

    weighings = models.PositiveIntegerField()
    counted_at = models.DateTimeField(default=timezone.now)
