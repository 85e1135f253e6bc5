"""Ten public projects that start in another way for `migrate`, each as a small project of ours.

Each has the pattern of its source. If the pattern is that of a package, the package is installed.
Whenever one of them loads its settings, it adds a line to the file `seen`.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_BASE = """
    import json, os, sys
    SECRET_KEY = "x"
    USE_TZ = True
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    INSTALLED_APPS = ["farm.apps.FarmConfig"]
    DATABASES = json.loads(os.environ["DATABASES"])
    OTHER = {"default": DATABASES.pop("other")}
    MARK = ""
    """
_SEEN = """
    with open("seen", "a") as seen:
        chosen = [DATABASES["default"]["NAME"], sorted(INSTALLED_APPS), MARK]
        seen.write(json.dumps(chosen) + "\\n")
    """
_APPS = """
    import sys
    from django.apps import AppConfig

    class FarmConfig(AppConfig):
        name = "farm"

        def ready(self):
            {ready}
    """
_MODELS = """
    from django.db import models

    class Crop(models.Model):
        name = models.TextField(null=True)
        colour = models.TextField(null=True)
    """
_MIGRATIONS = {
    "0001_initial": """
        from django.db import migrations, models

        class Migration(migrations.Migration):
            operations = [migrations.CreateModel("Crop", [
                ("id", models.BigAutoField(primary_key=True)), ("name", models.TextField(null=True))
            ])]
        """,
    "0002_colour": """
        import sys
        from django.db import migrations, models

        def migrate(apps, editor):
            {run}

        class Migration(migrations.Migration):
            dependencies = [("farm", "0001_initial")]
            operations = [
                migrations.AddField("crop", "colour", models.TextField(null=True)),
                migrations.RunPython(migrate),
            ]
        """,
}
_MANAGE = """
    import os, sys
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    {patch}
    from {module} import execute_from_command_line
    execute_from_command_line(sys.argv)
    """


def _lines(*parts: str) -> str:
    return "\n".join(map(textwrap.dedent, parts))


@dataclass(frozen=True, kw_only=True)
class Startup:
    """A project, and what makes it start in another way."""

    source: str
    decides: str
    settings: str = ""  # between the base and the line for `seen`
    ready: str = "pass"
    run: str = "pass"
    patch: str = ""
    module: str = "django.core.management"
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def write(self, directory: Path) -> None:
        files = {
            "manage.py": _MANAGE.format(patch=self.patch, module=self.module),
            "settings.py": _lines(_BASE, self.settings, _SEEN),
            "farm/__init__.py": "",
            "farm/apps.py": _APPS.format(ready=self.ready),
            "farm/models.py": _MODELS,
            "farm/migrations/__init__.py": "",
            "farm/migrations/0001_initial.py": _MIGRATIONS["0001_initial"],
            "farm/migrations/0002_colour.py": _MIGRATIONS["0002_colour"].format(run=self.run),
            **self.files,
        }
        for name, text in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))


_CONFIGURATIONS = (
    _BASE
    + """
    from configurations import Configuration

    class Dev(Configuration):
        SECRET_KEY, USE_TZ, INSTALLED_APPS = SECRET_KEY, USE_TZ, INSTALLED_APPS
        DEFAULT_AUTO_FIELD, DATABASES = DEFAULT_AUTO_FIELD, OTHER

        @classmethod
        def post_setup(cls):
            with open("seen", "a") as seen:
                seen.write(json.dumps([cls.__name__, cls.DATABASES["default"]["NAME"]]) + "\\n")

    class Prod(Dev):
        DATABASES = DATABASES
    """
)
STARTUPS = [
    Startup(
        source="django-configurations 2.5 (package)",
        decides="`--configuration=Prod` chooses the settings, and with them the database",
        files={"settings.py": _CONFIGURATIONS},
        patch='os.environ.setdefault("DJANGO_CONFIGURATION", "Dev")',
        module="configurations.management",
        options=["--configuration=Prod"],
    ),
    Startup(
        source="django-split-settings 1.3 (package)",
        decides="the variable `DJANGO_ENV` chooses a file of settings, and with it the database",
        settings="""
            from split_settings.tools import include
            include(os.environ.get("DJANGO_ENV", "development") + ".py")
            """,
        environment={"DJANGO_ENV": "production"},
        files={"development.py": "DATABASES = OTHER", "production.py": "MARK = 'production'"},
    ),
    Startup(
        source="django-debug-toolbar 8.0 (package)",
        decides='a setting of the package depends on `"test" in sys.argv`',
        settings="""
            INSTALLED_APPS += ["django.contrib.staticfiles", "debug_toolbar"]
            STATIC_URL = "/static/"
            TEMPLATES = [
                {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
            ]
            ROOT_URLCONF = "urls"
            from debug_toolbar import settings as toolbar
            MARK = str(toolbar.CONFIG_DEFAULTS["IS_RUNNING_TESTS"])
            """,
        files={"urls.py": "urlpatterns = []"},
    ),
    Startup(
        source="zestedesavoir/zds-site, manage.py",
        decides='manage.py patches the schema editor if `sys.argv[1]` is "migrate" or "test"',
        patch='if sys.argv[1] in ("migrate", "test"): os.environ["ROW_FORMAT"] = "DYNAMIC"',
        settings='MARK = os.environ.get("ROW_FORMAT", "")',
    ),
    Startup(
        source="ccnmtl/mediathread, settings_production.py",
        decides='an app is added to the settings unless `"migrate" in sys.argv`',
        settings="""
            if "migrate" not in sys.argv:
                INSTALLED_APPS.append("monitoring")
            """,
        files={
            "monitoring/__init__.py": "",
            "monitoring/migrations/__init__.py": "",
            "monitoring/migrations/0001_initial.py": _MIGRATIONS["0001_initial"],
        },
    ),
    Startup(
        source="usnistgov/core_explore_common_app, apps.py",
        decides='`ready()` uses tables unless `"migrate" in sys.argv`',
        ready="""
            if "migrate" not in sys.argv:
                self.get_model("Crop").objects.count()
            """.strip(),
    ),
    Startup(
        source="iplweb/bpp, rozbieznosci_dyscyplin/apps.py",
        decides='`ready()` uses tables unless the command is "migrate" or "makemigrations"',
        ready="""
            if ("migrate" not in sys.argv) and ("makemigrations" not in sys.argv):
                list(self.get_model("Crop").objects.all()[:1])
            """.strip(),
    ),
    Startup(
        source="ArchiveBox/ArchiveBox, core/settings.py",
        decides='settings depend on whether "migrate" or "shell" is in `sys.argv[:3]`',
        settings="""
            IS_MIGRATING = "makemigrations" in sys.argv[:3] or "migrate" in sys.argv[:3]
            IS_SHELL = "shell" in sys.argv[:3] or "shell_plus" in sys.argv[:3]
            MARK = f"{IS_MIGRATING} {IS_SHELL}"
            """,
    ),
    Startup(
        source="rkRashik/DeltaCrown, settings.py",
        decides="the command in `sys.argv` chooses the database",
        settings="""
            if "migrate" not in sys.argv and "runserver" not in sys.argv:
                DATABASES = OTHER
            """,
    ),
    Startup(
        source="TencentBlueKing/iam-python-sdk, iam_migration/migrator.py",
        decides='a migration does its work only if `"migrate" in sys.argv`',
        run="""
            if "migrate" not in sys.argv:
                return
            apps.get_model("farm", "Crop").objects.create(name="beet")
            """.strip(),
    ),
]
