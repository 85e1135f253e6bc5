import pytest

from lightgate.spec.migrating import Migrates, migrates


@pytest.mark.parametrize(
    "command",
    [
        ("python", "manage.py", "migrate"),
        ("sh", "-c", 'python manage.py migrate --noinput; exec "$@"'),
        ("sh", "-c", "python manage.py collectstatic && python manage.py migrate && gunicorn x"),
        ("bash", "-lc", "poetry run python manage.py migrate\nexec gunicorn crops.wsgi"),
        ("tini", "--", "python", "-m", "django", "migrate"),
        ("wait_for_it", "db:5432", "--", "python", "manage.py", "migrate"),
        ("runuser", "-u", "app", "--", "python3.13t", "manage.py", "migrate"),
        ("s6-setuidgid", "app", "elasticapm-run", "python", "manage.py", "migrate"),
        ("python", "-c", "from django.core.management import *; call_command('migrate')"),
        ("python", "manage.py", "migrate", "crops", "0003"),
        ("python", "-m", "src.manage", "migrate"),
        ("su", "app", "-s", "/bin/sh", "-c", "python manage.py migrate"),
    ],
)
def test_a_command_that_certainly_migrates(command: tuple[str, ...]) -> None:
    assert migrates(command) is Migrates.YES


@pytest.mark.parametrize(
    "command",
    [
        ("sh", "-c", 'if [ "$MIGRATE" = 1 ]; then python manage.py migrate; fi; exec "$@"'),
        ("sh", "-c", "./manage.py check || ./manage.py migrate"),
        ("./entrypoint.sh",),
        ("/docker-entrypoint.sh", "gunicorn"),
        ("/entrypoint",),
        ("/start",),
        ("bin/start",),
        ("sh", "start.sh"),
        ("tini", "--", "./run.sh"),
        ("make", "run"),
        ("supervisord", "-n", "-c", "/etc/supervisord.conf"),
        ("honcho", "start"),
        ("tini", "--", "s6-svscan", "/etc/services"),
        ("npm", "start"),
        ("sh", "-c", ". /app/start && exec gunicorn crops.wsgi"),
        ("npm", "run", "migrate"),
        ("./migrate",),
        ("nautobot-server", "migrate"),
        ("nautobot-server", "post_upgrade"),
        ("python", "manage.py", "migrate_schemas", "--shared"),
        ("python", "manage.py", "tenant_command", "migrate"),
        ("python", "manage.py", "safemigrate"),
        ("python", "manage.py", "deploy"),
        ("python", "manage.py", "--env=prod", "migrate"),
        ("sh", "-c", 'python manage.py "$@"'),
        ("sh", "-c", "for one in migrate collectstatic; do python manage.py $one; done"),
    ],
)
def test_a_command_that_may_migrate(command: tuple[str, ...]) -> None:
    assert migrates(command) is Migrates.PERHAPS


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("gunicorn", "crops.wsgi"),
        ("/app/.venv/bin/gunicorn", "crops.wsgi"),
        ("python", "run.py"),
        ("python", "entrypoint.py"),
        ("python", "manage.py", "runserver"),
        ("python", "manage.py", "migrate", "--check"),
        ("python", "manage.py", "makemigrations", "--check"),
        ("python", "manage.py", "showmigrations"),
        ("sh", "-c", "exec gunicorn crops.wsgi"),
        ("celery", "-A", "crops", "worker"),
        ("flyway", "migrate"),
    ],
)
def test_a_command_that_names_no_migration(command: tuple[str, ...]) -> None:
    assert migrates(command) is Migrates.NO
