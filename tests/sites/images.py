"""What stands for an image: packages, a launcher, a server and an environment."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT, SIGQUIT, SIGTERM, Signals

from tests.sites.sites import MANAGE, Site

PACKAGES = Site(name="images", package="django", settings="")
SETTINGS = """
    import json, os
    SECRET_KEY = "x"
    ALLOWED_HOSTS = ["*"]
    ROOT_URLCONF = "urls"
    ASGI_APPLICATION = "asgi.application"
    DATABASES = json.loads(os.environ["DATABASES"])
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
    """
URLS = """
    from django.http import HttpResponse
    from django.urls import path
    urlpatterns = [path("", lambda request: HttpResponse("served"))]
    """
GI = """
    import os
    from django.core.{0} import get_{0}_application
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    application = get_{0}_application()
    """
# The broker is a folder. The task says when it begins and when it has finished.
TASKS = """
    import time
    from celery import Celery
    app = Celery("tasks", broker="filesystem://")
    app.conf.broker_transport_options = {
        name: "queue" for name in ("data_folder_in", "data_folder_out", "control_folder")
    }

    @app.task
    def harvest():
        print("harvest begins", flush=True)
        time.sleep(3)
        print("harvest is finished", flush=True)
    """
# gunicorn has no workers of eventlet any more.
EVENTLET = """
    import eventlet
    eventlet.monkey_patch()
    import eventlet.wsgi
    from wsgi import application
    eventlet.wsgi.server(eventlet.listen(("127.0.0.1", PORT)), application)
    """
PATCHED = "import eventlet\neventlet.monkey_patch()\n" + textwrap.dedent(MANAGE)
POETRY = """
    [project]
    name = "app"
    version = "1"
    [tool.poetry]
    package-mode = false
    """
GUNICORN = ("gunicorn", "wsgi", "--bind", "127.0.0.1:PORT", "--workers", "2")


# As Docker does it with --read-only and --ulimit.
READ_ONLY = (
    *("unshare", "--mount", "sh", "-c"),
    'mount --bind / / && mount -o remount,ro,bind / && ulimit -n 64 && exec "$@"',
    "sh",
)


@dataclass(frozen=True, kw_only=True)
class Image:
    """`PORT` in the words of the server, and in its files, is the port that it listens on.

    `says` is what a program prints when it is ready that listens on none.
    """

    server: Sequence[str]
    launcher: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stop: Signals = SIGTERM
    unset: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    is_read_only: bool = False
    says: str = ""

    @property
    def names(self) -> tuple[str, str, str, str]:
        """The cells that name the row."""
        changes = [f"{key}={value}" for key, value in self.environment.items()]
        changes += [f"without {name}" for name in self.unset]
        changes += ["green threads in manage.py"] * ("manage.py" in self.files)
        changes += ["read-only root, 64 files"] * self.is_read_only
        server = " ".join(self.server)
        return " ".join(self.launcher) or "none", server, ", ".join(changes), self.stop.name

    def variables(self, database: Mapping[str, object], home: Path) -> dict[str, str]:
        given = {
            "PATH": f"{home}/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": "/tmp",
            "VIRTUAL_ENV": str(home),
            "DATABASES": json.dumps({"default": database}),
            "DJANGO_SETTINGS_MODULE": "settings",
            "UV_OFFLINE": "1",
            **self.environment,
        }
        return {key: value for key, value in given.items() if key not in self.unset}

    @property
    def prefix(self) -> tuple[str, ...]:
        """What starts the container's first process."""
        return READ_ONLY if self.is_read_only else ()

    def write(self, directory: Path, port: int = 0) -> None:
        for name, text in {
            "manage.py": MANAGE,
            "settings.py": SETTINGS,
            "urls.py": URLS,
            "wsgi.py": GI.format("wsgi"),
            "asgi.py": GI.format("asgi"),
            "tasks.py": TASKS,
        }.items():
            (directory / name).write_text(textwrap.dedent(text))
        for name, text in self.files.items():
            (directory / name).write_text(textwrap.dedent(text).replace("PORT", str(port)))
        (directory / "queue").mkdir()


IMAGES = [
    Image(server=GUNICORN),
    Image(server=(*GUNICORN, "--threads", "4"), launcher=("dumb-init", "--"), stop=SIGINT),
    Image(server=(*GUNICORN, "--worker-class", "gevent"), stop=SIGQUIT),
    Image(
        server=(*GUNICORN, "--preload"),
        environment={"PYTHONWARNINGS": "error::SyntaxWarning", "LC_ALL": "POSIX"},
    ),
    Image(server=("uvicorn", "asgi:application", "--port", "PORT"), launcher=("uv", "run")),
    Image(
        server=("hypercorn", "asgi:application", "--bind", "127.0.0.1:PORT"),
        launcher=("newrelic-admin", "run-program"),
    ),
    Image(
        server=("granian", "--interface", "wsgi", "wsgi:application", "--port", "PORT"),
        launcher=("opentelemetry-instrument",),
        environment={"OTEL_SDK_DISABLED": "true"},
    ),
    Image(
        server=("daphne", "--port", "PORT", "asgi:application"),
        environment={"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1"},
        unset=("HOME",),
    ),
    Image(
        server=("uwsgi", "--module", "wsgi", "--http-socket", "127.0.0.1:PORT", "--master"),
        environment={"PYTHONSAFEPATH": "1", "PYTHONPATH": "."},
        stop=SIGINT,
    ),
    Image(
        server=GUNICORN,
        launcher=("ddtrace-run",),
        environment={"DD_TRACE_ENABLED": "false", "PYTHONHASHSEED": "0"},
    ),
    Image(server=GUNICORN, launcher=("sh", "-c", 'exec "$@"', "sh"), stop=SIGTERM),
    Image(
        server=("honcho", "start"),
        files={"Procfile": f"web: {' '.join(GUNICORN)}\nother: sleep 600\n"},
    ),
    Image(
        server=("supervisord", "-n", "-c", "supervisord.conf"),
        files={
            "supervisord.conf": "[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
            f"[program:web]\ncommand={' '.join(GUNICORN)}\n"
        },
    ),
    Image(
        server=(*GUNICORN, "--no-control-socket"),
        environment={"TMPDIR": "/dev/shm"},
        is_read_only=True,
    ),
    Image(server=GUNICORN, launcher=("pipenv", "run"), files={"Pipfile": ""}),
    Image(server=GUNICORN, launcher=("poetry", "run"), files={"pyproject.toml": POETRY}),
    Image(server=("python", "serve.py"), files={"serve.py": EVENTLET, "manage.py": PATCHED}),
    Image(
        server=("celery", "-A", "tasks", "beat", "--loglevel", "info"),
        stop=SIGQUIT,
        says="beat: Starting...",
    ),
    Image(
        server=("celery", "-A", "tasks", "beat", "--loglevel", "info"),
        launcher=("pipenv", "run"),
        files={"Pipfile": ""},
        says="beat: Starting...",
    ),
]
