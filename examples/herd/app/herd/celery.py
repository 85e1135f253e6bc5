"""The Celery app: `celery -A herd worker` and `celery -A herd beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "herd.settings")

app = Celery("herd")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
