"""Which program runs in front of a container's command, and what it is told."""

import json
from unittest.mock import patch

import pytest

from lightgate.deployment import compiler
from lightgate.deployment.compiler import compile_deployment
from lightgate.gate.packaging import CLASSIFIER, FIRST_GATE_PORT, program_hash, program_text
from tests.support.builders import DIGEST, RELEASE, app_spec, migrate, source, wait_for, web
from tests.support.compiled_requests import assert_same_texts, compiled, gate_config, own_command


def test_the_migration_runs_under_the_supervisor() -> None:
    containers = {
        "migrate": migrate(timeoutSeconds=300, healthCheck={"command": ["check"], "retries": 2}),
        "web": web(secrets={"B": "ssm:/b", "A": "ssm:/a"}),
    }

    with (
        patch.object(compiler, "PLAIN_REQUEST_BYTES", 10**9),
        patch.object(compiler, "LARGEST_REQUEST_BYTES", 10**9),
    ):
        request = compiled(containers=containers)

    command = request["containers"]["migrate"]["command"]
    assert_same_texts(
        [command[2], *command[4:6]],
        *map(program_text, ("supervisor", "django_helper", CLASSIFIER)),
    )
    assert command[6:] == ["python", "manage.py", "migrate", "--noinput"]
    assert gate_config(request["containers"]["migrate"]) == {
        "release": RELEASE,
        "container": "migrate",
        "after": [],
        "port": FIRST_GATE_PORT,
        "mode": "task",
        "timeoutSeconds": 300,
        "graceSeconds": 10,
        "afterFailure": "exit",
        "secretNames": [],
        "healthCheck": {
            "command": ["check"],
            "interval": 30,
            "timeout": 5,
            "retries": 2,
            "startPeriod": 0,
        },
        "django": {
            "manage": ["python", "manage.py"],
            "script": 1,
            "migrate": 2,
            "database": "default",
            "policy": "warn",
            "allowDestructive": False,
            "automaticRollback": ["compatible", "restricted"],
            "declared": {},
            "classifier": program_hash(CLASSIFIER),
            "lockRisk": "warn",
            "largeTableRows": 500_000,
            "lockTimeoutSeconds": 2,
            "requireLock": True,
            "databaseTimeoutSeconds": 60,
            "restores": "",
        },
        "classifier": 1,
    }


@pytest.mark.parametrize(
    ("command", "manage", "database"),
    [
        ("timeout 300 ./manage.py migrate --database=crops", ["./manage.py"], "crops"),
        ("python -m django migrate", ["python", "-m", "django"], "default"),
    ],
)
def test_the_helper_reaches_the_settings_as_the_users_command_does(
    command: str, manage: list[str], database: str
) -> None:
    request = compiled(containers={"migrate": migrate(command=command.split()), "web": web()})

    django = gate_config(request["containers"]["migrate"])["django"]
    assert (django["manage"], django["database"]) == (manage, database)


def test_the_spec_can_say_how_manage_py_is_called_where_nobody_could_know() -> None:
    changes = {"command": ["nautobot-server", "migrate"], "manage": ["nautobot-server"]}

    request = compiled(containers={"migrate": migrate(**changes), "web": web()})

    django = gate_config(request["containers"]["migrate"])["django"]
    assert (django["manage"], django["migrate"]) == (changes["manage"], 1)


def test_a_call_of_migrate_in_a_shell_runs_without_it() -> None:
    line = ["sh", "-c", "exec ./manage.py migrate --noinput"]
    request = compiled(containers={"migrate": migrate(command=line), "web": web()})

    container = request["containers"]["migrate"]
    assert own_command(container) == ["./manage.py", "migrate", "--noinput"]
    assert gate_config(container)["django"]["manage"] == ["./manage.py"]


def test_what_comes_before_and_then_reaches_the_gate_beside_that_of_the_stage() -> None:
    around = {"before": [["./wait.sh"]], "then": [["./load.sh"], ["./index.sh"]]}
    staging = migrate(**around)
    del staging["command"]

    own = compiled(containers={"migrate": migrate(**around), "web": web()})
    of_stage = compiled(containers={"migrate": staging, "web": web()}, stage="staging")

    config = gate_config(own["containers"]["migrate"])
    assert {key: config[key] for key in around} == around
    config = gate_config(of_stage["containers"]["migrate"])
    assert config["before"][-2:] == [["python", "manage.py", "migrate", "--plan"], ["./wait.sh"]]
    assert config["then"] == around["then"]


def test_how_migrations_are_applied_reaches_the_gate() -> None:
    spec = app_spec(
        migrations={
            "policy": "block",
            "lockTimeoutSeconds": 7,
            "requireLock": False,
            "databaseTimeoutSeconds": 90,
        }
    )
    request = compile_deployment(spec, source(), RELEASE, {}, allow_destructive=True)

    django = gate_config(request["containers"]["migrate"])["django"]
    assert django == {
        "manage": ["python", "manage.py"],
        "script": 1,
        "migrate": 2,
        "database": "default",
        "policy": "block",
        "allowDestructive": True,
        "automaticRollback": ["compatible", "restricted"],
        "declared": {},
        "classifier": program_hash(CLASSIFIER),
        "lockRisk": "warn",
        "largeTableRows": 500_000,
        "lockTimeoutSeconds": 7,
        "requireLock": False,
        "databaseTimeoutSeconds": 90,
        "restores": "",
    }


MAILBOX = json.dumps({"url": "https://bucket.example/*.json?" + "x" * 1500, "signatures": {}})


def test_only_a_gate_that_needs_a_permit_gets_the_urls_of_its_channel() -> None:
    spec = app_spec(
        containers={"migrate": migrate(timeoutSeconds=300), "web": web()},
        platformPatienceSeconds=1000,
    )

    with (
        patch.object(compiler, "PLAIN_REQUEST_BYTES", 10**9),
        patch.object(compiler, "LARGEST_REQUEST_BYTES", 10**9),
    ):
        request = compile_deployment(spec, source(), RELEASE, {}, mailboxes={"migrate": MAILBOX})

    migration, app = request["containers"]["migrate"], request["containers"]["web"]
    assert gate_config(migration)["mailbox"] == {
        "pollSeconds": 2,
        "patienceSeconds": 690,
        "reachSeconds": 120,
    }
    assert_same_texts(
        migration["command"][4:6], program_text("django_helper"), program_text("s3_client")
    )
    assert migration["command"][6:] == ["python", "manage.py", "migrate", "--noinput"]
    assert migration["environment"]["LIGHTGATE_MAILBOX"] == MAILBOX
    assert "LIGHTGATE_MAILBOX" not in app["environment"]
    assert MAILBOX not in json.dumps([c["command"] for c in request["containers"].values()])


def test_a_command_that_is_not_django_gets_no_helper_and_its_gate_holds_after_a_failure() -> None:
    task = {"command": ["flyway", "migrate"], "pendingCommand": ["flyway", "pending"]}

    request = compiled(containers={"migrate": task, "web": web()})

    migration = request["containers"]["migrate"]
    config = gate_config(migration)
    assert "django" not in config
    assert (config["afterFailure"], config["pendingCommand"]) == ("hold", ["flyway", "pending"])
    assert migration["command"][4:] == ["flyway", "migrate"]


@pytest.mark.parametrize("choice", ["exit", "hold"])
def test_the_spec_decides_what_follows_a_failure(choice: str) -> None:
    request = compiled(containers={"migrate": migrate(afterFailure=choice), "web": web()})

    assert gate_config(request["containers"]["migrate"])["afterFailure"] == choice


def test_a_waiting_container_runs_its_own_command_afterwards() -> None:
    request = compiled()

    web = request["containers"]["web"]
    assert own_command(web) == ["gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000"]
    assert gate_config(request["containers"]["web"]) == {
        "release": RELEASE,
        "container": "web",
        "after": [f"migrate:{FIRST_GATE_PORT}"],
    }


def test_a_migration_without_a_limit_gets_one_and_a_service_gets_none() -> None:
    request = compiled(
        containers={
            "migrate": migrate(),
            "web": web(healthCheck={"command": ["true"]}),
            "side": {"command": ["x"], "dependsOn": [wait_for("web", "HEALTHY")]},
        }
    )

    task, service = (gate_config(request["containers"][name]) for name in ("migrate", "web"))
    assert (task["mode"], task["timeoutSeconds"]) == ("task", 600)
    assert (service["mode"], service["timeoutSeconds"]) == ("service", None)
    assert service["after"] == [f"migrate:{FIRST_GATE_PORT}"]


def test_a_secret_is_named_but_never_written_into_the_command() -> None:
    request = compiled(secrets={"KEY": "ssm:/crops/key", "DSN": "ssm:/crops/dsn"})

    migration = request["containers"]["migrate"]
    assert gate_config(migration)["secretNames"] == ["DSN", "KEY"]
    assert "value of" not in json.dumps(migration["command"])


def test_the_gates_keep_away_from_the_ports_of_the_app() -> None:
    request = compiled(
        containers={
            "migrate": migrate(),
            "web": web(ports={"8000": "HTTP", str(FIRST_GATE_PORT): "TCP"}),
        }
    )

    assert gate_config(request["containers"]["migrate"])["port"] == FIRST_GATE_PORT + 1
    assert gate_config(request["containers"]["web"])["after"] == [f"migrate:{FIRST_GATE_PORT + 1}"]


def test_the_gates_keep_away_from_a_port_that_only_the_endpoint_mentions() -> None:
    request = compiled(
        containers={"migrate": migrate(), "web": web(ports={})},
        publicEndpoint={"containerName": "web", "containerPort": FIRST_GATE_PORT},
    )

    assert gate_config(request["containers"]["migrate"])["port"] == FIRST_GATE_PORT + 1


def test_a_foreign_image_runs_the_gate_with_the_python_that_it_names() -> None:
    side = {
        "image": f"celery:5@{DIGEST}",
        "command": ["celery"],
        "python": "/usr/local/bin/python3.8",
        "dependsOn": [wait_for("migrate")],
    }

    request = compiled(containers={"migrate": migrate(python="python3.9"), "web": web(), "b": side})

    programs = {name: c["command"][0] for name, c in request["containers"].items()}
    assert programs == {"migrate": "python3.9", "web": "python3", "b": "/usr/local/bin/python3.8"}
    assert request["containers"]["b"]["image"] == f"celery:5@{DIGEST}"


MANAGE = ["python", "manage.py"]


@pytest.mark.parametrize(
    ("stage", "before", "main", "then"),
    [
        (
            "development",
            None,
            [*MANAGE, "migrate", "--noinput"],
            [[*MANAGE, "loaddata", "fixtures/dev_data.json", "b"]],
        ),
        (
            "staging",
            [[*MANAGE, "makemigrations", "--check", "--dry-run"], [*MANAGE, "migrate", "--plan"]],
            [*MANAGE, "migrate", "--noinput"],
            None,
        ),
        ("production", None, [*MANAGE, "migrate", "--noinput", "--verbosity=2"], None),
    ],
)
def test_a_migration_without_a_command_runs_the_commands_of_its_stage(
    stage: str, before: object, main: list[str], then: object
) -> None:
    fixtures = ["fixtures/dev_data.json", "b"] if stage == "development" else []

    request = compiled(stage=stage, containers={"migrate": {"fixtures": fixtures}, "web": web()})

    migration = request["containers"]["migrate"]
    config = gate_config(migration)
    assert (config.get("before"), config.get("then")) == (before, then)
    assert migration["command"][-len(main) :] == main


def test_the_commands_of_the_stage_call_manage_py_as_the_spec_says() -> None:
    request = compiled(
        stage="staging", containers={"migrate": {"manage": ["crops-admin"]}, "web": web()}
    )

    migration = request["containers"]["migrate"]
    assert migration["command"][-3:] == ["crops-admin", "migrate", "--noinput"]
    assert gate_config(migration)["before"][1] == ["crops-admin", "migrate", "--plan"]
