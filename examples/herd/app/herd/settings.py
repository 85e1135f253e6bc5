"""Settings for every stage; the environment has the differences."""

import os
from urllib.parse import unquote, urlsplit


def database(url):
    """The DATABASES entry of a URL as postgresql://user:password@host:port/name."""
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.removeprefix("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
    }


SECRET_KEY = os.environ.get("SECRET_KEY", "for development only")
ALLOWED_HOSTS = ["*"]  # the load balancer before the container checks the name
DATABASES = {"default": database(os.environ.get("DATABASE_URL", "postgresql:///herd"))}
INSTALLED_APPS = ["cows"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "herd.urls"
WSGI_APPLICATION = "herd.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "redis://localhost:6379/0")
# Lightsail starts all containers at once, so the broker may be a moment late.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
COUNT_SECONDS = float(os.environ.get("COUNT_SECONDS", "30"))
CELERY_BEAT_SCHEDULE = {"count": {"task": "cows.tasks.count", "schedule": COUNT_SECONDS}}
