"""The tasks of the worker. One that waits in the queue may meet the code of the next release."""

from celery import shared_task

from cows.models import Count, Weighing


@shared_task
def weigh(cow, kilograms):
    Weighing.objects.create(cow=cow, kilograms=kilograms)


@shared_task
def count():
    Count.objects.create(weighings=Weighing.objects.count())
