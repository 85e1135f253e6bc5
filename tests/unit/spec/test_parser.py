"""What a spec means once it is read."""

import json
import re
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.errors import SpecError
from lightgate.spec.database_kinds import BackupMode, DatabaseKind
from lightgate.spec.keys import (
    Database,
    Dependency,
    DependencyCondition,
    HealthCheck,
    SecretReference,
    SecretStore,
    Stage,
    Verification,
    Write,
)
from lightgate.spec.parser import LONGEST_SPEC_BYTES, parse_app_name, parse_spec
from tests.support.builders import (
    Json,
    app_spec,
    migrate,
    reasons_of,
    spec_document,
    wait_for,
    web,
)
from tests.support.strategies import JSON_VALUES, mutated, valid_specs

EXAMPLE = Path(__file__).parents[3] / "examples/crops/containers-with-migrations.json"
GUIDE_CONTAINERS: Json = {
    "migrate": {
        "image": ":crops-backend.web.latest",
        "command": ["python", "manage.py", "migrate", "--noinput"],
    },
    "web": {
        "image": ":crops-backend.web.latest",
        "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}],
    },
}


def reasons(text: str | bytes) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    return list(caught.value.reasons)


def test_the_containers_of_the_guide_are_understood_as_they_stand() -> None:
    containers = deepcopy(GUIDE_CONTAINERS)
    containers["web"]["ports"] = {"8000": "HTTP"}

    spec = app_spec(containers=containers)

    assert spec.containers["migrate"].command == ("python", "manage.py", "migrate", "--noinput")
    assert spec.containers["web"].command is None
    assert [c.image for c in spec.containers.values()] == [None, None]
    assert spec.containers["web"].depends_on == (
        Dependency(container="migrate", condition=DependencyCondition.SUCCESS),
    )


def test_the_example_is_a_valid_spec() -> None:
    spec = parse_spec(EXAMPLE.read_bytes())

    assert spec.gates() == ("migrate",)
    assert spec.gates_before("web") == {"migrate"}


def test_missing_keys_of_a_spec_have_careful_defaults() -> None:
    spec = app_spec()

    assert spec.stage is Stage.PRODUCTION
    assert spec.tags == ("latest",)
    assert spec.database is None
    assert (spec.poll_seconds, spec.deployment_timeout_seconds) == (10, 3600)
    assert spec.public_endpoint is not None
    assert spec.public_endpoint.health_check.success_codes == "200-399"
    assert spec.containers["migrate"].timeout_seconds is None


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        (["CMD", "curl", "-f", "http://127.0.0.1/"], ("curl", "-f", "http://127.0.0.1/")),
        (["CMD-SHELL", "curl -f localhost || exit 1"],
         ("/bin/sh", "-c", "curl -f localhost || exit 1")),
        (["curl", "CMD"], ("curl", "CMD")),
    ],
)  # fmt: skip
def test_the_command_of_a_health_check_may_have_the_form_that_ecs_wants(
    command: list[str], runs: tuple[str, ...]
) -> None:
    containers = {"migrate": migrate(healthCheck={"command": command}), "web": web()}

    spec = app_spec(containers=containers)

    check = spec.containers["migrate"].health_check

    assert check is not None
    assert check.command == runs


def test_a_health_check_has_the_defaults_of_ecs() -> None:
    containers = {"migrate": migrate(healthCheck={"command": ["true"]}), "web": web()}

    spec = app_spec(containers=containers)

    assert spec.containers["migrate"].health_check == HealthCheck(
        command=("true",), interval_seconds=30, timeout_seconds=5, retries=3, start_period_seconds=0
    )


def test_a_database_is_waited_for_an_hour_and_keeps_30_snapshots() -> None:
    spec = app_spec(database={"instance": "crops-db"})

    assert spec.database == Database(instance="crops-db", keep_snapshots=30, timeout_seconds=3600)
    assert spec.database.backup is BackupMode.ALWAYS


def test_a_version_is_watched_for_two_minutes_unless_the_spec_says_otherwise() -> None:
    assert app_spec().verification == Verification(
        watch_seconds=120,
        path=None,
        success_codes=None,
        expected_header=None,
        expected_text=None,
        latency_seconds=5,
        answers_needed=3,
        failures_in_a_row=3,
        write=None,
    )
    assert app_spec(verification={}) == app_spec()


def test_a_write_is_read_with_everything_that_is_sent() -> None:
    written = {
        "method": "PATCH", "path": "/probes/1?a=b", "headers": {"X-Probe": "a, b"},
        "body": "line one\nline two", "successCodes": "204",
    }  # fmt: skip

    assert app_spec(verification={"write": written}).verification.write == Write(
        method="PATCH",
        path="/probes/1?a=b",
        headers={"X-Probe": "a, b"},
        body="line one\nline two",
        success_codes="204",
    )


@given(st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_no_header_that_is_taken_can_break_out_of_its_line(name: str, value: str) -> None:
    document = spec_document(
        verification={
            "expectHeader": {"name": name, "value": value},
            "write": {"path": "/", "headers": {name: value}},
        }
    )

    if not reasons_of(lambda: parse_spec(json.dumps(document))):
        assert re.fullmatch(r"[!-~]+: [ -~]+", f"{name}: {value}")
        assert ":" not in name
        assert value == value.strip()


@given(st.text(max_size=30))
def test_no_path_that_is_taken_can_break_out_of_its_line(path: str) -> None:
    document = spec_document(verification={"path": path, "write": {"path": path}})

    if not reasons_of(lambda: parse_spec(json.dumps(document))):
        assert re.fullmatch(r"/[!-~]*", path)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (DatabaseKind.INSTANCE, BackupMode.ALWAYS),
        (DatabaseKind.CLUSTER, BackupMode.ALWAYS),
        (DatabaseKind.LIGHTSAIL, BackupMode.WHEN_PENDING),
    ],
)
def test_the_kind_of_a_database_decides_when_it_is_backed_up_unless_the_spec_does(
    kind: DatabaseKind, expected: BackupMode
) -> None:
    usual, chosen = (
        app_spec(database={kind: "db"}),
        app_spec(database={kind: "db", "backup": "none"}),
    )

    assert usual.database is not None
    assert chosen.database is not None
    assert (usual.database.kind, usual.database.backup) == (kind, expected)
    assert chosen.database.backup is BackupMode.NONE


FLYWAY: Json = {"command": ["flyway", "migrate"]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("migrate",)),
        ({"containers": {"migrate": {}, "web": web()}}, ("migrate",)),
        ({"containers": {"migrate": FLYWAY, "web": web()}}, ()),
        (
            {"containers": {"migrate": FLYWAY | {"pendingCommand": ["x"]}, "web": web()}},
            ("migrate",),
        ),
        ({"publicEndpoint": None, "unprotected": True}, ()),
    ],
    ids=["django", "stage", "unknown", "pending-command", "unprotected"],
)
def test_a_gate_asks_for_a_permit_if_it_can_tell_when_there_is_nothing_to_do(
    changes: Json, expected: tuple[str, ...]
) -> None:
    assert app_spec(**changes).asking_gates() == expected


def test_a_containers_own_variable_wins_whether_it_is_a_value_or_a_secret() -> None:
    spec = app_spec(
        environment={"A": "shared", "B": "shared", "C": "shared"},
        secrets={"S": "ssm:/shared", "T": "ssm:/shared"},
        containers={
            "migrate": migrate(),
            "web": web(environment={"A": "own", "S": "own"}, secrets={"B": "ssm:/own"}),
        },
    )

    own, shared = spec.containers["web"], spec.containers["migrate"]
    assert own.environment == {"A": "own", "C": "shared", "S": "own"}
    assert {name: str(ref) for name, ref in own.secrets.items()} == {
        "B": "ssm:/own",
        "T": "ssm:/shared",
    }
    assert shared.environment == {"A": "shared", "B": "shared", "C": "shared"}


@pytest.mark.parametrize(
    ("text", "name", "json_key", "version_stage"),
    [
        ("secretsmanager:crops/db", "crops/db", None, None),
        ("secretsmanager:crops/db:url", "crops/db", "url", None),
        ("secretsmanager:crops/db:data base url", "crops/db", "data base url", None),
        ("secretsmanager:crops/db:url:AWSPREVIOUS", "crops/db", "url", "AWSPREVIOUS"),
    ],
)
def test_a_secret_reference_is_read_and_written_alike(
    text: str, name: str, json_key: str | None, version_stage: str | None
) -> None:
    spec = app_spec(secrets={"KEY": text})

    reference = spec.containers["web"].secrets["KEY"]
    assert reference == SecretReference(
        store=SecretStore.SECRETS_MANAGER,
        name=name,
        json_key=json_key,
        version_stage=version_stage,
    )
    assert text == str(reference)


def test_a_spec_of_exactly_the_largest_size_is_read() -> None:
    document = spec_document(environment={"A": "", "B": ""})
    filling = "x" * ((LONGEST_SPEC_BYTES - len(json.dumps(document))) // 2)
    document["environment"] = {"A": filling, "B": filling}
    text = json.dumps(document).ljust(LONGEST_SPEC_BYTES)

    assert parse_spec(text).service == "crops-backend"
    assert reasons(text + " ") == ["the spec: has 8193 bytes; at most 8192 are allowed"]


def test_a_service_without_an_endpoint_may_say_that_it_is_unprotected() -> None:
    spec = app_spec(publicEndpoint=None, unprotected=True)

    assert spec.unprotected
    assert spec.public_endpoint is None


def test_a_public_container_may_migrate_in_its_own_command_if_the_spec_says_so() -> None:
    own = web(command=["sh", "-c", "python manage.py migrate && gunicorn"], dependsOn=[])

    spec = app_spec(containers={"web": own}, migrations={"allowOutsideGate": True})

    assert spec.gates() == ()


def test_a_gate_may_hold_the_endpoint_through_others() -> None:
    spec = app_spec(
        containers={
            "migrate": migrate(),
            "cache": web(command=["createcachetable"], ports={}),
            "web": web(dependsOn=[wait_for("cache", "COMPLETE"), wait_for("migrate", "START")]),
        }
    )

    assert spec.gates_before("web") == {"migrate"}


def test_the_order_of_messages_does_not_depend_on_the_run() -> None:
    names = [f"V{index}" for index in range(10, 30)]
    document = spec_document(
        environment=dict.fromkeys(names, "x"), secrets=dict.fromkeys(names, "ssm:/x")
    )

    told = reasons(json.dumps(document))

    expected = [f"secrets.{n}: stands in environment too; keep one of the two" for n in names]
    assert expected == told


def test_thousands_of_problems_are_reported_as_forty_and_a_number() -> None:
    document = {f"{index}": 0 for index in range(500)}

    told = reasons(json.dumps(document))

    assert len(told) == 41
    assert told[-1] == "the spec: has 464 more problems"


@pytest.mark.parametrize("name", ["Crops", "crops_backend", "a--b", "-a", "a-", "a/b", "ä", "a\n"])
def test_another_app_name_is_refused(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_app_name(name)

    [reason] = caught.value.reasons
    assert reason == (
        f"app: {json.dumps(name, ensure_ascii=False)} is not valid; allowed is lower-case letters "
        "and digits, single hyphens between them"
    )


def test_an_app_name_too_long_for_an_execution_name_is_refused() -> None:
    with pytest.raises(SpecError, match=r"^app: has 41 characters; at most 40 are allowed$"):
        parse_app_name("a" * 41)


def told_or_read(text: str | bytes) -> None:
    """Read the text; nothing but a SpecError with readable reasons may come of it."""
    told = reasons_of(lambda: parse_spec(text))

    assert len(told) <= 41
    for reason in told:
        assert ": " in reason
        assert len(reason.encode()) < 2000


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_a_spec_error(text: bytes) -> None:
    told_or_read(text)


@given(st.text(max_size=200))
def test_arbitrary_text_raises_nothing_but_a_spec_error(text: str) -> None:
    told_or_read(text)


@given(JSON_VALUES)
def test_arbitrary_json_raises_nothing_but_a_spec_error(document: object) -> None:
    told_or_read(json.dumps(document))


@given(st.data())
def test_a_valid_spec_with_one_change_raises_nothing_but_a_spec_error(data: st.DataObject) -> None:
    document: Json = data.draw(valid_specs().flatmap(mutated))

    told_or_read(json.dumps(document))


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"containers":'])
def test_deep_nesting_raises_nothing_but_a_spec_error(opening: str) -> None:
    text = opening * (LONGEST_SPEC_BYTES // len(opening))

    assert len(reasons(text)) == 1


def test_deep_nesting_that_is_valid_json_is_reported_like_anything_else() -> None:
    text = "[" * 4000 + '"{{"' + "]" * 4000

    told = reasons(text)

    assert len(told) == 2
    assert told[0].endswith(
        "contains {{, which the parameter store refuses; refer to a secret instead"
    )
    assert told[1] == "the spec: must be an object, not a list"
