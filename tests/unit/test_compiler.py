"""From a spec to a request that Lightsail accepts, with the same meaning."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import given

from lightgate import compiler, gate
from lightgate.compiler import (
    LARGEST_REQUEST_BYTES,
    Source,
    compile_deployment,
)
from lightgate.errors import RefusedError
from lightgate.gate_programs import FIRST_GATE_PORT
from lightgate.presets import preset
from lightgate.spec import AppSpec
from tests.unit.builders import (
    RELEASE,
    Json,
    app_spec,
    compiled_secrets,
    migrate,
    parse,
    source,
    wait_for,
    web,
)
from tests.unit.strategies import valid_specs

LIGHTSAIL = ServiceModel(Loader().load_service_model("lightsail", "service-2"), "lightsail")
CREATE = LIGHTSAIL.operation_model("CreateContainerServiceDeployment").input_shape
WITHOUT_END = 10**9
ROOT = Path(__file__).parents[2]


def compiled(document: Json | None = None, image: Source | None = None, **changes: Any) -> Json:
    spec = parse(document) if document is not None else app_spec(**changes)
    return compile_deployment(spec, image or source(), RELEASE, compiled_secrets(spec))


def gate_config(container: Json) -> Json:
    """What the gate in front of a container's command is told, wherever its program comes from."""
    command = container["command"]
    assert command[1:4] == ["-I", "-S", "-c"]
    config: Json = json.loads(next(word for word in command[4:] if word.startswith('{"release":')))
    return config


def assert_same_texts(found: Iterable[str], *expected: str) -> None:
    """By their hashes: the difference of two long lines takes pytest minutes to draw."""
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in expected]
    assert [hashlib.sha256(text.encode()).hexdigest() for text in found] == hashes


def test_the_migration_runs_under_the_supervisor() -> None:
    request = compiled(
        containers={
            "migrate": migrate(
                timeoutSeconds=300, healthCheck={"command": ["check"], "retries": 2}
            ),
            "web": web(secrets={"B": "ssm:/b", "A": "ssm:/a"}),
        }
    )

    command = request["containers"]["migrate"]["command"]
    assert_same_texts(
        [command[4], command[6]], gate.supervisor_source(), gate.django_helper_source()
    )
    assert command[7:] == ["python", "manage.py", "migrate", "--noinput"]
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
            "database": "default",
            "policy": "warn",
            "allowDestructive": False,
            "lockTimeoutSeconds": 2,
            "requireLock": True,
            "databaseTimeoutSeconds": 60,
        },
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


def test_the_spec_can_say_how_manage_py_is_called_where_a_shell_hides_it() -> None:
    command = ["sh", "-c", "python manage.py migrate && python manage.py loaddata x"]
    changes = {"command": command, "manage": ["python", "manage.py"]}

    request = compiled(containers={"migrate": migrate(**changes), "web": web()})

    assert gate_config(request["containers"]["migrate"])["django"]["manage"] == changes["manage"]


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
        "database": "default",
        "policy": "block",
        "allowDestructive": True,
        "lockTimeoutSeconds": 7,
        "requireLock": False,
        "databaseTimeoutSeconds": 90,
    }


MAILBOX = json.dumps({"url": "https://bucket.example/*.json?" + "x" * 1500, "signatures": {}})


def test_a_gate_with_a_mailbox_asks_for_its_permit_and_nobody_else_knows_the_way_to_it() -> None:
    spec = app_spec(
        containers={"migrate": migrate(timeoutSeconds=300), "web": web()},
        platformPatienceSeconds=1000,
    )

    request = compile_deployment(spec, source(), RELEASE, {}, mailboxes={"migrate": MAILBOX})

    migration, app = request["containers"]["migrate"], request["containers"]["web"]
    assert gate_config(migration)["mailbox"] == {
        "pollSeconds": 2,
        "patienceSeconds": 690,
        "reachSeconds": 120,
    }
    assert_same_texts(migration["command"][6:8], gate.django_helper_source(), gate.courier_source())
    assert migration["command"][8:] == ["python", "manage.py", "migrate", "--noinput"]
    assert migration["environment"]["LIGHTGATE_MAILBOX"] == MAILBOX
    assert "LIGHTGATE_MAILBOX" not in app["environment"]
    assert MAILBOX not in json.dumps([c["command"] for c in request["containers"].values()])


def test_a_gate_in_a_large_deployment_is_given_its_helpers_by_the_carrier() -> None:
    spec = app_spec(containers=chain(10))
    mailboxes = dict.fromkeys(spec.asking_gates(), "m" * 100)

    request = compile_deployment(spec, source(), RELEASE, {}, mailboxes=mailboxes)

    wanted = (gate.supervisor_source(), gate.django_helper_source(), gate.courier_source())
    hashes = ",".join(hashlib.sha256(text.encode()).hexdigest() for text in wanted)
    assert request["containers"]["step-3"]["command"][6] == hashes


def test_a_command_that_is_not_django_gets_no_helper_and_its_gate_holds_after_a_failure() -> None:
    task = {"command": ["flyway", "migrate"], "pendingCommand": ["flyway", "pending"]}

    request = compiled(containers={"migrate": task, "web": web()})

    migration = request["containers"]["migrate"]
    config = gate_config(migration)
    assert "django" not in config
    assert (config["afterFailure"], config["pendingCommand"]) == ("hold", ["flyway", "pending"])
    assert migration["command"][6:] == ["flyway", "migrate"]


@pytest.mark.parametrize("choice", ["exit", "hold"])
def test_the_spec_decides_what_follows_a_failure(choice: str) -> None:
    request = compiled(containers={"migrate": migrate(afterFailure=choice), "web": web()})

    assert gate_config(request["containers"]["migrate"])["afterFailure"] == choice


def test_what_only_waits_becomes_its_own_command() -> None:
    request = compiled()

    command = request["containers"]["web"]["command"]
    assert_same_texts([command[4]], gate.waiter_source())
    assert command[6:] == ["gunicorn", "crops.wsgi", "--bind", "0.0.0.0:8000"]
    assert gate_config(request["containers"]["web"]) == {
        "release": RELEASE,
        "container": "web",
        "after": [{"container": "migrate", "port": FIRST_GATE_PORT, "condition": "SUCCESS"}],
    }


def test_a_container_outside_the_graph_runs_untouched() -> None:
    request = compiled(
        containers={
            "migrate": migrate(),
            "web": web(),
            "cache": {"image": "redis:7", "command": ["redis-server", "--save", ""]},
            "proxy": {"image": "nginx"},
        }
    )

    assert request["containers"]["cache"]["command"] == ["redis-server", "--save", ""]
    assert request["containers"]["cache"]["image"] == "redis:7"
    assert "command" not in request["containers"]["proxy"]


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
    assert service["after"] == [
        {"container": "migrate", "port": FIRST_GATE_PORT, "condition": "SUCCESS"}
    ]


def test_the_health_check_of_the_endpoint_is_written_out() -> None:
    request = compiled(
        publicEndpoint={
            "containerName": "web",
            "containerPort": 8000,
            "healthCheck": {"path": "/healthz", "successCodes": "200", "intervalSeconds": 7},
        }
    )

    assert request["publicEndpoint"] == {
        "containerName": "web",
        "containerPort": 8000,
        "healthCheck": {
            "healthyThreshold": 2,
            "unhealthyThreshold": 2,
            "timeoutSeconds": 2,
            "intervalSeconds": 7,
            "path": "/healthz",
            "successCodes": "200",
        },
    }


def test_without_an_endpoint_the_request_has_none() -> None:
    assert "publicEndpoint" not in compiled(publicEndpoint=None, unprotected=True)


def test_every_container_carries_the_marker_its_variables_and_its_secrets() -> None:
    request = compiled(environment={"DEBUG": "0"}, secrets={"KEY": "ssm:/crops/key"})

    expected = {"DEBUG": "0", "KEY": "value of ssm:/crops/key", "LIGHTGATE_RELEASE": RELEASE}
    assert [c["environment"] for c in request["containers"].values()] == [expected, expected]


def test_a_secret_is_named_but_never_written_into_the_command() -> None:
    request = compiled(secrets={"KEY": "ssm:/crops/key", "DSN": "ssm:/crops/dsn"})

    migration = request["containers"]["migrate"]
    assert gate_config(migration)["secretNames"] == ["DSN", "KEY"]
    assert "value of" not in json.dumps(migration["command"])


def test_the_bytes_do_not_depend_on_the_process() -> None:
    program = (
        "import json; from tests.unit.test_compiler import compiled;"
        "names = [f'V{n}' for n in range(9)];"
        "print(json.dumps(compiled(secrets={n: f'ssm:/{n}' for n in names})))"
    )
    paths = os.pathsep.join(str(ROOT / path) for path in ("layers/core", "."))

    first, second = (
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": paths, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )

    assert len(first) > 1000
    assert first == second


def test_the_gates_keep_away_from_the_ports_of_the_app() -> None:
    request = compiled(
        containers={
            "migrate": migrate(),
            "web": web(ports={"8000": "HTTP", str(FIRST_GATE_PORT): "TCP"}),
        }
    )

    assert gate_config(request["containers"]["migrate"])["port"] == FIRST_GATE_PORT + 1
    assert gate_config(request["containers"]["web"])["after"][0]["port"] == FIRST_GATE_PORT + 1


AWKWARD = [
    "a b",
    "'",
    '"',
    "$HOME",
    "`x`",
    "line\nbreak",
    "tab\t",
    "\\",
    "ünïcödé 🌾",
    "",
    "*",
    "{{"[:1],
]


def test_a_command_passes_through_word_for_word() -> None:
    request = compiled(
        containers={"migrate": migrate(command=["run", *AWKWARD]), "web": web(command=AWKWARD)}
    )

    assert request["containers"]["migrate"]["command"][6:] == ["run", *AWKWARD]
    assert request["containers"]["web"]["command"][6:] == AWKWARD


def test_a_missing_command_is_the_images_own() -> None:
    request = compiled(
        image=source(command=["gunicorn", "from-the-image"]),
        containers={
            "migrate": migrate(),
            "web": {"ports": {"8000": "HTTP"}, "dependsOn": [wait_for("migrate")]},
        },
    )

    assert request["containers"]["web"]["command"][6:] == ["gunicorn", "from-the-image"]


def refused(**arguments: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        compiled(**arguments)
    [reason] = caught.value.reasons
    return reason


def test_a_command_that_nobody_knows_is_refused() -> None:
    containers = {
        "migrate": migrate(),
        "web": {"ports": {"8000": "HTTP"}, "dependsOn": [wait_for("migrate")]},
    }

    expected = (
        "containers.web.command: is missing, and the pushed image has no CMD; give one of the two"
    )
    assert expected == refused(image=source(command=[]), containers=containers)


def test_the_port_of_the_endpoint_is_open_without_being_mentioned() -> None:
    request = compiled(containers={"migrate": migrate(), "web": web(ports={"9000": "TCP"})})

    assert request["containers"]["web"]["ports"] == {"9000": "TCP", "8000": "HTTP"}
    assert request["containers"]["migrate"]["ports"] == {}


def test_the_gates_keep_away_from_a_port_that_only_the_endpoint_mentions() -> None:
    request = compiled(
        containers={"migrate": migrate(), "web": web(ports={})},
        publicEndpoint={"containerName": "web", "containerPort": FIRST_GATE_PORT},
    )

    assert gate_config(request["containers"]["migrate"])["port"] == FIRST_GATE_PORT + 1


def test_a_foreign_image_runs_the_gate_with_the_python_that_it_names() -> None:
    side = {
        "image": "celery:5",
        "command": ["celery"],
        "python": "/usr/local/bin/python3.8",
        "dependsOn": [wait_for("migrate")],
    }

    request = compiled(containers={"migrate": migrate(python="python3.9"), "web": web(), "b": side})

    programs = {name: c["command"][0] for name, c in request["containers"].items()}
    assert programs == {"migrate": "python3.9", "web": "python3", "b": "/usr/local/bin/python3.8"}
    assert request["containers"]["b"]["image"] == "celery:5"


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


def chain(length: int, **changes: Any) -> Json:
    """Each container waits for the one before it; the last one is public."""
    names = [f"step-{number}" for number in range(length - 1)]
    containers = {
        name: migrate(dependsOn=[wait_for(before)] if before else [], **changes)
        for before, name in zip([None, *names], names, strict=False)
    }
    return {**containers, "web": web(dependsOn=[wait_for(names[-1])], **changes)}


def test_with_many_containers_one_carries_the_programs_and_the_others_fetch_them() -> None:
    request = compiled(containers=chain(10))

    commands = {name: c["command"] for name, c in request["containers"].items()}
    first, *others = commands.values()
    port, packed = first[5:7]
    assert first[4] == gate.carrier_source()
    supervisor, waiter, helper, courier = json.loads(zlib.decompress(base64.b85decode(packed)))
    assert_same_texts(
        [supervisor, waiter, helper, courier],
        gate.supervisor_source(),
        gate.waiter_source(),
        gate.django_helper_source(),
        gate.courier_source(),
    )
    assert {command[4] for command in others} == {gate.loader_source()}
    assert {command[5] for command in others} == {port}
    hashes = [hashlib.sha256(p.encode()).hexdigest() for p in (supervisor, helper, waiter)]
    migrations = ",".join(hashes[:2])
    assert [command[6] for command in others] == [migrations] * 8 + [hashes[2]]
    assert_the_service_would_accept(request)


def test_the_carrier_is_a_container_that_stays_alive_after_its_work() -> None:
    containers = {
        "broker": migrate(command=["broker"], healthCheck={"command": ["ping"]}),
        **chain(9),
    }
    containers["web"]["dependsOn"].append(wait_for("broker", "HEALTHY"))

    request = compiled(containers=containers)

    programs = {name: c["command"][4] for name, c in request["containers"].items()}
    assert [n for n, p in programs.items() if p == gate.carrier_source()] == ["step-0"]


def test_the_carrier_and_the_others_run_the_python_of_their_image() -> None:
    containers = chain(10, python="python3.8")
    containers["step-4"]["python"] = "python3.11"

    request = compiled(containers=containers)

    programs = [c["command"][0] for c in request["containers"].values()]
    assert programs == ["python3.8"] * 4 + ["python3.11"] + ["python3.8"] * 5


def test_the_carrier_listens_where_nobody_else_does() -> None:
    containers = chain(10)
    taken = {str(FIRST_GATE_PORT + number): "TCP" for number in (0, 9, 10)}
    containers["web"]["ports"] |= taken

    request = compiled(containers=containers)

    ports = {gate_config(c)["port"] for n, c in request["containers"].items() if n != "web"}
    [carrier_port] = {int(c["command"][5]) for c in request["containers"].values()}
    assert carrier_port not in ports
    assert carrier_port >= FIRST_GATE_PORT
    assert str(carrier_port) not in request["containers"]["web"]["ports"]


def test_a_request_that_is_too_large_is_refused_and_names_the_largest_environment() -> None:
    containers = chain(10)
    containers["step-3"]["environment"] = {"OWN": "x" * 300}

    reason = refused(containers=containers, environment={"SHARED": "x" * 4000})

    assert re.fullmatch(
        r"containers: the deployment has [67]\d{4} bytes and may have 49152; 41\d{3} of them "
        r"are environments with their secrets, the largest that of step-3 with 4\d{3}\. Shorten "
        r"them, or let fewer containers wait for each other\.",
        reason,
    )


def test_the_size_is_that_of_the_escaped_text_which_is_sent() -> None:
    spec = app_spec(secrets={"KEY": "ssm:/crops/key"})
    [reference] = {*compiled_secrets(spec)}

    with pytest.raises(RefusedError, match=r"the deployment has \d+ bytes and may have 49152"):
        compile_deployment(spec, source(), RELEASE, {reference: "ü" * 7000})
    compile_deployment(spec, source(), RELEASE, {reference: "u" * 7000})


def assert_the_service_would_accept(request: Mapping[str, Any]) -> None:
    """What botocore checks, and what only the server does."""
    assert CREATE is not None
    report = ParamValidator().validate(request, CREATE)
    assert report.generate_report() == ""
    name = re.compile(r"^(?:[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9])$")
    containers = request["containers"]
    assert 1 <= len(containers) <= 10
    listening: list[int] = []
    for container_name, container in containers.items():
        assert name.match(container_name)
        assert len(container_name) <= 53
        assert container["image"]
        assert set(container["ports"].values()) <= {"HTTP", "HTTPS", "TCP", "UDP"}
        listening += [int(port) for port in container["ports"]]
        assert all(0 < int(port) < 65536 for port in container["ports"])
        words = [*container.get("command", []), *container["environment"].values()]
        assert all("\0" not in word and len(word.encode()) < 131_072 for word in words)
        if container.get("command", [])[1:4] == ["-I", "-S", "-c"]:
            config = gate_config(container)
            listening += [config["port"]] if "port" in config else []
            if container["command"][4] == gate.carrier_source():
                listening.append(int(container["command"][5]))
    assert len(listening) == len(set(listening))
    if "publicEndpoint" in request:
        endpoint = request["publicEndpoint"]
        protocols = containers[endpoint["containerName"]]["ports"]
        assert protocols[str(endpoint["containerPort"])] in ("HTTP", "HTTPS")


def own_command(spec: AppSpec, name: str) -> list[str]:
    """What the container runs in the end, wherever that is said."""
    if spec.uses_preset(name):
        return list(preset(spec, name).main)
    return list(spec.containers[name].command or source().config.command)


def assert_the_order_is_kept(document: Json, request: Mapping[str, Any]) -> None:
    spec = parse(document)
    for name, container in document["containers"].items():
        command = request["containers"][name].get("command")
        if command is None:
            assert not container["dependsOn"]
            assert not spec.conditions_on(name)
            continue
        own = own_command(spec, name)
        assert command[-len(own) :] == own
        for dependency in container["dependsOn"]:
            target = request["containers"][dependency["containerName"]]
            expected = {
                "container": dependency["containerName"],
                "port": gate_config(target)["port"],
                "condition": dependency["condition"],
            }
            assert expected in gate_config(request["containers"][name])["after"]


@given(valid_specs())
def test_every_valid_spec_compiles_to_a_request_that_lightsail_accepts(document: Json) -> None:
    request = compiled(document)

    assert_the_service_would_accept(request)
    assert_the_order_is_kept(document, request)
    text = json.dumps(request)
    assert len(text) <= LARGEST_REQUEST_BYTES
    assert text == json.dumps(compiled(document)), "the same arguments give the same bytes"


@given(valid_specs())
def test_a_request_that_is_small_enough_needs_no_carrier(document: Json) -> None:
    with patch.object(compiler, "LARGEST_REQUEST_BYTES", WITHOUT_END):
        plain = compiled(document)

    assert_the_service_would_accept(plain)
    assert_the_order_is_kept(document, plain)
    assert (len(json.dumps(plain)) <= LARGEST_REQUEST_BYTES) == (compiled(document) == plain)


@pytest.mark.parametrize("shape", ["a chain", "a fan", "two layers"])
def test_ten_containers_of_the_usual_size_are_never_too_large(shape: str) -> None:
    """With a health check each, a dozen variables and secrets, and up to 18 dependencies."""
    variables = {f"DJANGO_SETTING_{n}": "a-value-of-thirty-characters--" for n in range(8)}
    secrets = {f"SECRET_{n}": f"secretsmanager:crops/db:key-{n}" for n in range(4)}
    check = {"command": ["python", "manage.py", "check", "--database", "default"]}
    names = [f"container-{n}" for n in range(9)]
    before: Mapping[str, list[list[str]]] = {
        "a chain": [names[max(0, n - 1) : n] for n in range(10)],
        "a fan": [[], *[names[:1]] * 8, names],
        "two layers": [*[[]] * 3, *[names[:3]] * 6, names[3:]],
    }
    containers = {
        name: (web if name == "web" else migrate)(
            healthCheck=check, dependsOn=[wait_for(other) for other in others]
        )
        for name, others in zip([*names, "web"], before[shape], strict=True)
    }

    request = compiled(containers=containers, environment=variables, secrets=secrets)

    assert_the_service_would_accept(request)
    assert len(json.dumps(request)) <= LARGEST_REQUEST_BYTES


def test_the_checks_of_this_file_notice_what_lightsail_refuses() -> None:
    request = compiled()
    request["containers"]["web"]["dependsOn"] = []

    with pytest.raises(AssertionError, match=r"Unknown parameter in containers\.web"):
        assert_the_service_would_accept(request)
