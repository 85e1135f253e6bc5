"""`lightgate init`: a spec from what people have, and a word about all that is not in it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lightgate.spec.parser import parse_spec
from tests.cli.calls import Said
from tests.cli.golden import assert_golden

SOURCES = Path(__file__).parent / "sources"
FACTS = ("--repository", "farm", "--database", "farm-db")
SERVICE = ("--service", "farm", *FACTS)

# The options that each file needs beside itself.
LIGHTSAIL: dict[str, Sequence[str]] = {
    "tutorial-containers.json": (
        *("--public-endpoint", str(SOURCES / "tutorial-endpoint.json")),
        *("--repository", "hello", "--no-database"),
    ),
    "proxy-and-flask.json": ("--repository", "hello", "--no-database"),
    "fastapi-one-label.json": (*FACTS, "--migrate", "alembic upgrade head"),
    "rails.json": ("--repository", "orchard", "--lightsail-database", "orchard-db"),
    "front-and-back.json": ("--repository", "fields"),
    "crm-with-its-database.json": SERVICE,
    "docker-hub.json": (*SERVICE, "--health-path", "/actuator/health"),
    "passwords-in-clear.json": ("--repository", "advice", "--lightsail-database", "advice-db"),
    "empty-keys.json": ("--repository", "answers", "--no-database"),
    "colon-before-an-address.json": (
        "--service",
        "spots",
        "--repository",
        "spots",
        "--no-database",
    ),
    "filled-in-by-a-script.json": (*SERVICE, "--endpoint", "service:8080"),
    "ecr-image.json": ("--service", "rabbits", "--database", "rabbits-db"),
    "django-by-a-script.json": (
        *("--public-endpoint", str(SOURCES / "django-by-a-script-endpoint.json")),
        *("--service", "tally", "--repository", "tally", "--cluster", "tally-db"),
    ),
    "guide.json": (*FACTS, "--endpoint", "web:8000"),
    "deployments-answer.json": ("--repository", "harvest"),
}
COMPOSE: dict[str, Sequence[str]] = {
    "compose-gunicorn-and-nginx.yml": SERVICE,
    "compose-celery.yml": (
        *SERVICE,
        *("--image", f"redis=redis:7-alpine@sha256:{'7' * 64}"),
        *("--health-path", "/healthz"),
    ),
    "compose-fastapi-with-prestart.yml": SERVICE,
    "compose-rq-worker.yml": (*SERVICE, "--endpoint", "box:8080"),
    "compose-shop.yml": SERVICE,
    "compose-scripts.yml": (*SERVICE, "--endpoint", "django:5000"),
    "compose-first-version.yml": SERVICE,
}
ALL = LIGHTSAIL | COMPOSE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


@pytest.fixture
def init(lightgate: Callable[..., Said], folder: Path) -> Callable[..., Said]:
    del folder
    return lambda *arguments, stdin=b"": lightgate("init", *arguments, stdin=stdin)


def written(folder: Path) -> Any:
    return json.loads((folder / "lightgate.json").read_text("utf-8"))


@pytest.mark.parametrize("name", ALL)
def test_a_file_that_people_have_becomes_a_valid_spec(
    lightgate: Callable[..., Said], init: Callable[..., Said], folder: Path, name: str
) -> None:
    said = init(SOURCES / name, *ALL[name])

    assert said.code == 0, said.errors
    assert lightgate("validate", "lightgate.json").code == 0
    shown = (folder / "lightgate.json").read_text("utf-8")
    lines = [*said.errors, *said.output.splitlines(), "", *shown.splitlines()]
    assert_golden(f"init-{Path(name).stem}", [line.replace(f"{SOURCES}/", "") for line in lines])


@pytest.mark.parametrize("name", ALL)
def test_no_secret_of_the_source_is_shown_or_written(
    init: Callable[..., Said], folder: Path, name: str
) -> None:
    said = init(SOURCES / name, *ALL[name])

    shown = "\n".join([*said.errors, said.output, (folder / "lightgate.json").read_text("utf-8")])
    for secret in SECRETS:
        assert secret not in shown


SECRETS = (
    *("5f0e9d8c7b6a5948", "CHANGE_ME", "an-app-password", "postgres:postgres", "q7Wm2Xk9Lp4Rz8Tn"),
    *("Advice-2024", "rabbits-production", "carrot123", "tractor-9", "9d8c7b6a59483726"),
)


def test_the_migration_in_the_command_of_a_server_becomes_a_container(
    init: Callable[..., Said], folder: Path
) -> None:
    init(SOURCES / "deployments-answer.json", "--repository", "harvest")

    containers = written(folder)["containers"]
    assert containers["migrate"]["command"] == ["python", "manage.py", "migrate", "--noinput"]
    server = "gunicorn harvest.wsgi --bind 0.0.0.0:${PORT:-8000}"
    static = "python manage.py collectstatic --noinput"
    assert containers["web"]["command"] == ["sh", "-c", f"{static} && exec {server}"]
    waits = [{"containerName": "migrate", "condition": "SUCCESS"}]
    assert [containers[name]["dependsOn"] for name in ("web", "worker")] == [waits, waits]


SERVED = "gunicorn farm.wsgi --bind 0.0.0.0:8000"


@pytest.mark.parametrize(
    ("line", "migrate", "rest"),
    [
        (f"python manage.py migrate && {SERVED}", ["python manage.py migrate"], SERVED),
        (f"python manage.py migrate; exec {SERVED}", ["python manage.py migrate"], SERVED),
        (
            f"poetry run python manage.py migrate &&\n  {SERVED}",
            ["poetry run python manage.py migrate"],
            SERVED,
        ),
        (
            f"python manage.py makemigrations && python manage.py migrate && {SERVED}",
            ["python manage.py makemigrations", "python manage.py migrate"],
            SERVED,
        ),
        (
            f"alembic upgrade head && {SERVED}",
            ["alembic upgrade head", "alembic current --check-heads"],
            SERVED,
        ),
        (f"flask --app farm db upgrade && {SERVED}", ["flask --app farm db upgrade"], SERVED),
    ],
)
def test_each_way_to_migrate_before_serving_is_taken_apart(
    init: Callable[..., Said],
    folder: Path,
    written_file: Callable[[object], Path],
    line: str,
    migrate: list[str],
    rest: str,
) -> None:
    web = {"image": ":farm.web.1", "command": ["sh", "-c", line], "ports": {"8000": "HTTP"}}

    said = init(written_file({"web": web}), *FACTS)

    assert said.code == 0, said.errors
    spec = parse_spec((folder / "lightgate.json").read_bytes())
    assert " ".join(spec.containers["web"].command or ()) == rest
    found = spec.containers["migrate"]
    argvs = [*found.before, found.command or (), found.pending_command or ()]
    assert [" ".join(argv) for argv in argvs if argv] == migrate
    assert said.errors[-1] == "ok: lightgate.json is written, and valid"


@pytest.fixture
def written_file(tmp_path: Path) -> Callable[[object], Path]:
    def write(document: object) -> Path:
        path = tmp_path / "source.json"
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
        return path

    return write


def test_a_migration_that_cannot_be_taken_out_is_refused(
    init: Callable[..., Said], folder: Path, written_file: Callable[[object], Path]
) -> None:
    line = f"(python manage.py migrate) && {SERVED}"
    web = {"image": ":farm.web.1", "command": ["sh", "-c", line], "ports": {"8000": "HTTP"}}
    source = written_file({"web": web})

    said = init(source, *FACTS)

    assert said.code == 1
    assert "cannot be taken apart" in said.errors[0]
    assert list(folder.iterdir()) == [source]


def test_secrets_become_references_with_the_commands_that_create_them(
    init: Callable[..., Said], folder: Path
) -> None:
    said = init(SOURCES / "front-and-back.json", "--repository", "fields", "--app", "meadows")

    spec = written(folder)
    assert spec["containers"]["backend"]["secrets"] == {
        name: f"ssm:/lightgate/secrets/meadows/{name}"
        for name in ("DATABASE_URL", "JWT_SECRET", "SMTP_PASS")
    }
    assert (
        '  read -rs VALUE && printf %s "$VALUE" | aws ssm put-parameter --type SecureString '
        "--name /lightgate/secrets/meadows/JWT_SECRET --tags Key=lightgate:app,Value=meadows "
        "--value file:///dev/stdin"
    ) in said.output.splitlines()
    assert said.output.splitlines()[-2:] == [
        "  lightgate doctor meadows",
        "  lightgate release meadows --follow",
    ]


def test_a_variable_with_two_values_becomes_two_secrets(
    init: Callable[..., Said], folder: Path, written_file: Callable[[object], Path]
) -> None:
    web = {"image": ":farm.web.1", "environment": {"API_KEY": "a1b2c3"}, "ports": {"8000": "HTTP"}}
    worker = {
        "image": ":farm.web.1",
        "command": ["celery", "-A", "farm", "worker"],
        "environment": {"API_KEY": "d4e5f6"},
    }

    init(written_file({"web": web, "worker": worker}), *FACTS)

    containers = written(folder)["containers"]
    assert containers["web"]["secrets"] == {"API_KEY": "ssm:/lightgate/secrets/farm/web/API_KEY"}
    assert containers["worker"]["secrets"] == {
        "API_KEY": "ssm:/lightgate/secrets/farm/worker/API_KEY"
    }


def test_compose_reads_the_env_files_beside_it(init: Callable[..., Said], folder: Path) -> None:
    (folder / ".env").write_text("PORT=9000\nTAG='v 1' # quoted\n")
    (folder / "web.env").write_text("# the app\nexport DEBUG=off\nSECRET_KEY=abc#def1234\n")
    (folder / "compose.yaml").write_text(
        "services:\n  web:\n    build: .\n    env_file: web.env\n"
        "    command: gunicorn farm.wsgi --bind 0.0.0.0:${PORT:-8000}\n"
        '    environment: {TAG: "${TAG}", PRICE: "$$5", MODE: "${MODE:-calm}"}\n'
    )

    said = init("compose.yaml", *SERVICE)

    assert said.code == 0, said.errors
    spec = written(folder)
    assert spec["publicEndpoint"]["containerPort"] == 9000
    assert spec["environment"] == {"DEBUG": "off", "TAG": "v 1", "PRICE": "$5", "MODE": "calm"}
    assert list(spec["secrets"]) == ["SECRET_KEY"]


def test_facts_that_are_missing_are_named_together(init: Callable[..., Said], folder: Path) -> None:
    said = init(SOURCES / "compose-rq-worker.yml")

    assert said.code == 2
    assert said.errors == [
        "error: The spec needs what the source does not say.",
        "Give",
        "  --endpoint CONTAINER:PORT with the container that serves: box",
        "  --service NAME",
        "  --repository NAME",
        "  --database NAME, --cluster NAME, --lightsail-database NAME or --no-database",
    ]
    assert list(folder.iterdir()) == []


def test_an_existing_file_is_kept_without_force(init: Callable[..., Said], folder: Path) -> None:
    (folder / "lightgate.json").write_text("mine")

    said = init(SOURCES / "guide.json", *ALL["guide.json"])

    assert (said.code, said.errors[0]) == (2, "error: lightgate.json exists, and is not replaced.")
    assert (folder / "lightgate.json").read_text() == "mine"

    assert init(SOURCES / "guide.json", *ALL["guide.json"], "--force").code == 0
    assert written(folder)["repository"] == "farm"
    assert [path.name for path in folder.iterdir()] == ["lightgate.json"]


def test_nothing_is_written_if_the_result_is_no_valid_spec(
    init: Callable[..., Said], folder: Path
) -> None:
    said = init(SOURCES / "guide.json", "--repository", "Farm", *ALL["guide.json"][2:])

    assert said.code == 1
    assert any("repository" in line for line in said.errors)
    assert list(folder.iterdir()) == []


def test_the_spec_goes_to_standard_output_alone(init: Callable[..., Said], folder: Path) -> None:
    source = (SOURCES / "guide.json").read_bytes()

    said = init("-", *ALL["guide.json"], "--output", "-", stdin=source)

    assert json.loads(said.output)["serviceName"] == "crops-backend"
    assert said.errors[-1] == "  lightgate release crops-backend --follow"
    assert list(folder.iterdir()) == []


GUIDE_SPEC = {
    "serviceName": "farm",
    "repository": "farm",
    "containers": {"web": {}},
    "publicEndpoint": {"containerName": "web", "containerPort": 8000},
}
AS_YAML = b"""# The farm
serviceName: farm
repository: farm
containers:
  web: {}
publicEndpoint: {containerName: web, containerPort: 8000}
"""
PLAIN = json.dumps(GUIDE_SPEC, indent=2)
ODD: dict[str, tuple[bytes, str]] = {
    "BOM": (PLAIN.encode("utf-8-sig"), "begins with a byte order mark (BOM)"),
    "UTF-16": (PLAIN.encode("utf-16"), "is UTF-16, as PowerShell writes it"),
    "comments": (f"// mine\n{PLAIN[:-2]}, /* last */\n}}".encode(), "has comments"),
    "YAML": (AS_YAML, "is YAML"),
}


@pytest.mark.parametrize("form", ODD)
def test_a_spec_in_another_form_is_named_and_becomes_plain_json(
    lightgate: Callable[..., Said],
    init: Callable[..., Said],
    folder: Path,
    written_file: Callable[[object], Path],
    form: str,
) -> None:
    data, how = ODD[form]
    source = written_file(data)

    [refused, _] = lightgate("validate", source).errors

    assert refused.endswith(f"; {source} {how}: lightgate init {source} writes it as plain JSON")
    assert init(source).code == 0
    assert written(folder) == GUIDE_SPEC


@pytest.mark.parametrize("name", ALL)
def test_validate_names_the_command_that_makes_a_spec_of_the_file(
    lightgate: Callable[..., Said], name: str
) -> None:
    said = lightgate("validate", SOURCES / name)

    assert said.code == 1
    assert f"lightgate init {SOURCES / name} writes a spec from it" in said.errors[-2]


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"family": "x", "containerDefinitions": []}, "is a task definition of Amazon ECS"),
        ([{"name": "web", "image": "x"}], "is a task definition of Amazon ECS"),
        ({"apiVersion": "apps/v1", "kind": "Deployment"}, "is a manifest of Kubernetes"),
        ({"Resources": {}}, "is a template of CloudFormation"),
        ({"containerName": "web", "containerPort": 1}, "is the public endpoint of a Lightsail"),
        ({"hello": "world"}, "is no file that describes containers"),
    ],
)
def test_a_file_of_another_kind_is_named(
    init: Callable[..., Said], written_file: Callable[[object], Path], document: object, kind: str
) -> None:
    said = init(written_file(document), *SERVICE)

    assert said.code == 1
    assert kind in said.errors[0]


@pytest.mark.parametrize(
    "text", [b"\xff\xfe\x00", b"a: [", b"just words", b"\x80", b"[" * 5000, b"!!python/none x: y"]
)
def test_a_file_that_is_no_document_ends_in_a_message(
    init: Callable[..., Said], written_file: Callable[[object], Path], text: bytes
) -> None:
    said = init(written_file(text), *SERVICE)

    assert said.code == 1
    assert said.errors[0].startswith("error: ")


def test_a_spec_is_no_source(
    init: Callable[..., Said], written_file: Callable[[object], Path]
) -> None:
    said = init(written_file(GUIDE_SPEC))

    assert said.code == 2
    assert said.errors[0].endswith("is a spec already.")
