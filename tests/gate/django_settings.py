"""Settings of Django for tests that use its operations in the process of the tests."""

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "crops"}},
    )
    django.setup()
