"""What is said of a spec that is valid."""

import re

import pytest
from hypothesis import given

from lightgate.errors import SpecError
from lightgate.image.config import ImageConfig
from lightgate.spec.image_rules import refusals_of_the_image
from lightgate.spec.warnings.all_warnings import warnings
from tests.support.builders import Json, app_spec, migrate, parse, wait_for, web
from tests.support.strategies import valid_specs

WITH_DATABASE: Json = {"database": {"instance": "crops-db"}}


def config(
    command: tuple[str, ...] = ("gunicorn",), entrypoint: tuple[str, ...] = ()
) -> ImageConfig:
    return ImageConfig(command=command, entrypoint=entrypoint, architecture="amd64")


def advice(image: ImageConfig | None = None, **changes: object) -> list[str]:
    return warnings(app_spec(**(WITH_DATABASE | changes)), image)


def refusals(image: ImageConfig, **changes: object) -> list[str]:
    return list(refusals_of_the_image(app_spec(**(WITH_DATABASE | changes)), image))


def test_there_is_nothing_to_say_of_a_careful_spec_and_a_plain_image() -> None:
    assert advice(config()) == []


def test_a_release_without_a_snapshot_is_mentioned() -> None:
    assert advice(database=None) == [
        "database: is missing, so no snapshot is taken before a release"
    ]


def test_an_app_without_a_gate_is_mentioned() -> None:
    [line] = advice(containers={"web": web(dependsOn=[])})

    assert line.startswith("containers: no container waits for another one with SUCCESS or HEALTHY")


def test_an_unprotected_service_gets_a_warning() -> None:
    [line] = advice(publicEndpoint=None, unprotected=True)

    assert line.startswith("unprotected: without a public endpoint Lightsail replaces the old")


@pytest.mark.parametrize(
    ("codes", "is_mentioned"),
    [
        ("200", False),
        ("200-399", False),
        ("200,404", True),
        ("200-499", True),
        ("301,200-400", True),
    ],
)
def test_success_codes_that_take_an_error_for_healthy_are_mentioned(
    codes: str, is_mentioned: bool
) -> None:
    endpoint = {
        "containerName": "web", "containerPort": 8000, "healthCheck": {"successCodes": codes}
    }  # fmt: skip

    assert bool(advice(publicEndpoint=endpoint)) == is_mentioned


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"expectText": '{"ok": true} {release} {digest}'}, None),
        (
            {"expectText": "is {relase}"},
            "verification.expectText: {relase} is not filled in (did you mean {release}?), and is "
            "expected as it stands",
        ),
        (
            {"expectHeader": {"name": "X-Version", "value": "{version}"}},
            "verification.expectHeader.value: {version} is not filled in, and is expected as it "
            "stands",
        ),
    ],
)
def test_a_variable_that_is_not_filled_in_gets_a_warning(asked: Json, line: str) -> None:
    assert advice(verification=asked) == ([line] if line else [])


@pytest.mark.parametrize(
    ("name", "is_mentioned"),
    [("Authorization", True), ("cookie", True), ("X-Api-Key", True), ("Content-Type", False)],
)
def test_a_header_that_looks_like_a_secret_is_mentioned_without_its_value(
    name: str, is_mentioned: bool
) -> None:
    told = advice(verification={"write": {"path": "/probes", "headers": {name: "hunter2"}}})

    assert bool(told) == is_mentioned
    assert "hunter2" not in "".join(told)


@pytest.mark.parametrize(("seconds", "is_mentioned"), [(900, False), (901, True)])
def test_a_limit_beyond_the_patience_of_the_platform_is_mentioned(
    seconds: int, is_mentioned: bool
) -> None:
    told = advice(
        containers={"migrate": migrate(command=["flyway"], timeoutSeconds=seconds), "web": web()}
    )

    assert bool(told) == is_mentioned
    assert all(line.startswith("containers.migrate.timeoutSeconds: 901 is longer") for line in told)


def test_a_limit_and_a_check_that_nothing_carries_out_are_mentioned() -> None:
    idle = web(timeoutSeconds=30, healthCheck={"command": ["true"]})

    assert advice(containers={"migrate": migrate(), "web": idle}) == [
        "containers.web.healthCheck: is not carried out, because no container waits for this one",
        "containers.web.timeoutSeconds: is not applied, because no container waits for this one "
        "to end",
    ]


def test_a_check_of_a_container_that_others_wait_for_is_carried_out() -> None:
    containers = {
        "migrate": migrate(healthCheck={"command": ["true"]}),
        "web": web(healthCheck={"command": ["true"]}),
        "side": migrate(command=["side"], dependsOn=[wait_for("web", "START")]),
    }

    assert advice(containers=containers) == []


@pytest.mark.parametrize(
    "command", [["python", "manage.py", "migrate"], ["sh", "-c", "./manage.py migrate; gunicorn"]]
)
def test_migrating_outside_a_gate_is_mentioned_if_the_spec_allows_it(command: list[str]) -> None:
    containers = {"migrate": migrate(), "web": web(command=command)}
    [line] = advice(containers=containers, migrations={"allowOutsideGate": True})

    assert line.startswith("containers.web.command: runs migrate outside a gate")


ALLOWED: Json = {"migrations": {"allowOutsideGate": True}}


def test_an_image_that_migrates_is_refused_unless_the_spec_allows_it() -> None:
    entrypoint = config(entrypoint=("sh", "-c", 'manage.py migrate; exec "$@"'))
    cmd = config(command=("sh", "-c", "./manage.py migrate && gunicorn"))
    commandless = {"ports": {"8000": "HTTP"}, "dependsOn": [wait_for("migrate")]}
    containers: Json = {"containers": {"migrate": {}, "web": commandless}}

    assert refusals(entrypoint) == [
        "image: its ENTRYPOINT (sh -c 'manage.py migrate; exec \"$@\"') runs migrate in every "
        "container, without plan, lock and policy, and before the gate; take it out of the image, "
        'or say "migrations": {"allowOutsideGate": true}'
    ]
    assert refusals(cmd, **containers) == [
        "containers.web.command: is missing, and the image's CMD (sh -c './manage.py migrate && "
        "gunicorn') runs migrate outside a gate, without plan, lock and policy; move migrate to a "
        "container that this one waits for with SUCCESS, or say "
        '"migrations": {"allowOutsideGate": true}'
    ]
    # Its containers give commands of their own.
    assert refusals(cmd) == []
    for image, more in ((entrypoint, {}), (cmd, containers)):
        assert refusals(image, **more, **ALLOWED) == []
        assert "runs migrate" in advice(image, **more, **ALLOWED)[-1]


def test_a_cmd_behind_an_entrypoint_is_read_with_it() -> None:
    image = config(command=("migrate",), entrypoint=("python", "manage.py"))
    side: Json = {"containers": {"migrate": migrate(), "web": web(), "side": {}}}

    assert [line.partition(":")[0] for line in refusals(image, **side)] == [
        "image",
        "containers.side.command",
    ]


def test_a_command_behind_an_entrypoint_is_read_with_it() -> None:
    image = config(entrypoint=("python", "manage.py"))
    alone: Json = {"containers": {"web": web(command=["migrate"], dependsOn=[])}}

    [line] = refusals(image, **alone)
    assert line.startswith(
        "containers.web.command: behind the image's ENTRYPOINT (python manage.py) it runs migrate "
        "outside a gate"
    )
    assert refusals(image, **alone, **ALLOWED) == []
    assert refusals(config(entrypoint=("tini", "--")), **alone) == []


@pytest.mark.parametrize(
    ("entrypoint", "is_refused"),
    [
        (("python", "manage.py"), True),
        (("tini", "--", "/venv/bin/django-admin"), True),
        (("python3", "-m", "django"), True),
        (("gunicorn", "crops.wsgi"), True),
        (("python", "-m", "uvicorn"), True),
        (("/bin/sh", "-c", "gunicorn crops.wsgi"), True),
        (("/bin/sh", "-c", 'gunicorn crops.wsgi "$@"'), False),
        (("/bin/sh", "-c", ". /start.sh"), False),
        (("tini", "-g", "--"), False),
        (("./gunicorn.sh",), False),
        (("python", "start.py"), False),
        ((), False),
    ],
)
def test_an_entrypoint_that_never_runs_the_gate_is_refused(
    entrypoint: tuple[str, ...], is_refused: bool
) -> None:
    found = refusals(config(entrypoint=entrypoint))

    assert bool(found) == is_refused
    assert all("the gate programs of migrate, web never run" in line for line in found)
    # Without a gate nothing stands behind it.
    assert refusals(config(entrypoint=entrypoint), containers={"web": web(dependsOn=[])}) == []


def test_a_script_in_the_cmd_is_mentioned_where_it_is_run() -> None:
    commandless = {"ports": {"8000": "HTTP"}, "dependsOn": [wait_for("migrate")]}
    script = config(command=("./start.sh",))

    [line] = advice(script, containers={"migrate": {}, "web": commandless})

    assert line.startswith(
        "containers.web.command: is missing, and the image's CMD (./start.sh) may run migrate"
    )
    assert advice(script) == []


@pytest.mark.parametrize("entrypoint", [("tini", "--"), ("/usr/bin/dumb-init", "--"), ()])
def test_an_entrypoint_that_only_runs_the_command_is_not_mentioned(
    entrypoint: tuple[str, ...],
) -> None:
    assert advice(config(entrypoint=entrypoint)) == []


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (
            ["sh", "-c", "./manage.py migrate && ./manage.py collectstatic"],
            "runs migrate and more, so its plan would not show all that it does; write "
            '"command": ["./manage.py", "migrate"], "then": [["./manage.py", "collectstatic"]]',
        ),
        (
            ["sh", "-c", "./manage.py migrate && ./manage.py migrate --database other"],
            "runs migrate and more, so its plan would not show all that it does; give each call of "
            "migrate a container of its own, which waits for the one before it with SUCCESS",
        ),
        (
            ["sh", "-c", "./manage.py migrate && gunicorn crops.wsgi"],
            "runs migrate and more, so its plan would not show all that it does; give python "
            'manage.py migrate alone, and move the rest to "before" and "then", and the server to '
            "a container that waits for this one with SUCCESS",
        ),
        (
            ["sh", "-c", "cd src && . /venv/bin/activate && export A=b && ./manage.py migrate"],
            "runs migrate and more, so its plan would not show all that it does; give python "
            'manage.py migrate alone, and move the rest to "before" and "then". Instead of cd DIR, '
            'write DIR/manage.py. Instead of export, write the variable in "environment". Instead '
            "of activate, write the Python of the environment, such as /venv/bin/python",
        ),
        (
            ["bash", "-lc", "./manage.py migrate"],
            "\"bash -lc './manage.py migrate'\" may run migrate, and Lightgate cannot read its "
            'plan; write "command": ["python", "manage.py", "migrate"], with the rest in "before" '
            'and "then", or name the words that call manage.py in "manage"',
        ),
        (
            ["sh", "-c", "./manage.py migrate; ./manage.py collectstatic"],
            "runs migrate and more, so its plan would not show all that it does; give python "
            'manage.py migrate alone, and move the rest to "before" and "then"',
        ),
        (
            ["./entrypoint.sh"],
            '"./entrypoint.sh" may run migrate, and Lightgate cannot read its plan; write '
            '"command": ["python", "manage.py", "migrate"], with the rest in "before" and "then", '
            'or name the words that call manage.py in "manage"',
        ),
    ],
)
def test_a_gate_without_a_plan_is_mentioned_and_refused_by_the_policy_block(
    command: list[str], line: str
) -> None:
    containers = {"migrate": migrate(command=command), "web": web()}

    assert advice(containers=containers) == [f"containers.migrate.command: {line}"]
    with pytest.raises(SpecError) as refused:
        advice(containers=containers, migrations={"policy": "block"})
    assert refused.value.reasons == (
        f"containers.migrate.command: {line}; the policy block needs a plan",
    )


def test_a_script_as_command_gets_a_warning() -> None:
    [line] = advice(config(entrypoint=("/docker-entrypoint.sh",)))

    assert line == (
        "image: its ENTRYPOINT (/docker-entrypoint.sh) comes before every command, the gate's "
        'too. If it does not end in exec "$@", the gate never runs. If it runs migrate, that '
        "happens before the gate: Lightgate reports it, and does not roll back automatically. An "
        "image without an ENTRYPOINT is safe"
    )


@given(valid_specs())
def test_advice_can_be_given_of_every_valid_spec(document: Json) -> None:
    told = warnings(parse(document), config(("migrate",), ("migrate",)))

    assert all(re.match(r"[\w.-]+: .{20}", line) for line in told)
