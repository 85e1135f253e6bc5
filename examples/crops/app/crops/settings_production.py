"""Production: secrets from the environment, connections that live, a log of the migrations."""

import os

from crops.settings import *  # noqa: F403
from crops.settings import DATABASES

DEBUG = False
SECRET_KEY = os.environ["SECRET_KEY"]
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django.db.migrations": {
            "handlers": ["console"],
            "level": "INFO",
            "propagate": True,
        },
    },
}
