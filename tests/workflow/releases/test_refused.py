"""Releases that end before anything was applied.

The slow matrix adds the other inputs, stages and states of a database.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.component import clusters, images
from tests.component.lightsail_service import CREATE, GET_SERVICES, Course
from tests.workflow.release_machine import Ended
from tests.workflow.reporting_gates import released
from tests.workflow.world import APP, SPEC, Json, World, spec, succeeded


def check_refused(world: World, ended: Ended, *words: str) -> None:
    """The execution, the record and the one message agree, and nothing was deployed."""
    assert (ended.status, ended.error) == ("FAILED", "REFUSED")
    record, message = world.record(), world.message()
    assert ended.cause == record["cause"]
    assert record["status"] == message.content["status"] == message.attributes["status"]
    for word in words:
        assert word in " ".join(message.content["reasons"])
    assert message.content["version"] is None
    assert all(number == 1 for number in world.lightsail.deployments(APP))


@pytest.mark.representatives(4)
@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ("crops-backend", "must be an object"),
        ({}, "app: is missing"),
        ({"app": "crops-frontend"}, "there is no app crops-frontend"),
        ({"app": APP, "admission": {"status": "PROCEED"}}, "admission: is not a known key"),
        ({"app": 7}, "app: must be a string"),
        ({"app": APP, "tag": "v9"}, "has no image v9"),
        ({"app": APP, "digest": f"sha256:{'0' * 64}"}, "has no image sha256:000"),
    ],
)
def test_an_input_that_names_no_release_is_refused(
    world: World, request_: object, word: str
) -> None:
    ended = world.release(request_)

    check_refused(world, ended, word)
    assert ended.states == [
        *("Begin", "Admit", "IsAdmitted?", "RecordOutcome", "IsRecorded?", "StartNext"),
        *("IsMessageOwed?", "PublishOutcome", "MarkMessageSent", "HasSucceeded?", "NotReleased"),
    ]
    assert world.instance.snapshots() == {}


def test_a_refusal_before_the_lock_says_what_is_live(world: World) -> None:
    assert world.release(course=released()).status == "SUCCEEDED"
    world.messages()
    world.put_spec('{"serviceName"')

    ended = world.release({"app": APP, "tag": "v9"}, name="second")

    assert ended.error == "REFUSED"
    assert world.message().subject == f"[production] {APP} REFUSED v9, latest is still live"


def test_a_refusal_is_sent_also_if_the_service_cannot_be_read(world: World) -> None:
    assert world.release(course=released()).status == "SUCCEEDED"
    world.messages()
    world.put_spec('{"serviceName"')
    world.lightsail.fail(GET_SERVICES, *["broken"] * 20)

    ended = world.release({"app": APP, "tag": "v9"}, name="second")

    assert ended.error == "REFUSED"
    assert world.message().subject == f"[production] {APP} REFUSED v9"


def test_a_name_that_is_no_app_gets_into_no_subject(world: World) -> None:
    world.release({"app": "crops\nSubject: forged"})

    message = world.message()
    assert message.subject.startswith("[unknown] unknown REFUSED ")
    assert message.attributes["app"] == "unknown"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            spec(stage="prodution", serviceName=""),
            ["stage:", "did you mean production", "serviceName: must not"],
        ),
        ({f"k{number}": 0 for number in range(600)}, ["more reasons"]),
        (spec(repository="crops-elsewhere"), ["no ECR repository crops-elsewhere"]),
        (spec(serviceName="crops-elsewhere"), ["no container service crops-elsewhere"]),
        (
            spec(secrets={"A": "secretsmanager:crops/none", "B": "ssm:/none", **SPEC["secrets"]}),
            ["secretsmanager:crops/none", "ssm:/none"],
        ),
    ],
)
def test_a_spec_that_cannot_be_deployed_is_refused_with_each_problem(
    world: World, document: Json, words: list[str]
) -> None:
    world.put_spec(document)

    check_refused(world, world.release(), *words)


BROKEN = {"serviceName": "", "repository": APP}


@pytest.mark.representatives(6)
@pytest.mark.parametrize(
    ("stored", "stage"),
    [
        (spec(stage="staging", repository="crops-elsewhere"), "staging"),
        (spec(stage="staging", serviceName="crops-elsewhere"), "staging"),
        (spec(stage=None, repository="crops-elsewhere"), "production"),
        ({**BROKEN, "stage": "development"}, "development"),
        (BROKEN, "production"),
        ({**BROKEN, "tags": ["staging"], "stage": "development"}, "development"),
        ({**BROKEN, "tag": ["staging"]}, "production"),
        ({**BROKEN, "Stages": "staging"}, "staging"),
        ('{"stage": "staging", "tags": ["v*",]}', "staging"),
        ('{"tags": ["v*",]}', "unknown"),
        ({**BROKEN, "stage": "prodution"}, "unknown"),
        ({**BROKEN, "stage": ["staging"]}, "staging"),
        ("[]", "unknown"),
    ],
)
def test_a_refusal_has_the_stage_that_the_spec_names(
    world: World, stored: object, stage: str
) -> None:
    world.put_spec(stored)  # type: ignore[arg-type]

    world.release()

    message = world.message()
    assert message.attributes == {"app": APP, "status": "REFUSED", "stage": stage}
    assert message.content["stage"] == stage
    assert message.subject.startswith(f"[{stage}] {APP} REFUSED ")


def test_an_image_for_another_platform_is_refused(world: World) -> None:
    images.push(world.cloud, APP, "latest", name="arm", architecture="arm64")

    check_refused(world, world.release(), "built for arm64", "--platform linux/amd64")
    assert world.record()["failure"]["kind"] == "architecture"


def test_an_image_without_a_command_is_refused_before_the_snapshot(world: World) -> None:
    images.push(world.cloud, APP, "latest", name="bare", command=[])

    check_refused(world, world.release(), "containers.web.command", "no CMD")
    assert world.instance.snapshots() == {}


def test_a_disabled_service_is_refused(world: World) -> None:
    world.lightsail.disable(APP)

    check_refused(world, world.release(), "is disabled")


def test_a_service_that_is_disabled_during_the_snapshot_is_refused(world: World) -> None:
    world.instance.snapshot_takes = timedelta(minutes=2)
    runner = world.lightsail.services[APP]
    runner.later(timedelta(minutes=1), lambda service: replace(service, is_disabled=True))

    check_refused(world, world.release(), "is disabled")


# With or without a snapshot: the gate and the app would not reach the database.
WAYS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "usual": ({}, {}),
    "on the plan": ({"backup": "when-pending"}, {}),
    "continuous": ({"backup": "point-in-time"}, {}),
    "none": ({"backup": "none"}, {}),
    "skipped": ({}, {"skipSnapshot": True}),
    "command": ({}, {"command": ["python", "manage.py", "showmigrations"], "tag": "latest"}),
}


def release_with(world: World, way: str, **database: object) -> Ended:
    """A release whose database is given so, by one of the ways."""
    changes, request = WAYS[way]
    world.put_spec(spec(database={**database, **changes}))
    return world.release({"app": APP, **request})


def check_refused_at_once(world: World, ended: Ended, *words: str) -> None:
    check_refused(world, ended, *words)
    assert not {"TakeSnapshot", "Deploy"} & set(ended.states)
    assert not [state for state in ended.states if state.startswith("Wait")]
    assert world.lightsail.deployments(APP) == {1: "ACTIVE"}
    assert world.lock.holder is None


MEMBER = ["member of the DB cluster crops-cluster", "instead of", '"instance": "crops-cluster-1"']
OTHER_KIND = ["no RDS instance crops-cluster", 'write "cluster": "crops-cluster" instead of']


@pytest.mark.representatives(6)
@pytest.mark.parametrize(
    ("way", "database", "words"),
    [
        ("usual", {"cluster": "nowhere"}, ["database.cluster: there is no Aurora cluster nowhere"]),
        ("usual", {"instance": "crops-cluster"}, OTHER_KIND),
        ("usual", {"instance": "crops-cluster-1"}, MEMBER),
        *(
            (way, {"instance": "nowhere"}, ["database.instance: there is no RDS instance nowhere"])
            for way in WAYS
        ),
        ("none", {"instance": "crops-cluster-1"}, MEMBER),
        ("skipped", {"instance": "crops-cluster-1"}, MEMBER),
    ],
)
def test_a_database_that_is_not_there_or_of_another_kind_is_refused(
    world: World, way: str, database: dict[str, str], words: list[str]
) -> None:
    clusters.add(world.cloud, "crops-cluster")

    check_refused_at_once(world, release_with(world, way, **database), *words)


@pytest.mark.representatives(3)
@pytest.mark.parametrize(
    ("way", "status"),
    [*((way, "stopped") for way in WAYS), ("usual", "stopping"), ("usual", "storage-full")],
)
def test_a_database_that_is_down_is_refused_with_its_status(
    world: World, way: str, status: str
) -> None:
    world.instance.is_now(status)

    ended = release_with(world, way, instance="crops-db")

    check_refused_at_once(world, ended, f"crops-db has the status {status}")
    assert world.instance.snapshots() == {}


def test_a_rollback_by_hand_is_refused_as_well(world: World) -> None:
    for _ in range(2):
        world.release(course=released())
    world.messages()
    world.instance.is_now("stopped")

    ended = world.release(rollbackTo=2, skipSnapshot=True)

    assert ended.error == "REFUSED"
    assert "crops-db has the status stopped" in " ".join(world.message().content["reasons"])


def test_an_instance_that_is_stopped_before_its_snapshot_is_not_waited_for(world: World) -> None:
    world.functions.before("take_snapshot", lambda: world.instance.is_now("stopped"))

    ended = world.release()

    check_refused(world, ended, "crops-db has the status stopped")
    assert not [state for state in ended.states if state.startswith("Wait")]


def test_a_snapshot_that_fails_ends_the_release(world: World) -> None:
    world.instance.snapshot_takes = timedelta(minutes=2)
    world.instance.snapshot_ends = "failed"

    check_refused(world, world.release(), "has ended as failed")


def test_a_snapshot_that_is_deleted_meanwhile_ends_the_release(world: World) -> None:
    world.instance.snapshot_takes = timedelta(minutes=30)
    # More often than what is read can lag.
    world.cloud.faults.refuse("rds.DescribeDBSnapshots", "DBSnapshotNotFound", times=9)

    check_refused(world, world.release(), "has ended as deleted")


def test_a_snapshot_that_takes_too_long_ends_the_release(world: World) -> None:
    world.put_spec(spec(database={"instance": "crops-db", "timeoutSeconds": 600}))
    world.instance.snapshot_takes = timedelta(hours=9)

    check_refused(world, world.release(), "not available within database.timeoutSeconds (600)")
    assert timedelta(seconds=600) <= world.waited() < timedelta(seconds=700)


def test_an_instance_that_stays_busy_ends_the_release(world: World) -> None:
    world.put_spec(spec(database={"instance": "crops-db", "timeoutSeconds": 600}))
    world.instance.busy_until = world.clock.now() + timedelta(hours=9)

    check_refused(world, world.release(), "not currently in the available state")
    assert world.instance.snapshots() == {}


def test_a_service_that_stays_busy_ends_the_release(world: World) -> None:
    world.put_spec(spec(pollSeconds=300))
    world.lightsail.deploy_by_somebody(APP, Course(ends=None))

    ended = world.release()

    assert (ended.status, ended.error) == ("FAILED", "REFUSED")
    assert "busy for too long" in world.record()["cause"]
    assert "deployment 2 is in progress" in world.record()["cause"]
    assert world.message().content["failure"]["kind"] == "platform-busy"
    assert world.lightsail.deployments(APP) == {1: "ACTIVE", 2: "ACTIVATING"}


def test_a_deployment_that_lightsail_finds_wrong_is_refused_in_its_words(world: World) -> None:
    world.lightsail.fail(CREATE, "wrong")

    check_refused(world, world.release(), "The image is not one that can be deployed")


def test_a_refused_release_can_be_corrected_and_released(world: World) -> None:
    world.put_spec("{")
    world.release()
    world.put_spec(SPEC)

    second = world.release(course=succeeded())

    assert second.status == "SUCCEEDED"
    statuses = [message.content["status"] for message in world.messages()]
    assert sorted(statuses) == ["REFUSED", "SUCCEEDED"]
