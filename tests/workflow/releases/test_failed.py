"""Releases whose deployment did not become live.

The slow matrix adds the other plans that fail while they are pending.
"""

import shlex
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.component.lightsail_service import Course
from tests.workflow.release_machine import Ended, attempts
from tests.workflow.reporting_gates import told_plan
from tests.workflow.world import (
    APP,
    SUCCEEDED,
    Json,
    World,
    applied,
    migration_failed,
    spec,
    succeeded,
    unprotected,
)

FAILS = timedelta(seconds=400)


def check_ended(world: World, ended: Ended, status: str, *words: str) -> Json:
    """The execution, the record and the one message agree. What the message has."""
    assert (ended.status, ended.error) == ("FAILED", status)
    record, message = world.record(), world.message()
    assert ended.cause == record["cause"]
    assert record["status"] == message.content["status"] == message.attributes["status"] == status
    told = " ".join([*message.content["reasons"], *message.content["nextSteps"]])
    for word in words:
        assert word in told
    return message.content


def test_a_failed_migration_is_rolled_back_and_named(world: World) -> None:
    course = migration_failed("harvests.0006_one", "could not create unique index", "harvests.0005")

    ended = world.release(course=course)

    content = check_ended(
        world,
        ended,
        "ROLLED_BACK",
        "Migration harvests.0006_one failed: could not create unique index",
        "Version 1 is healthy: ",
    )
    assert world.lightsail.deployments(APP) == {1: "ACTIVE", 2: "FAILED"}
    assert [m["name"] for m in content["gate"]["migrations"]] == ["harvests.0005"]
    assert content["gate"]["failure"]["lastLines"][-1] == "could not create unique index"
    assert content["previousVersion"] == 1
    assert "1 migration applied and not reversed by a rollback: harvests.0005\n" in content["text"]
    assert content["snapshot"]["id"] in world.instance.snapshots()


def crash(plan: Json | None, *migrations: str) -> Course:
    """The app does not come up behind the migrations, which were planned like this."""
    told = [(20.0, "migrate", plan)] if plan else []
    log = [*told, *applied(*migrations), (40, *SUCCEEDED)]
    return Course(ends="FAILED", after=FAILS, log=log)


MAY_FAIL = "Version 1 may fail with the current database"
MAY_NOT_WORK = "Version 1 may not work correctly with the current database:"


@pytest.mark.representatives(2)
@pytest.mark.parametrize(
    ("plan", "status", "words"),
    [
        (told_plan("a.0002"), "ROLLED_BACK", "after its gate had opened"),
        (told_plan("a.0002", effect="breaking"), "FAILED", MAY_FAIL),
        (told_plan("a.0002", effect="data"), "ROLLED_BACK", MAY_NOT_WORK),
        (None, "ROLLED_BACK", MAY_NOT_WORK),
    ],
)
def test_a_known_objection_to_a_healthy_version_outweighs_its_answers(
    world: World, plan: Json | None, status: str, words: str
) -> None:
    ended = world.release(course=crash(plan, "a.0002"))

    check_ended(world, ended, status, "Version 1 is healthy: ", words)
    assert world.lightsail.serving(APP) == 1


OUT_OF_MEMORY = "[1] [ERROR] Worker (pid:8) was sent SIGKILL! Perhaps out of memory?"


@pytest.mark.parametrize(
    ("lines", "kind", "cause", "printed"),
    [
        ([OUT_OF_MEMORY], "app-crash", "probably because the node was out of memory.", None),
        (["licence expired", "bye"], "unknown", "could not be determined.", 2),
    ],
)
def test_what_the_app_has_written_is_in_the_message_with_a_command_that_prints_it(
    world: World, lines: list[str], kind: str, cause: str, printed: int | None
) -> None:
    course = crash(told_plan("a.0002"), "a.0002")
    said = [(60.0 + at, "web", line) for at, line in enumerate(lines)]

    ended = world.release(course=replace(course, log=[*course.log, *said]))

    content = check_ended(world, ended, "ROLLED_BACK", "Version 1 is healthy: ")
    failure = content["failure"]
    assert failure["kind"] == kind
    assert failure["evidence"] == " | ".join(lines)
    assert cause in content["text"]
    if printed is not None:
        command = shlex.split("aws " + failure["nextAction"].partition("aws ")[2])
        options = dict(zip(command[3::2], command[4::2], strict=True))
        answer = world.cloud.client("lightsail").get_container_log(
            serviceName=options["--service-name"],
            containerName=options["--container-name"],
            startTime=options["--start-time"],
            endTime=options["--end-time"],
            filterPattern=options["--filter-pattern"],
        )
        assert [event["message"] for event in answer["logEvents"]] == lines[:printed]


def undone(effect: str, **failed: str) -> Course:
    """A pending plan whose migration fails, and leaves the database unchanged."""
    plan = told_plan("a.0002", effect=effect)
    end = {"event": "failed", "migration": "a.0002", "database": "unchanged", **failed}
    begun = {"event": "applying", "migration": "a.0002"}
    log = [(20, "migrate", plan), (30, "migrate", begun), (34, "migrate", end)]
    return Course(ends="FAILED", after=FAILS, log=log)


TIMED_OUT = {"cause": "timeout", "error": "not finished after 4 s"}
WAITED = {"cause": "exit", "error": "canceling statement due to lock timeout"}


@pytest.mark.representatives(2)
@pytest.mark.parametrize(
    ("effect", "failed", "verdict"),
    [
        # What was stopped at its limit may have been anywhere.
        ("compatible", TIMED_OUT, "UNKNOWN"),
        ("compatible", WAITED, "SAFE"),
        ("data", TIMED_OUT, "UNKNOWN"),
        ("data", WAITED, "UNKNOWN"),
        ("breaking", TIMED_OUT, "ONE_WAY"),
        ("breaking", WAITED, "ONE_WAY"),
    ],
)
def test_a_pending_plan_that_fails_keeps_its_verdict_and_is_not_called_nothing(
    world: World, effect: str, failed: dict[str, str], verdict: str
) -> None:
    world.release(course=undone(effect, **failed))

    content = world.message().content
    assert (content["status"], content["judgement"]["verdict"]) == ("ROLLED_BACK", verdict)
    assert f'"verdict":"{verdict}"' in world.functions.log
    assert content["notApplied"] == ["a.0002"]
    assert ("nce these migrations are applied" in content["text"]) is (verdict != "SAFE")
    assert "may not be able to" not in " ".join(content["reasons"])


def test_migrations_of_an_earlier_failure_still_count(
    world: World,
) -> None:
    world.release(course=crash(told_plan("a.0002", effect="breaking"), "a.0002"))
    world.messages()
    ended = world.release(course=crash(told_plan()))

    assert ended.error == "FAILED"
    text = world.message().text
    assert "Version 1 may fail with the current database" in text
    assert "a.0002: AddField harvest.season" in text


def test_an_unverified_live_version_is_reported_with_both_next_steps(
    world: World,
) -> None:
    world.functions.fail("verify_release", *["before"] * attempts("VerifyRelease"))

    ended = world.release(course=succeeded())

    check_ended(
        world,
        ended,
        "FAILED",
        "Version 2 is live, but its health is unknown.",
        "version 2 can stay live",
        f'{{"app": "{APP}", "rollbackTo": 1}}',
    )


def test_a_deployment_that_fails_while_a_migration_is_applied_requires_manual_action(
    world: World,
) -> None:
    log = [*applied("a.0001"), (40, "migrate", {"event": "applying", "migration": "a.0002"})]

    ended = world.release(course=Course(ends="FAILED", after=FAILS, log=log))

    check_ended(world, ended, "FAILED", "ended during a migration")
    assert world.lightsail.serving(APP) == 1


def test_a_last_report_that_comes_late_decides_about_the_database(world: World) -> None:
    world.lightsail.switches = world.lightsail.switches.changed({"log_lag": 250})
    begun = {"event": "applying", "migration": "a.0002"}
    failed = {
        "event": "failed",
        "cause": "exit",
        "migration": "a.0002",
        "error": "boom",
        "database": "unchanged",
    }
    log = [*applied(), (380, "migrate", begun), (399, "migrate", failed)]

    ended = world.release(course=Course(ends="FAILED", after=FAILS, log=log))

    check_ended(world, ended, "ROLLED_BACK", "Migration a.0002 failed: boom")


def test_a_deployment_that_fails_silently_is_waited_for_and_then_called_so(world: World) -> None:
    world.lightsail.switches = world.lightsail.switches.changed({"log_lag": 3600})

    ended = world.release(course=Course(ends="FAILED", after=FAILS, log=[]))

    check_ended(world, ended, "ROLLED_BACK", "gate reported")
    assert world.waited() >= FAILS + timedelta(seconds=300)


def test_a_silent_gate_is_not_waited_for_once_the_log_shows_the_end(world: World) -> None:
    ended = world.release(course=Course(ends="FAILED", after=FAILS, log=[]))

    check_ended(world, ended, "ROLLED_BACK", "gate reported")
    assert FAILS + timedelta(seconds=60) <= world.waited() < FAILS + timedelta(seconds=180)


def test_a_first_deployment_that_fails_requires_manual_action(world: World) -> None:
    world.lightsail.add(APP)

    ended = world.release(course=migration_failed("a.0001", "boom"))

    check_ended(world, ended, "FAILED", "Migration a.0001 failed", "No version was live before")
    assert world.lightsail.deployments(APP) == {1: "FAILED"}


def test_a_deployment_that_never_ends_requires_manual_action(world: World) -> None:
    world.put_spec(spec(pollSeconds=300, deploymentTimeoutSeconds=1800))

    ended = world.release(course=Course(ends=None))

    check_ended(world, ended, "FAILED", "neither became active nor failed")
    assert timedelta(seconds=1800) <= world.waited() < timedelta(seconds=2200)
    assert world.lightsail.deployments(APP) == {1: "ACTIVE", 2: "ACTIVATING"}


def test_an_active_deployment_whose_gate_is_shut_is_no_success_when_unprotected(
    world: World,
) -> None:
    world.put_spec(unprotected())
    log = [*applied(), (200, "migrate", {"event": "failed", "cause": "exit", "error": "boom"})]

    ended = world.release(course=Course(after=timedelta(seconds=60), log=log))

    check_ended(world, ended, "FAILED", "is live although its gate failed")
    assert world.lightsail.serving(APP) == 2


def test_lines_of_other_releases_and_containers_prove_nothing(world: World) -> None:
    world.put_spec({**unprotected(), "pollSeconds": 300, "deploymentTimeoutSeconds": 1800})
    log = [
        (5, "migrate", {"event": "succeeded", "release": "of-another"}),
        (6, "migrate", {"event": "succeeded", "container": "web"}),
        (7, "migrate", {"event": "succeeded", "lightgate": 2}),
        (8, "web", {"event": "succeeded"}),
    ]

    ended = world.release(course=Course(after=timedelta(seconds=60), log=log))

    check_ended(world, ended, "FAILED")


def test_a_flood_of_reports_does_not_silence_the_outcome(world: World) -> None:
    names = [f"a.{number:04}_{'x' * 480}" for number in range(300)]

    ended = world.release(course=succeeded(*names))

    assert ended.status == "SUCCEEDED"
    assert world.message().content["status"] == "SUCCEEDED"


def test_a_foreign_deployment_in_between_is_no_success(world: World) -> None:
    world.put_spec(spec(pollSeconds=120))
    # Active with the gate's report at the second check; another version is live at the end.
    world.functions.before(
        "record_outcome", lambda: world.lightsail.deploy_by_somebody(APP) and None
    )

    ended = world.release(course=succeeded())

    check_ended(world, ended, "FAILED", "it is no longer live")


@pytest.mark.representatives(1)
@pytest.mark.parametrize("moment", ["check_deployment", "record_outcome"])
def test_a_service_deleted_meanwhile_requires_manual_action(world: World, moment: str) -> None:
    world.functions.before(moment, lambda: world.lightsail.services.pop(APP, None))

    ended = world.release(course=migration_failed("a.0002", "boom"))

    check_ended(world, ended, "FAILED", f"no container service {APP}")
