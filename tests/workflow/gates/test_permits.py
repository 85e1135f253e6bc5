"""Releases whose gate asks: it begins when it is permitted, and never otherwise.

The slow matrix adds the other plans and the other junk in a mailbox.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from lightgate.migrations.permit import VoidCause
from lightgate.migrations.permit import pending as pending_permit
from tests.workflow.reporting_gates import (
    PLAN,
    Gate,
    check_nothing_was_applied,
    database,
    line_of,
    minutes,
    permit_of,
    put_letter,
    reasons,
    remember,
    told_plan,
)
from tests.workflow.world import APP, MAILBOXES, SUCCEEDED, Json, World, spec

LIMIT = timedelta(seconds=300 + 10)  # the command's, and what the gate adds to it
PATIENCE = timedelta(seconds=900)
JUNK = ("{", "[]", "null", '"plan"', "\x00", json.dumps({"lightgate": 1, "event": "plan"}))


def writes(world: World, gate: Gate, event: Json, name: str = "migrate") -> None:
    """Somebody writes a line into the log of the container, as the gate would."""
    line = json.dumps(line_of(gate.release, world.clock.now(), event))
    world.lightsail.logs.restore(APP, name, line, world.clock.now())


# What is pending.


def test_a_pending_plan_is_permitted_once_the_snapshot_is_there(world: World) -> None:
    world.instance.snapshot_takes = minutes(4)
    remember(world, snapshot=240, node=200)
    gate = Gate(world, "a.0002")

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert gate.states == ["pending", "granted"]
    assert list(gate.snapshots.values()) == ["available"]
    content = world.message().content
    assert content["snapshot"]["id"] in gate.snapshots
    assert gate.began_at is not None
    assert content["snapshot"]["availableAt"] <= gate.began_at.isoformat()


def test_a_permit_names_release_and_plan_and_until_when_it_may_be_begun_and_is_void_at_the_end(
    world: World,
) -> None:
    gate = Gate(world, "a.0002")

    world.release()

    permit = gate.permits[-1]
    assert (permit["release"], permit["plan"]) == (gate.release, PLAN)
    assert gate.deployment is not None
    until = datetime.fromtimestamp(permit["until"], UTC)
    until_at_most = gate.deployment.created_at + PATIENCE - LIMIT
    assert timedelta() <= until_at_most - until < timedelta(seconds=1)
    ended = permit_of(gate.release) or {}
    assert (ended["state"], ended["plan"], ended["until"]) == ("void", None, None)


def test_a_plan_only_in_the_log_is_permitted_too(world: World) -> None:
    gate = Gate(world, "a.0002", via="log")

    assert world.release().status == "SUCCEEDED"
    assert gate.states == ["pending", "granted"]


@pytest.mark.slow
@pytest.mark.parametrize("is_first", [True, False])
def test_a_gate_gets_its_permit_within_a_poll_of_its_snapshot_after_few_checks(
    world: World, *, is_first: bool
) -> None:
    world.put_spec(database(backup="when-pending"))
    world.instance.snapshot_takes = minutes(4)
    if not is_first:
        remember(world, snapshot=240, node=200)
    available: list[datetime] = []

    def look() -> None:
        if not available and "available" in world.instance.snapshots().values():
            available.append(world.clock.now())

    world.clock.watch(look)
    gate = Gate(world, "a.0002", takes=240)

    ended = world.release()

    assert gate.began_at is not None
    assert gate.began_at - available[0] <= timedelta(seconds=120 if is_first else 20)
    assert ended.states.count("CheckDeployment") <= 15


# Nothing is pending.


def test_nothing_pending_needs_no_permit_and_waits_for_no_snapshot(world: World) -> None:
    world.instance.snapshot_takes = minutes(20)
    remember(world, snapshot=90, node=90)
    gate = Gate(world, starts=90)

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert gate.states == ["pending"]
    assert world.waited() < minutes(5)
    assert list(world.instance.snapshots().values()) == ["creating"]
    content = world.message().content
    assert (content["snapshot"]["availableAt"], content["snapshot"]["restore"]) == (None, [])
    assert content["savedSeconds"] > 60


def test_no_snapshot_is_taken_if_nothing_is_pending(world: World) -> None:
    world.put_spec(database(backup="when-pending"))
    gate = Gate(world)

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert "TakeSnapshot" not in ended.states
    assert world.instance.snapshots() == {}
    assert gate.states == ["pending"]
    assert world.message().content["snapshot"] is None


def test_an_app_whose_gate_opens_late_is_released_when_nothing_could_be_permitted_any_more(
    world: World,
) -> None:
    gate = Gate(world, starts=700)

    assert world.release().status == "SUCCEEDED"
    assert gate.states == ["void"]


# What is not permitted.


@pytest.mark.slow
@pytest.mark.parametrize("twice", [False, True])
def test_a_snapshot_that_fails_while_the_gate_waits_refuses_the_release(
    world: World, *, twice: bool
) -> None:
    remember(world, snapshot=120, node=120)
    world.instance.snapshot_takes, world.instance.snapshot_ends = minutes(4), "failed"
    world.functions.twice = twice
    gate = Gate(world, "a.0002", starts=60)

    ended = world.release()

    assert (ended.status, ended.error) == ("FAILED", "REFUSED")
    check_nothing_was_applied(world, gate)
    assert "The snapshot has ended as failed." in reasons(world)


def test_a_refusal_whose_answer_is_lost_is_still_one(world: World) -> None:
    remember(world, snapshot=120, node=120)
    world.instance.snapshot_takes, world.instance.snapshot_ends = minutes(4), "failed"
    world.functions.fail("check_deployment", *["ok"] * 4, *["after"] * 3)
    gate = Gate(world, "a.0002", starts=290)

    ended = world.release()

    assert ended.error == "REFUSED"
    check_nothing_was_applied(world, gate)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_plan_that_may_break_the_live_version_needs_an_override(
    world: World, *, allowed: bool
) -> None:
    world.put_spec(spec(migrations={"policy": "block"}))
    gate = Gate(world, plan=told_plan("a.0002", effect="breaking"))

    ended = world.release({"app": APP, "allowDestructive": allowed})

    if allowed:
        assert ended.status == "SUCCEEDED"
        assert gate.states[-1] == "granted"
    else:
        assert ended.error == "REFUSED"
        check_nothing_was_applied(world, gate)
        assert "a.0002: AddField harvest.season (breaking)" in reasons(world)


def test_the_policy_is_named_as_the_cause_also_if_no_permit_can_be_read_at_the_end(
    world: World,
) -> None:
    world.put_spec(spec(migrations={"policy": "block"}))
    Gate(world, plan=told_plan("a.0002", effect="breaking"))
    refuse = world.cloud.faults.refuse
    world.functions.before("record_outcome", lambda: refuse("s3.GetObject", "SlowDown", times=99))

    ended = world.release()

    assert ended.error == "REFUSED"
    failure = world.message().content["failure"]
    assert failure["kind"] == "migration-refused"
    assert "allowDestructive" in failure["nextAction"]


@pytest.mark.slow
def test_a_migration_for_which_too_little_time_is_left_is_not_begun(world: World) -> None:
    remember(world, snapshot=120, node=120)
    world.instance.snapshot_takes = minutes(14)
    gate = Gate(world, "a.0002")

    ended = world.release()

    assert ended.error == "ROLLED_BACK"
    check_nothing_was_applied(world, gate)
    assert "A migration may take 310 s" in reasons(world)


def test_a_snapshot_that_could_not_be_there_in_time_is_not_begun_on_the_plan(
    world: World,
) -> None:
    world.put_spec(database(backup="when-pending"))
    remember(world, snapshot=400, node=30)
    gate = Gate(world, "a.0002", starts=200)

    ended = world.release()

    assert ended.error == "ROLLED_BACK"
    check_nothing_was_applied(world, gate)
    assert world.instance.snapshots() == {}
    assert "takes about 400 s" in reasons(world)


@pytest.mark.slow
def test_a_silent_gate_with_its_permit_is_checked_at_the_usual_interval(
    world: World,
) -> None:
    world.put_spec(spec(pollSeconds=60, deploymentTimeoutSeconds=14400))
    Gate(world, "a.0002", takes=1_000_000)

    ended = world.release()

    assert ended.error == "FAILED"
    # Step Functions keeps 25,000 events of an execution; a check costs nine.
    assert ended.states.count("CheckDeployment") * 9 < 5000


def withdraw(world: World, gate: Gate) -> None:
    permit = pending_permit(gate.release).voided(VoidCause.STOPPED, "somebody has withdrawn it")
    put_letter(world, gate.release, "permit", permit.to_text())


def delete(world: World, gate: Gate) -> None:
    key = f"{APP}/{gate.release}/migrate/permit.json"
    world.cloud.client("s3").delete_object(Bucket=MAILBOXES, Key=key)


def while_it_holds(world: World, gate: Gate, act: Callable[[World, Gate], None]) -> None:
    """Act once, when the gate has reported its plan."""
    left = [act]

    def look() -> None:
        if gate.ready_at is not None and left:
            left.pop()(world, gate)

    world.clock.watch(look)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("interfere", [withdraw, delete])
def test_unpermitted_plans_keep_rollback_safe(
    world: World, interfere: Callable[[World, Gate], None]
) -> None:
    world.put_spec(database(backup="when-pending"))
    world.instance.snapshot_takes = minutes(4)
    for _ in range(2):
        gate = Gate(world, plan=told_plan("a.0002", effect="breaking"))
        while_it_holds(world, gate, interfere)

        ended = world.release()

        assert ended.error == "ROLLED_BACK"
        assert gate.began_at is None
        content = world.message().content
        assert content["judgement"]["verdict"] == "ONE_WAY"
        assert content["notApplied"] == ["a.0002"]
        assert "may not be able to" not in " ".join(content["reasons"])
        assert "not applied: " in content["text"]


# What anybody may have written.


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "head",
    [{"release": "of-another"}, {"container": "web"}, {"lightgate": 2}, {"hash": 7}],
)
def test_a_plan_that_is_not_this_gates_is_not_permitted(world: World, head: Json) -> None:
    gate = Gate(world, plan={**told_plan("a.0002"), **head}, patience=300)

    ended = world.release()

    assert ended.error == "ROLLED_BACK"
    assert gate.began_at is None
    assert gate.states == ["pending"]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("junk", JUNK)
def test_junk_in_the_gate_channel_is_no_plan_and_no_end(world: World, junk: str) -> None:
    gate = Gate(world, "a.0002")

    def write() -> None:
        for name in ("status", "result"):
            put_letter(world, gate.release, name, junk)

    world.functions.before("check_deployment", write)

    assert world.release().status == "SUCCEEDED"
    assert gate.states == ["pending", "granted"]


def test_a_moment_that_cannot_be_compared_does_not_keep_a_release_from_its_end(
    world: World,
) -> None:
    gate = Gate(world, "a.0002")
    event = {"event": "waiting", "at": "2000-01-01T00:00:00"}
    world.functions.before("check_deployment", lambda: writes(world, gate, event))

    assert world.release().status == "SUCCEEDED"
    assert world.message().content["status"] == "SUCCEEDED"


def test_a_forged_success_gets_no_permit_and_makes_no_success(world: World) -> None:
    gate = Gate(world, "a.0002", patience=300)
    name, event = SUCCEEDED
    world.functions.before("check_deployment", lambda: writes(world, gate, event, name))

    ended = world.release()

    assert (ended.status, ended.error) == ("FAILED", "ROLLED_BACK")
    assert gate.began_at is None
    assert "granted" not in gate.states
    assert world.lightsail.serving(APP) == 1


def test_a_forged_plan_does_not_let_the_gate_begin_its_own(world: World) -> None:
    gate = Gate(world, "a.0002", via="log", patience=300)
    forged = told_plan("a.0001", hash_="0000")

    def write() -> None:
        letter = line_of(gate.release, world.clock.now(), forged)
        put_letter(world, gate.release, "plan", json.dumps(letter))

    world.functions.before("check_deployment", write)

    world.release()

    assert gate.began_at is None
    assert [permit["plan"] for permit in gate.permits] == [None, "0000"]
    assert world.record()["status"] == "ROLLED_BACK"


def test_repeated_gate_reports_stay_within_the_payload_limit(world: World) -> None:
    gate = Gate(world, "a.0002", patience=600)

    def write() -> None:
        for number in range(100):
            names = [f"{number}-{name}-{'x' * 180}" for name in range(20)]
            ahead = {"class": "breaking", "names": names}
            writes(world, gate, {**told_plan("a.0002"), "ahead": ahead})

    world.functions.before("check_deployment", write)

    assert world.release().status == "SUCCEEDED"
    assert gate.states == ["pending", "granted"]
