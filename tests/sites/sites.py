"""Real Django projects from the package index: what each one needs to migrate."""

import hashlib
import os
import subprocess
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.interpreters import INTERPRETERS

DIRECTORY = Path(os.environ.get("LIGHTGATE_SITES", "build/sites")).resolve()
REQUIREMENTS = Path("requirements/sites").resolve()
PYTHON = "3.12"  # the newest that all of them run on
MANAGE = """
    import os, sys
    from django.core.management import execute_from_command_line
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    execute_from_command_line(sys.argv)
    """
DATABASE = """
    import json, os
    DATABASES = json.loads(os.environ["DATABASES"])
    if "postgresql" in DATABASES["default"]["ENGINE"]:
        INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.postgres"]
    else:
        import pymysql
        pymysql.version_info = (2, 2, 8, "final", 0)
        pymysql.install_as_MySQLdb()
    """
# An app whose newest migration fails halfway, if the release has it.
PLANTED = """
    if os.environ.get("PLANTED"):
        INSTALLED_APPS = [*INSTALLED_APPS, "planted"]
    """
PLANTED_MIGRATION = """
    from django.db import migrations, models

    class Migration(migrations.Migration):
        operations = [
            migrations.CreateModel("Planted", [("id", models.AutoField(primary_key=True))]),
            migrations.RunSQL("select no_such_column"),
        ]
    """


@dataclass(frozen=True, kw_only=True)
class Site:
    """A project: its package, its settings, and how it calls `manage.py`."""

    name: str
    package: str
    settings: str
    manage: Sequence[str] = ("python", "manage.py")
    settings_file: str = "settings.py"
    engines: Sequence[str] = ("PostgreSQL", "MariaDB")
    environment: Mapping[str, str] = field(default_factory=dict)

    def python(self) -> Path:
        """The interpreter of the site's own venv, made when it is missing or outdated."""
        base, home = INTERPRETERS[PYTHON], DIRECTORY / self.name
        if base is None:
            pytest.skip(f"Python {PYTHON} is not installed here")
        requirements = REQUIREMENTS / f"{self.name}.txt"
        ready, state = home / "ready", hashlib.sha256(requirements.read_bytes()).hexdigest()
        if not ready.exists() or ready.read_text() != state:
            install = [
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
            ]
            for command in (
                [base, "-m", "venv", "--clear", str(home)],
                [str(home / "bin/python"), *install, "--require-hashes", "-r", str(requirements)],
            ):
                ran = subprocess.run(command, capture_output=True, text=True, check=False)
                if ran.returncode:
                    pytest.skip(f"{self.package} cannot be installed here: {ran.stderr[-300:]}")
            ready.write_text(state)
        return home / "bin/python"

    def version(self) -> str:
        """The package with its version, as it is installed."""
        code = f"from importlib.metadata import version as v; print(v('{self.package}'))"
        return self._run(code)

    def django(self) -> str:
        return self._run("import django; print(django.__version__)")

    def _run(self, code: str) -> str:
        ran = subprocess.run([self.python(), "-c", code], capture_output=True, check=True)
        return ran.stdout.decode().strip()

    def write(self, directory: Path) -> None:
        """The files beside the package: settings, manage.py, and the app that is planted."""
        for name, text in {
            "manage.py": MANAGE,
            "urls.py": "urlpatterns = []\n",
            "no_redis.py": _CACHE,
            self.settings_file: self.settings,
            "planted/__init__.py": "",
            "planted/migrations/__init__.py": "",
            "planted/migrations/0001_initial.py": PLANTED_MIGRATION,
        }.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))


def _settings(*parts: str) -> str:
    return "\n".join(map(textwrap.dedent, parts))


_WAGTAIL = """
    SECRET_KEY = "x"
    USE_TZ = True
    ROOT_URLCONF = "urls"
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    WAGTAIL_SITE_NAME = "site"
    WAGTAILADMIN_BASE_URL = "http://localhost"
    STATIC_URL = "/static/"
    INSTALLED_APPS = [
        "wagtail.contrib.forms", "wagtail.contrib.redirects", "wagtail.contrib.settings",
        "wagtail.contrib.search_promotions", "wagtail.embeds", "wagtail.sites", "wagtail.users",
        "wagtail.snippets", "wagtail.documents", "wagtail.images", "wagtail.search",
        "wagtail.admin", "wagtail", "modelcluster", "taggit", "django.contrib.admin",
        "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
        "django.contrib.messages", "django.contrib.staticfiles",
    ]
    MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    TEMPLATES = [{
        "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]},
    }]
    """
_OSCAR = """
    from oscar.defaults import *
    SECRET_KEY = "x"
    USE_TZ = True
    SITE_ID = 1
    ROOT_URLCONF = "urls"
    DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
    STATIC_URL = "/static/"
    HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
    INSTALLED_APPS = [
        "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
        "django.contrib.sessions", "django.contrib.messages", "django.contrib.staticfiles",
        "django.contrib.sites", "django.contrib.flatpages", "oscar.config.Shop",
        "oscar.apps.analytics.apps.AnalyticsConfig", "oscar.apps.checkout.apps.CheckoutConfig",
        "oscar.apps.address.apps.AddressConfig", "oscar.apps.shipping.apps.ShippingConfig",
        "oscar.apps.catalogue.apps.CatalogueConfig",
        "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
        "oscar.apps.communication.apps.CommunicationConfig",
        "oscar.apps.partner.apps.PartnerConfig", "oscar.apps.basket.apps.BasketConfig",
        "oscar.apps.payment.apps.PaymentConfig", "oscar.apps.offer.apps.OfferConfig",
        "oscar.apps.order.apps.OrderConfig", "oscar.apps.customer.apps.CustomerConfig",
        "oscar.apps.search.apps.SearchConfig", "oscar.apps.voucher.apps.VoucherConfig",
        "oscar.apps.wishlists.apps.WishlistsConfig", "oscar.apps.dashboard.apps.DashboardConfig",
        "oscar.apps.dashboard.reports.apps.ReportsDashboardConfig",
        "oscar.apps.dashboard.users.apps.UsersDashboardConfig",
        "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
        "oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig",
        "oscar.apps.dashboard.offers.apps.OffersDashboardConfig",
        "oscar.apps.dashboard.partners.apps.PartnersDashboardConfig",
        "oscar.apps.dashboard.pages.apps.PagesDashboardConfig",
        "oscar.apps.dashboard.ranges.apps.RangesDashboardConfig",
        "oscar.apps.dashboard.reviews.apps.ReviewsDashboardConfig",
        "oscar.apps.dashboard.vouchers.apps.VouchersDashboardConfig",
        "oscar.apps.dashboard.communications.apps.CommunicationsDashboardConfig",
        "oscar.apps.dashboard.shipping.apps.ShippingDashboardConfig",
        "widget_tweaks", "haystack", "treebeard", "django_tables2",
    ]
    MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "oscar.apps.basket.middleware.BasketMiddleware",
    ]
    TEMPLATES = [{
        "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
        "OPTIONS": {"context_processors": [
            "django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages",
        ]},
    }]
    """
# Its cache is in Redis, which it empties after migrating.
_NO_REDIS = """
    CACHES = {"default": {"BACKEND": "no_redis.Cache", "LOCATION": "cache"}}
    """
_CACHE = """
    from django.core.cache.backends.filebased import FileBasedCache

    class Cache(FileBasedCache):
        def delete_pattern(self, pattern):
            self.clear()
    """
SITES = [
    Site(name="wagtail", package="wagtail", settings=_settings(_WAGTAIL, DATABASE, PLANTED)),
    Site(name="oscar", package="django-oscar", settings=_settings(_OSCAR, DATABASE, PLANTED)),
    Site(
        name="pretix",
        package="pretix",
        manage=("python", "-m", "pretix"),
        settings=_settings("from pretix.settings import *", DATABASE, PLANTED),
        environment={"DJANGO_SETTINGS_MODULE": "settings"},
        engines=("PostgreSQL",),  # it refuses MySQL and MariaDB
    ),
    Site(
        name="nautobot",
        package="nautobot",
        manage=("nautobot-server",),
        settings_file="nautobot_config.py",
        settings=_settings(
            "from nautobot.core.settings import *\nSECRET_KEY = 'x'", DATABASE, _NO_REDIS, PLANTED
        ),
        environment={
            "NAUTOBOT_CONFIG": "nautobot_config.py",
            "NAUTOBOT_ROOT": ".",
            "PYTHONPATH": ".",  # its script does not add the working directory
        },
        engines=("PostgreSQL",),  # it supports MySQL, and not MariaDB
    ),
]
