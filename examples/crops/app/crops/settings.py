"""Settings for a developer's machine; settings_production.py says what differs in production."""

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


DEBUG = True
SECRET_KEY = "for development only"
ALLOWED_HOSTS = ["*"]  # the load balancer before the container checks the name
DATABASES = {"default": database(os.environ.get("DATABASE_URL", "postgresql:///crops"))}
INSTALLED_APPS = ["harvests"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "crops.urls"
WSGI_APPLICATION = "crops.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
