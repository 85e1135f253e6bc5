"""Specs that are valid and cannot work get a warning with what to write; others get none."""

import json
import re
from copy import deepcopy

import pytest

from lightgate.image.config import ImageConfig
from lightgate.spec.keys import AppSpec, SecretReference, SecretStore
from lightgate.spec.warnings.all_warnings import warnings
from lightgate.spec.warnings.secrets import warnings_of_values
from lightgate.spec.warnings.surroundings import warnings_beside, warnings_of_nodes
from tests.support.builders import DIGEST, Json, app_spec, migrate, parse, wait_for, web
from tests.support.spec_examples import EXAMPLES
from tests.unit.spec.test_schema import SCHEMA

DATABASE: Json = {"database": {"instance": "crops-db"}}
ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def image(*command: str, **environment: str) -> ImageConfig:
    return ImageConfig(
        command=command or ("gunicorn", "crops.wsgi", "-b", ":8000"),
        entrypoint=(),
        architecture="amd64",
        environment=environment,
    )


def told(config: ImageConfig | None = None, **changes: object) -> list[str]:
    return warnings(app_spec(**(DATABASE | changes)), config)


def served_by(*command: str, **changes: object) -> list[str]:
    return told(containers={"migrate": migrate(), "web": web(command=list(command), **changes)})


def beside(side: Json, **changes: object) -> list[str]:
    """What is said of a spec with a container that nobody waits for."""
    return told(containers={"migrate": migrate(), "web": web(), "side": side}, **changes)


REDIS: Json = {"image": f"redis:7@{DIGEST}"}


@pytest.mark.parametrize(
    ("name", "value", "write"),
    [
        ("REDIS_URL", "redis://redis:6379", "redis://localhost:6379"),
        ("REDIS_URL", "redis://:hunter2@redis:6379/0", "redis://localhost:6379"),
        ("CELERY_BROKER_URL", "redis://redis/1", "redis://localhost"),
        ("CACHE_URL", "rediscache://redis:6379/1", "rediscache://localhost:6379"),
        ("REDIS_HOST", "redis", "localhost"),
        ("REDIS_LOCATION", "redis:6379", "localhost:6379"),
        ("BROKERS", "redis://10.0.0.1:6379,redis://redis:6379", "redis://localhost:6379"),
        ("API_URL", "http://web:8000/api", "http://localhost:8000"),
        ("UPSTREAM", "http://web", "http://localhost"),
    ],
)
def test_another_container_is_reached_on_localhost_and_not_by_its_name(
    name: str, value: str, write: str
) -> None:
    containers = {"migrate": migrate(), "web": web(), "redis": REDIS}
    own = deepcopy(containers)
    own["web"]["environment"] = {name: value}

    for lines, path in (
        (told(environment={name: value}, containers=containers), f"environment.{name}"),
        (told(containers=own), f"containers.web.environment.{name}"),
    ):
        [line] = [one for one in lines if "by its name" in one]
        assert line.startswith(f"{path}: connects to the container ")
        assert line.endswith(f"as in {write}")
        assert "hunter2" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgres://db/crops"),
        ("DATABASE_URL", "postgresql+psycopg2://crops@postgres:5432/crops"),
        ("CELERY_RESULT_BACKEND", "db+postgresql://crops@db/crops"),
        ("CELERY_BROKER_URL", "amqp://guest:guest@rabbitmq:5672//"),
        ("DB_HOST", "db"),
        ("PGHOST", "postgres"),
        ("EMAIL_HOST", "mailhog"),
        ("MEMCACHED", "memcached:11211"),
        ("REDIS_URL", "redis://host.docker.internal:6379"),
        ("REDIS_URL", "redis://redis.default.svc.cluster.local:6379"),
        ("ELASTICSEARCH_URL", "http://elasticsearch:9200"),
    ],
)
def test_a_host_that_only_docker_knows_is_mentioned(name: str, value: str) -> None:
    [line] = told(environment={name: value})

    assert line.startswith(f"environment.{name}: names the host ")
    assert "write the full address" in line


@pytest.mark.parametrize(
    "command",
    [
        ["celery", "-A", "crops", "--broker", "redis://redis:6379/0", "worker"],
        ["celery", "-A", "crops", "--broker=redis://redis:6379/0", "worker"],
        ["./wait-for-it.sh", "redis:6379", "--", "celery", "-A", "crops", "worker"],
        ["sh", "-c", "celery -A crops -b redis://redis:6379 worker"],
    ],
)
def test_a_host_in_a_command_is_mentioned(command: list[str]) -> None:
    worker = {"command": command}

    [line] = told(containers={"migrate": migrate(), "web": web(), "redis": REDIS, "worker": worker})

    assert line.startswith("containers.worker.command: connects to the container redis")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://localhost:6379/0"),
        ("REDIS_URL", "redis://127.0.0.1:6379/0"),
        ("REDIS_URL", "rediss://crops.abc123.use1.cache.amazonaws.com:6379"),
        ("REDIS_URL", "redis+socket:///run/redis.sock"),
        ("DB_HOST", "crops-db.c1a2b3.us-east-1.rds.amazonaws.com"),
        ("DB_NAME", "db"),
        ("DATABASE_ENGINE", "postgresql"),
        ("CACHE_BACKEND", "redis"),
        ("QUEUE", "worker"),
        ("CELERY_BROKER_URL", "sqs://"),
        ("MEDIA_URL", "s3://media/crops"),
        ("STATIC_ROOT", "file:///app/static"),
        ("SENTRY_DSN", "https://0a1b2c3d@o1.ingest.sentry.io/2"),
        ("CSRF_TRUSTED_ORIGINS", "https://web,https://crops.example"),
        ("ALLOWED_HOSTS", "web,localhost"),
        ("WORKER_URL", "http://crops-worker.service.local:8000"),
        ("REDIS_IMAGE", "redis:7"),
        ("OPENING", "10:30"),
        ("CDN_URL", "https://cdn.example/npm/@scope/package"),
        ("BROKER_URL", "redis://:a,b#c@cache.example:6379/0"),
        ("BROKER_URL", "redis://token/with/slashes@cache.example"),
        ("HOST", "0.0.0.0"),
        ("WSGI_APPLICATION", "crops.wsgi:application"),
    ],
)
def test_an_address_that_can_be_reached_is_not_mentioned(name: str, value: str) -> None:
    containers = {"migrate": migrate(), "web": web(), "redis": REDIS}

    lines = told(environment={name: value}, containers=containers)

    assert [line for line in lines if re.search("by its name|names the host", line)] == []


@pytest.mark.parametrize(
    "value",
    ["redis://localhost:6379", "postgres://127.0.0.1/crops", "amqp://localhost//"],
)
def test_a_server_on_localhost_that_no_container_can_be_is_mentioned(value: str) -> None:
    [line] = told(environment={"SERVER_URL": value})

    assert line.startswith("environment.SERVER_URL: connects to ")
    assert "add a container with its image" in line


@pytest.mark.parametrize(
    "value", ["http://localhost:8000", "smtp://localhost", "statsd://localhost"]
)
def test_the_app_may_call_itself(value: str) -> None:
    assert told(environment={"SERVER_URL": value}) == []


@pytest.mark.parametrize("value", ["sqlite:///db.sqlite3", "sqlite:////data/db", "spatialite:///x"])
def test_a_database_in_a_file_is_mentioned(value: str) -> None:
    [line] = told(environment={"DATABASE_URL": value})

    assert line.startswith("environment.DATABASE_URL: names an SQLite database")


OUT_OF_REACH = {
    "gunicorn": ["gunicorn", "crops.wsgi"],
    "gunicorn with an app": ["gunicorn", "crops.wsgi:application", "--workers", "3"],
    "gunicorn with a short name": ["gunicorn", "wsgi"],
    "gunicorn on loopback": ["gunicorn", "crops.wsgi", "--bind", "127.0.0.1:8000"],
    "gunicorn on localhost": ["gunicorn", "crops.wsgi", "-b", "localhost:8000"],
    "gunicorn on a socket": ["gunicorn", "crops.wsgi", "--bind=unix:/run/gunicorn.sock"],
    "gunicorn on another port": ["gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8080"],
    "gunicorn with workers of uvicorn": [
        "gunicorn", "-k", "uvicorn.workers.UvicornWorker", "crops.asgi:application",
    ],
    "gunicorn of poetry": ["poetry", "run", "gunicorn", "crops.wsgi"],
    "gunicorn as a module": ["python", "-m", "gunicorn", "crops.wsgi"],
    "gunicorn under a tracer": ["ddtrace-run", "gunicorn", "crops.wsgi"],
    "gunicorn in a shell": ["sh", "-c", "exec gunicorn crops.wsgi"],
    "gunicorn in a shell on another port": ["sh", "-c", "gunicorn crops.wsgi -b :${PORT:-5000}"],
    "gunicorn after another command": ["bash", "-c", "./manage.py check && gunicorn crops.wsgi"],
    "uvicorn": ["uvicorn", "crops.asgi:application"],
    "uvicorn with a port only": ["uvicorn", "crops.asgi:application", "--port", "8000"],
    "uvicorn as a module": ["python3", "-m", "uvicorn", "crops.asgi:application"],
    "uvicorn on another port": ["uvicorn", "crops.asgi:app", "--host", "0.0.0.0", "--port=9000"],
    "hypercorn": ["hypercorn", "crops.asgi:application"],
    "hypercorn on loopback": ["hypercorn", "crops.asgi:application", "-b", "127.0.0.1:8000"],
    "daphne": ["daphne", "crops.asgi:application"],
    "daphne with a port only": ["daphne", "-p", "8000", "crops.asgi:application"],
    "granian": ["granian", "--interface", "asgi", "crops.asgi:application"],
    "runserver": ["python", "manage.py", "runserver"],
    "runserver with a port only": ["python", "manage.py", "runserver", "8000"],
    "runserver on loopback": ["python", "manage.py", "runserver", "127.0.0.1:8000"],
    "runserver on another port": ["./manage.py", "runserver", "0.0.0.0:8080", "--noreload"],
    "waitress on its usual port": ["waitress-serve", "crops.wsgi:application"],
    "waitress on loopback": ["waitress-serve", "--listen=127.0.0.1:8000", "crops.wsgi:application"],
    "uwsgi without HTTP": ["uwsgi", "--module", "crops.wsgi"],
    "uwsgi with its own protocol": ["uwsgi", "--socket", "0.0.0.0:8000", "--module", "crops.wsgi"],
    "uwsgi on loopback": ["uwsgi", "--http", "127.0.0.1:8000", "--module", "crops.wsgi"],
}  # fmt: skip


@pytest.mark.parametrize("command", OUT_OF_REACH.values(), ids=OUT_OF_REACH)
def test_a_server_out_of_reach_of_lightsail_gets_an_address_to_listen_on(
    command: list[str],
) -> None:
    [line] = served_by(*command)

    assert line.startswith("containers.web.command: ")
    assert "port 8000 from outside the container" in line
    assert re.search(r"; .*8000", line)


WITHIN_REACH = {
    "gunicorn": ["gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000"],
    "gunicorn in one word": ["gunicorn", "crops.wsgi", "-b0.0.0.0:8000"],
    "gunicorn without a host": ["gunicorn", "crops.wsgi", "-b", ":8000"],
    "gunicorn on IPv6": ["gunicorn", "crops.wsgi", "--bind=[::]:8000"],
    "gunicorn without a port": ["gunicorn", "crops.wsgi", "--bind", "0.0.0.0"],
    "gunicorn on two": ["gunicorn", "crops.wsgi", "-b", "127.0.0.1:9", "-b", "0.0.0.0:8000"],
    "gunicorn with a file": ["gunicorn", "-c", "gunicorn.conf.py", "crops.wsgi"],
    "gunicorn with only its file": ["gunicorn"],
    "gunicorn in a shell": ["sh", "-c", "gunicorn crops.wsgi --bind 0.0.0.0:$PORT"],
    "gunicorn behind nginx": ["sh", "-c", "nginx && gunicorn crops.wsgi -b 127.0.0.1:8001"],
    "uvicorn": ["uvicorn", "crops.asgi:application", "--host", "0.0.0.0", "--port", "8000"],
    "uvicorn on its usual port": ["uvicorn", "crops.asgi:application", "--host=0.0.0.0"],
    "hypercorn": ["hypercorn", "--bind", "0.0.0.0:8000", "crops.asgi:application"],
    "daphne": ["daphne", "-b", "0.0.0.0", "-p", "8000", "crops.asgi:application"],
    "daphne by an endpoint": ["daphne", "-e", "tcp:8000:interface=0.0.0.0", "crops.asgi:app"],
    "granian": ["granian", "--host", "0.0.0.0", "crops.asgi:application"],
    "runserver": ["python", "manage.py", "runserver", "0.0.0.0:8000"],
    "runserver with a short address": ["python", "manage.py", "runserver", "0:8000"],
    "waitress": ["waitress-serve", "--port=8000", "crops.wsgi:application"],
    "waitress on every address": ["waitress-serve", "--listen=*:8000", "crops.wsgi:application"],
    "uwsgi": ["uwsgi", "--http", ":8000", "--module", "crops.wsgi"],
    "uwsgi with a file": ["uwsgi", "--ini", "uwsgi.ini"],
    "supervisord": ["supervisord", "-n"],
}


@pytest.mark.parametrize("command", WITHIN_REACH.values(), ids=WITHIN_REACH)
def test_a_server_within_reach_is_not_mentioned(command: list[str]) -> None:
    assert served_by(*command) == []


@pytest.mark.parametrize(
    ("command", "environment"),
    [
        (["gunicorn", "crops.wsgi"], {"PORT": "8000"}),
        (["gunicorn", "crops.wsgi"], {"GUNICORN_CMD_ARGS": "--bind=0.0.0.0:8000 --workers=2"}),
        (["uvicorn", "crops.asgi:application"], {"UVICORN_HOST": "0.0.0.0"}),
        (["granian", "crops.asgi:app"], {"GRANIAN_HOST": "0.0.0.0", "GRANIAN_PORT": "8000"}),
        (["uwsgi", "--module", "crops.wsgi"], {"UWSGI_HTTP": ":8000"}),
        (["sh", "-c", "gunicorn crops.wsgi -b 0.0.0.0:$PORT"], {"PORT": "8000"}),
    ],
)
def test_a_variable_can_set_the_address_of_a_server(command: list[str], environment: Json) -> None:
    assert served_by(*command, environment=environment) == []
    of_image = warnings(
        app_spec(**DATABASE, containers={"migrate": migrate(), "web": web(command=command)}),
        image(**environment),
    )
    assert of_image == []


@pytest.mark.parametrize(
    ("command", "environment"),
    [
        (["gunicorn", "crops.wsgi"], {"PORT": "5000"}),
        (["gunicorn", "crops.wsgi"], {"GUNICORN_CMD_ARGS": "--workers=2"}),
        (["sh", "-c", "gunicorn crops.wsgi -b 0.0.0.0:$PORT"], {"PORT": "5000"}),
    ],
)
def test_a_variable_that_sets_a_wrong_address_is_reported(
    command: list[str], environment: Json
) -> None:
    [line] = served_by(*command, environment=environment)

    assert line.startswith("containers.web.command: gunicorn ")


def test_a_server_behind_another_container_may_listen_where_it_likes() -> None:
    containers = {
        "migrate": migrate(),
        "app": {"command": ["gunicorn", "crops.wsgi"], "dependsOn": [wait_for("migrate")]},
        "web": web(command=["nginx"]),
    }  # fmt: skip

    assert told(containers=containers) == []


@pytest.mark.parametrize(
    ("command", "is_mentioned"),
    [
        (("gunicorn", "crops.wsgi", "--bind", "127.0.0.1:8000"), True),
        (("uvicorn", "crops.asgi:application"), True),
        (("python", "manage.py", "runserver"), True),
        # The image may have gunicorn's file beside its CMD.
        (("gunicorn", "crops.wsgi"), False),
        (("gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000"), False),
    ],
)
def test_a_server_in_the_cmd_of_the_image_is_mentioned_where_it_runs(
    command: tuple[str, ...], is_mentioned: bool
) -> None:
    commandless = {"ports": {"8000": "HTTP"}, "dependsOn": [wait_for("migrate")]}

    lines = told(image(*command), containers={"migrate": {}, "web": commandless})

    assert bool(lines) == is_mentioned
    assert told(image(*command)) == []


@pytest.mark.parametrize(
    ("ports", "is_mentioned"),
    [
        ({"8080": "HTTP"}, True),
        ({"80": "HTTP", "443": "HTTPS"}, True),
        ({"8000": "HTTP"}, False),
        ({"8000": "HTTP", "9000": "TCP"}, False),
        ({}, False),
    ],
)
def test_ports_without_that_of_the_endpoint_are_mentioned(ports: Json, is_mentioned: bool) -> None:
    lines = told(containers={"migrate": migrate(), "web": web(ports=ports)})

    assert bool(lines) == is_mentioned
    assert all(line.startswith("containers.web.ports: has ") for line in lines)
    assert all('add "8000": "HTTP"' in line for line in lines)


SECRETS: Json = {"DATABASE_URL": "secretsmanager:crops/db:url", "SECRET_KEY": "ssm:/crops/key"}


@pytest.mark.parametrize(
    "side", [f"{side}@{DIGEST}" for side in ("nginx:1.27", "redis:7", "ghcr.io/acme/agent:v1")]
)
def test_secrets_that_go_to_another_image_are_mentioned(side: str) -> None:
    [line] = beside({"image": side}, secrets=SECRETS)

    assert line == (
        f"containers.side: runs the image {side}, which is not the app's, and is given "
        "DATABASE_URL, SECRET_KEY, because the variables at the top go to every container; move "
        "them to the containers that run the app"
    )


def test_a_password_at_the_top_that_goes_to_another_image_is_mentioned() -> None:
    lines = beside(
        {"image": f"nginx@{DIGEST}"}, environment={"DB_PASSWORD": "hunter2", "TZ": "UTC"}
    )

    assert any(line.startswith("containers.side: ") and "DB_PASSWORD" in line for line in lines)
    assert not any("TZ" in line for line in lines)


@pytest.mark.parametrize("key", ["secrets", "environment"])
def test_the_apps_secrets_in_a_container_that_needs_none_are_mentioned(key: str) -> None:
    value = "ssm:/crops/db" if key == "secrets" else "the-apps"

    lines = beside({"image": f"redis:7@{DIGEST}", key: {"DATABASE_URL": value}})

    assert any("for which redis has no use" in line for line in lines)


@pytest.mark.parametrize(
    ("side", "changes"),
    [
        # It may well be the team's own.
        ({"image": f"{ECR}/worker:v1@{DIGEST}"}, {"secrets": SECRETS}),
        ({"command": ["celery", "-A", "crops", "worker"]}, {"secrets": SECRETS}),
        (
            {"image": f"edoburu/pgbouncer@{DIGEST}", "secrets": {"DATABASE_URL": "ssm:/crops/db"}},
            {},
        ),
        ({"image": f"datadog/agent@{DIGEST}", "secrets": {"DD_API_KEY": "ssm:/dd"}}, {}),
        ({"image": f"redis:7@{DIGEST}"}, {"environment": {"TZ": "UTC"}}),
        (
            {"image": f"redis:7@{DIGEST}", "environment": {"DATABASE_URL": "", "SECRET_KEY": ""}},
            {"secrets": SECRETS},
        ),
    ],
)
def test_a_container_that_may_need_its_secrets_is_not_mentioned(side: Json, changes: Json) -> None:
    lines = [line for line in beside(side, **changes) if "which is not the app's" in line]

    assert lines == []


SECRET = "hunter2Hunter2"
PLAIN = {
    "DATABASE_URL": f"postgres://crops:{SECRET}@db.example/crops",
    "REDIS_URL": f"redis://:{SECRET}@cache.example:6379/0",
    "CELERY_BROKER_URL": f"amqp://crops:{SECRET}@mq.example//",
    "EMAIL_URL": f"smtp+tls://crops:{SECRET}@smtp.example:587",
    "MONGO": f"mongodb+srv://crops:{SECRET}@cluster.mongodb.net/crops",
    "JDBC": f"jdbc:postgresql://db.example/crops?user=crops&password={SECRET}",
    "DSN": f"host=db.example user=crops password={SECRET}",
    "DB_PASSWORD": SECRET,
    "DB_PASS": SECRET,
    "DB_PASSWD": SECRET,
    "PGPASSWORD": SECRET,
    "MYSQL_PWD": SECRET,
    "POSTGRES_PASSWORD_PROD": SECRET,
    "EMAIL_HOST_PASSWORD": SECRET,
    "ADMIN_PASSWORD": "changeme",
    "NUMERIC_PASSWORD": "20260101",
    "db_password": SECRET,
    "DJANGO__DATABASE__PASSWORD": SECRET,
    "SECRET_KEY": SECRET,
    "DJANGO_SECRET_KEY": f"django-insecure-{SECRET}",
    "SECRET_KEY_FALLBACKS": SECRET,
    "FIELD_ENCRYPTION_KEY": SECRET,
    "JWT_SIGNING_KEY": SECRET,
    "OAUTH_CLIENT_SECRET": SECRET,
    "WEBHOOK_SECRET": SECRET,
    "API_TOKEN": SECRET,
    "SENTRY_AUTH_TOKEN": SECRET,
    "STRIPE_API_KEY": SECRET,
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS": "AKIAIOSFODNN7EXAMPLE",
    "GITHUB": f"ghp_{'a1B2' * 9}",
    "GITLAB": "glpat-a1B2c3D4e5F6g7H8i9J0",
    "SLACK": f"xoxb-123456789012-{SECRET}",
    "ALERTS": f"https://hooks.slack.com/services/T00/B00/{SECRET}",
    "PAYMENTS": f"sk_live_{SECRET}",
    "SENDGRID": f"SG.{'a1B2' * 5}.{'c3D4' * 8}",
    "OPENAI": f"sk-proj-{'a1B2' * 6}",
    "BEARER": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl",
    "PRIVATE": "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
    "SSH": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn",
    "GOOGLE_CREDENTIALS": '{"private_key": "-----BEGIN PRIVATE KEY-----"}',
    "MAILGUN_KEY": "3f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c",
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_a_secret_in_plain_text_is_mentioned_without_its_value(name: str) -> None:
    value = PLAIN[name]
    own = {"migrate": migrate(), "web": web(environment={name: value})}

    for lines, path in (
        (told(environment={name: value}), f"environment.{name}"),
        (told(containers=own), f"containers.web.environment.{name}"),
    ):
        [line] = [one for one in lines if "in plain text" in one]
        assert line.startswith(f"{path}: holds ")
        assert f'"secrets": {{"{name}": "ssm:/crops-backend/' in line
        assert value not in line
        assert SECRET not in " ".join(lines)


def test_the_reference_suggested_for_a_plain_secret_is_valid() -> None:
    for name, value in PLAIN.items():
        [line] = [one for one in told(environment={name: value}) if "in plain text" in one]
        [advised] = re.findall(r'write "secrets": (\{.*\})', line)
        assert told(secrets=json.loads(advised)) == []


NOT_PLAIN = {
    "DJANGO_SETTINGS_MODULE": "crops.settings_production",
    "DEBUG": "false",
    "DATABASE_URL": "postgres://crops@db.example/crops",
    "SENTRY_DSN": "https://0a1b2c3d4e5f60718293a4b5c6d7e8f9@o1.ingest.sentry.io/2",
    "DB_PASSWORD": "",
    "DB_PASSWORD_FILE": "/run/secrets/db",
    "REDIS_PASSWORD": "/run/secrets/redis",
    "SECRET_KEY_FILE": "/run/secrets/key",
    "SECRETS_DIR": "/run/secrets",
    "PASSWORD_RESET_TIMEOUT": "3600",
    "PASSWORD_HASHERS": "django.contrib.auth.hashers.Argon2PasswordHasher",
    "AUTH_PASSWORD_VALIDATORS": "none",
    "REQUIRE_PASSWORD": "true",
    "ACCESS_TOKEN_LIFETIME": "300",
    "MAX_TOKEN": "4096",
    "TOKEN_URL": "https://id.example/token",
    "API_KEY_HEADER": "X-Api-Key",
    "CACHE_KEY_PREFIX": "crops",
    "CACHE_KEY": "crops",
    "SORT_KEY": "name",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_a1B2c3D4e5F6g7H8",
    "STRIPE_PUBLIC_KEY": "a1B2c3D4e5F6g7H8a1B2c3D4",
    "RECAPTCHA_SITE_KEY": "6LcA1B2c3D4e5F6g7H8a1B2c3D4e5F6g7H8a1B2c",
    "JWT_PUBLIC_KEY": "-----BEGIN PUBLIC KEY-----\nMIIB",
    "GIT_COMMIT": "3f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c3f9a8b7c",
    "AWS_REGION": "us-east-1",
    "AWS_STORAGE_BUCKET_NAME": "crops-media",
    "SECRET_NAME": "secretsmanager:crops/db",
    "DB_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:crops/db-AbC1d2",
    "SECRET_KEY": "unused",
    "TOKENIZERS_PARALLELISM": "false",
    "KEYCLOAK_URL": "https://id.example/realms/crops",
    "AUTHOR": "Jane Doe",
    "PWD": "/app",
    "EMAIL_HOST": "smtp.example",
    "BASE_URL": "https://crops.example:8443/@team",
    "LOGIN_URL": "/accounts/login/?next=/",
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_an_open_value_is_not_mentioned(name: str) -> None:
    assert told(environment={name: NOT_PLAIN[name]}) == []


@pytest.mark.parametrize(
    "command",
    [
        ["celery", "-A", "crops", "--broker", f"redis://:{SECRET}@cache.example:6379", "worker"],
        ["agent", "--password", SECRET],
        ["agent", f"--api-key={SECRET}"],
        ["sh", "-c", f"PGPASSWORD={SECRET} psql -c 'select 1'"],
    ],
)
def test_a_secret_in_a_command_is_mentioned_without_its_value(command: list[str]) -> None:
    [line] = beside({"command": command})

    assert line.startswith("containers.side.command: has ")
    assert "in plain text" in line
    assert SECRET not in line


def test_a_secret_in_what_is_sent_to_the_app_is_mentioned_without_its_value() -> None:
    write = {"path": "/probes", "headers": {"X-Probe": f"Bearer {SECRET}{SECRET}"}}

    [line] = told(verification={"write": write})

    assert line.startswith("verification.write: has an Authorization header in plain text")
    assert SECRET not in line


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "PGPASSWORD=$DB_PASSWORD psql"],
        ["createsuperuser", "--password", "--noinput"],
        ["gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000"],
    ],
)
def test_a_command_without_a_secret_is_not_mentioned(command: list[str]) -> None:
    assert beside({"command": command}) == []


@pytest.mark.parametrize(
    "value",
    [
        "secretsmanager:crops/db:url",
        "ssm:/crops/key",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:crops/db-AbC1d2",
        "arn:aws:ssm:us-east-1:123456789012:parameter/crops/key",
    ],
)
def test_a_reference_in_the_environment_belongs_in_secrets(value: str) -> None:
    [line] = told(environment={"DATABASE_URL": value})

    assert line == (
        "environment.DATABASE_URL: holds a reference to a secret, and the app gets the reference "
        'in place of the secret; move DATABASE_URL from "environment" to "secrets"'
    )


MIGRATE = ["python", "manage.py", "migrate", "--noinput"]


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ([*MIGRATE, "--fake"], "migrate --fake records"),
        ([*MIGRATE, "crops", "0003", "--fake"], "migrate --fake records"),
        (["timeout", "300", *MIGRATE, "--fake"], "migrate --fake records"),
        (["django-admin", "migrate", "--fake"], "migrate --fake records"),
        (["python", "-m", "django", "migrate", "--fake"], "migrate --fake records"),
        (["poetry", "run", *MIGRATE, "--fake"], "migrate --fake records"),
        (["sh", "-c", "python manage.py migrate --fake && echo done"], "migrate --fake records"),
        ([*MIGRATE, "--fake-initial"], "migrate --fake-initial takes"),
        ([*MIGRATE, "--plan"], "migrate --plan applies no migration"),
        ([*MIGRATE, "--check"], "migrate --check applies no migration"),
        ([*MIGRATE, "crops"], "migrate crops is confined"),
        ([*MIGRATE, "crops", "zero"], "migrate crops zero is confined"),
        (
            ["sh", "-c", "python manage.py migrate --check && python manage.py migrate"],
            "migrate --check fails exactly",
        ),
    ],
)
def test_a_migrate_that_applies_too_little_is_mentioned_with_what_to_remove(
    command: list[str], wrong: str
) -> None:
    lines = told(containers={"migrate": migrate(command=command), "web": web()})
    [line] = [each for each in lines if "so its plan would not" not in each]

    assert line.startswith(f"containers.migrate.command: {wrong}")
    assert "; remove " in line or "; where" in line


@pytest.mark.parametrize(
    "command",
    [
        MIGRATE,
        [*MIGRATE, "--database", "default", "-v", "2", "--settings=crops.settings"],
        ["sh", "-c", "python manage.py migrate --plan && python manage.py migrate --noinput"],
        ["sh", "-c", "python manage.py migrate crops && python manage.py migrate"],
        ["python", "manage.py", "loaddata", "--fake"],
        ["flyway", "migrate"],
    ],
)
def test_a_migrate_that_applies_everything_is_not_mentioned(command: list[str]) -> None:
    lines = told(containers={"migrate": migrate(command=command), "web": web()})

    assert [each for each in lines if "so its plan would not" not in each] == []


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "celery -A crops -b $BROKER_URL worker"],
        ["bash", "-ec", "exec celery -A crops -b ${BROKER_URL} worker"],
        ["envsubst", "$HOST"],
        ["grep", "crops$"],
    ],
)
def test_a_variable_that_is_filled_in_is_no_problem(command: list[str]) -> None:
    assert beside({"command": command}) == []


@pytest.mark.parametrize(
    ("name", "is_mentioned"),
    [
        ("registry.example.com/shop", True),
        ("harbor.example.io/team/shop", True),
        ("team/shop", False),
        ("my.team/shop", False),
        ("shop.io", False),
    ],
)
def test_a_repository_that_begins_like_a_registry_is_mentioned(
    name: str, is_mentioned: bool
) -> None:
    lines = told(repository=name)

    assert bool(lines) == is_mentioned
    assert all(f"write {name.partition('/')[2]}, unless" in line for line in lines)


def scheduled(*command: str) -> AppSpec:
    return app_spec(
        containers={"migrate": migrate(), "web": web(), "beat": {"command": list(command)}}
    )


@pytest.mark.parametrize(
    "command",
    [
        ["celery", "-A", "crops", "beat"],
        ["celery", "-A", "crops", "beat", "-l", "info"],
        ["celery", "-A", "crops", "beat", "-S", "django_celery_beat.schedulers:DatabaseScheduler"],
        ["celery", "-A", "crops", "worker", "-B"],
        ["celery", "-A", "crops", "worker", "--beat", "-l", "info"],
        ["celery", "-A", "crops", "worker", "-EB"],
        ["python", "-m", "celery", "-A", "crops", "beat"],
        ["poetry", "run", "celery", "-A", "crops", "beat"],
        ["python", "manage.py", "celery", "beat"],
        ["sh", "-c", "celery -A crops worker & celery -A crops beat"],
        ["rqscheduler"],
        ["supercronic", "/app/crontab"],
        ["crond", "-f"],
        ["python", "manage.py", "run_huey"],
        ["python", "manage.py", "runapscheduler"],
    ],
)  # fmt: skip
def test_a_scheduler_on_several_nodes_is_mentioned(command: list[str]) -> None:
    spec = scheduled(*command)

    [line] = warnings_of_nodes(spec, image(), 3)

    assert line.startswith("containers.beat.command: ")
    assert "runs on each of the 3 nodes of crops-backend" in line
    assert "set the scale of the service to 1" in line
    assert warnings_of_nodes(spec, image(), 1) == []


@pytest.mark.parametrize(
    "command",
    [
        ["celery", "-A", "crops", "worker"],
        ["celery", "-A", "crops", "worker", "-l", "INFO", "-c", "2"],
        ["celery", "-A", "crops", "beat", "-S", "redbeat.RedBeatScheduler"],
        ["celery", "-A", "crops", "flower"],
        ["python", "manage.py", "run_huey", "--no-periodic"],
        ["gunicorn", "crops.wsgi"],
    ],
)
def test_what_may_run_on_several_nodes_is_not_mentioned(command: list[str]) -> None:
    assert warnings_of_nodes(scheduled(*command), image(), 3) == []


def test_a_scheduler_in_the_cmd_of_the_image_is_mentioned() -> None:
    spec = app_spec(containers={"migrate": migrate(), "web": web(), "beat": {}})

    [line] = warnings_of_nodes(spec, image("celery", "-A", "crops", "beat"), 2)

    assert line.startswith("containers.beat.command: celery beat")


def test_a_stage_on_a_service_that_another_app_calls_production_is_mentioned() -> None:
    ours, other = app_spec(stage="staging"), app_spec(stage="production")

    [line] = warnings_beside(ours, {"crops": other})

    assert line.startswith("stage: the app crops names the service crops-backend too")
    assert "the stage of this app is staging, and that of crops is production" in line


def test_two_apps_of_one_stage_on_one_service_are_mentioned() -> None:
    [line] = warnings_beside(app_spec(), {"crops": app_spec()})

    assert line.startswith("serviceName: the app crops names the service crops-backend too")


def test_a_database_that_is_another_stages_is_mentioned() -> None:
    ours = app_spec(stage="staging", **DATABASE)
    other = app_spec(serviceName="crops", **DATABASE)

    [line] = warnings_beside(ours, {"crops": other})

    assert line.startswith("database.instance: the app crops uses the database crops-db too")


@pytest.mark.parametrize(
    "other",
    [
        {"serviceName": "crops"},
        {"serviceName": "crops", "stage": "staging", "database": {"instance": "crops-db"}},
        {"serviceName": "crops", "database": {"instance": "other-db"}},
        {"serviceName": "crops", "database": {"cluster": "crops-db"}},
    ],
)
def test_apps_beside_each_other_are_not_mentioned(other: Json) -> None:
    assert (
        warnings_beside(app_spec(stage="staging", **DATABASE), {"crops": app_spec(**other)}) == []
    )


REFERENCE = SecretReference(store=SecretStore.SECRETS_MANAGER, name="crops/db", json_key="url")
PEM = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (f"{SECRET}\n", "ends in a line break"),
        (f"{SECRET}\r\n", "ends in a line break"),
        (f"{SECRET}\n\n", "ends in a line break"),
        (f"{SECRET} ", "ends in a space"),
        (f"{SECRET}\t", "ends in a space"),
        (f"{SECRET}\u00a0", "ends in a space"),
        (f"{SECRET}\u200b", "ends in a space"),
        (f" {SECRET}", "begins with a space"),
        (f"\ufeff{SECRET}", "begins with a space"),
        (f"\n{SECRET}", "begins with a line break"),
        (f'"{SECRET}"', "stands in quotation marks"),
        ("", "is empty"),
        (" \n", "is empty"),
    ],
)
def test_a_secret_with_something_unseen_around_it_is_mentioned_without_its_value(
    value: str, wrong: str
) -> None:
    [line] = warnings_of_values({REFERENCE: value})

    assert line.startswith(f"The value of the secret secretsmanager:crops/db:url {wrong}")
    assert SECRET not in line


@pytest.mark.parametrize("value", [SECRET, "two words", PEM, '{"a": "b"}', '"', "it's"])
def test_a_secret_that_is_as_meant_is_not_mentioned(value: str) -> None:
    assert warnings_of_values({REFERENCE: value}) == []


SHOWN = {**EXAMPLES, **{f"schema {n}": one for n, one in enumerate(SCHEMA["examples"])}}


@pytest.mark.parametrize("name", SHOWN)
def test_the_examples_have_nothing_of_all_this(name: str) -> None:
    lines = warnings(parse(SHOWN[name]), image("gunicorn", "crops.wsgi"))

    assert [line for line in lines if not line.startswith("database: is missing")] == []


def django(**changes: object) -> Json:
    """A spec as a careful team has it."""
    document: Json = {
        "serviceName": "shop",
        "repository": "team/shop",
        "tags": ["v*"],
        "database": {"instance": "shop-db", "keepSnapshots": 5},
        "environment": {
            "DJANGO_SETTINGS_MODULE": "shop.settings.production",
            "ALLOWED_HOSTS": "shop.example,.amazonlightsail.com",
            "CSRF_TRUSTED_ORIGINS": "https://shop.example",
            "AWS_STORAGE_BUCKET_NAME": "shop-media",
            "SENTRY_DSN": "https://0a1b2c3d4e5f@o1.ingest.sentry.io/2",
            "WEB_CONCURRENCY": "3",
        },
        "containers": {"migrate": migrate(), "web": web()},
        "publicEndpoint": {"containerName": "web", "containerPort": 8000},
        **changes,
    }
    return document


KEYS = {"DATABASE_URL": "secretsmanager:shop/db:url", "SECRET_KEY": "ssm:/shop/secret-key"}
CAREFUL: dict[str, Json] = {
    "gunicorn": django(secrets=KEYS),
    "preset": django(secrets=KEYS, containers={"migrate": {}, "web": web()}),
    "uvicorn": django(
        secrets=KEYS,
        containers={
            "migrate": migrate(),
            "web": web(command=["uvicorn", "shop.asgi:app", "--host", "0.0.0.0", "--port", "8000"]),
        },
    ),
    "channels": django(
        secrets=KEYS | {"REDIS_URL": "ssm:/shop/redis"},
        containers={
            "migrate": migrate(),
            "web": web(command=["daphne", "-b", "0.0.0.0", "-p", "8000", "shop.asgi:application"]),
        },
    ),
    "celery with redis beside it": django(
        containers={
            "migrate": migrate(secrets=KEYS),
            "redis": {"image": f"redis:7@{DIGEST}", "command": ["redis-server", "--save", ""]},
            "worker": {
                "command": ["celery", "-A", "shop", "worker", "--loglevel", "info"],
                "secrets": KEYS,
                "environment": {"CELERY_BROKER_URL": "redis://localhost:6379/0"},
                "dependsOn": [wait_for("migrate")],
            },
            "web": web(secrets=KEYS, environment={"CELERY_BROKER_URL": "redis://localhost:6379/0"}),
        }
    ),
    "nginx in front": django(
        containers={
            "migrate": migrate(secrets=KEYS),
            "app": web(secrets=KEYS, command=["gunicorn", "shop.wsgi", "-b", "127.0.0.1:8001"],
                       ports={}),
            "web": web(command=["nginx", "-g", "daemon off;"]),
        }
    ),
    "pgbouncer": django(
        environment={"DB_HOST": "localhost", "DB_PORT": "6432", "DB_USER": "shop"},
        containers={
            "migrate": migrate(secrets=KEYS),
            "pgbouncer": {
                "image": f"edoburu/pgbouncer:v1.23.1-p2@{DIGEST}",
                "secrets": {"DATABASE_URL": "secretsmanager:shop/db:url"},
                "environment": {"POOL_MODE": "transaction", "LISTEN_PORT": "6432"},
            },
            "web": web(secrets=KEYS),
        },
    ),
    "script": django(
        secrets=KEYS,
        containers={"migrate": migrate(), "web": web(command=["./docker/start-web.sh"])},
    ),
    "shell": django(
        secrets=KEYS,
        environment={"PORT": "8000"},
        containers={
            "migrate": migrate(),
            "web": web(
                command=["sh", "-c", "exec gunicorn shop.wsgi --bind 0.0.0.0:$PORT --workers 3"]
            ),
        },
    ),
    "staging": django(
        stage="staging",
        secrets=KEYS,
        environment={"DJANGO_SETTINGS_MODULE": "shop.settings.staging", "DEBUG": "0"},
    ),
    "development": django(
        stage="development",
        secrets=KEYS,
        containers={"migrate": {"fixtures": ["dev_data.json"]}, "web": web()},
    ),
    "lightsail database": django(
        database={"lightsail": "shop-database"},
        secrets={"DB_PASSWORD": "ssm:/shop/db-password", "SECRET_KEY": "ssm:/shop/key"},
        environment={
            "DB_HOST": "ls-0a1b2c3d.c1a2b3.us-east-1.rds.amazonaws.com",
            "DB_NAME": "shop",
            "DB_USER": "shop",
            "DB_PORT": "5432",
        },
    ),
    "external services": django(
        secrets=KEYS
        | {"EMAIL_HOST_PASSWORD": "ssm:/shop/mail", "STRIPE_API_KEY": "ssm:/shop/stripe"},
        environment={
            "EMAIL_HOST": "email-smtp.us-east-1.amazonaws.com",
            "EMAIL_PORT": "587",
            "STRIPE_PUBLISHABLE_KEY": "pk_live_a1B2c3D4e5F6g7H8",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318",
            "ELASTICSEARCH_URL": "https://search.shop.example:9200",
            "SITE_URL": "https://shop.example",
            "PASSWORD_RESET_TIMEOUT": "3600",
        },
    ),
    "background only": {
        **django(secrets=KEYS, unprotected=True, containers={
            "migrate": migrate(),
            "worker": {"command": ["celery", "-A", "shop", "worker"],
                       "dependsOn": [wait_for("migrate")]},
        }),
        "publicEndpoint": None,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CAREFUL)
def test_a_careful_spec_gets_no_warning(name: str) -> None:
    document = {key: value for key, value in CAREFUL[name].items() if value is not None}

    lines = warnings(parse(document), image())

    assert [line for line in lines if not line.startswith("unprotected: ")] == []


def test_an_automatic_rollback_to_code_that_may_fail_is_named() -> None:
    classes = ["compatible", "breaking", "unknown"]

    assert told(migrations={"automaticRollback": classes}) == [
        "migrations.automaticRollback: with breaking and unknown, Lightgate rolls back "
        "automatically to code that may fail on the migrated database; write "
        '["compatible"], and roll back by hand after you have read the message'
    ]
    assert told(migrations={"automaticRollback": ["restricted", "data"]}) == []


def test_a_warning_is_one_line_whatever_it_quotes() -> None:
    odd = ["python", "manage.py", "migrate", "\n", "--check\x1b[31m"]
    entrypoint = ImageConfig(command=(), entrypoint=("migrate\n",), architecture="amd64")

    for line in told(entrypoint, containers={"migrate": migrate(command=odd), "web": web()}):
        assert line.isprintable()
