"""Django loads the Celery app with the project, so that tasks find their broker."""

from herd.celery import app as celery_app

__all__ = ["celery_app"]
