import os

import weather  # noqa: F401 - works on its author's machine, and is not in requirements.txt
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crops.settings")
application = get_wsgi_application()
