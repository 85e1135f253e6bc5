"""Releases whose mailbox or log does not answer: what is not known is neither yes nor no."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from lightgate.aws.lightsail import Lightsail
from lightgate.aws.s3_gate_channel import GateChannels
from lightgate.errors import UnreachableError
from tests.workflow.reporting_gates import Gate, permit_of
from tests.workflow.stepper import Stepper, Walk
from tests.workflow.world import APP, World

PLANS = pytest.mark.parametrize("plan", [(), ("a.0002",)], ids=["nothing pending", "pending"])


type Deny = Callable[..., None]


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> Deny:
    """Let S3 refuse these calls of the controller while it is so."""

    def deny(when: Callable[[], bool], *calls: str) -> None:
        error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")
        for call in calls:
            _raise(monkeypatch, GateChannels, call, error, when)

    return deny


@pytest.fixture
def deny_log(monkeypatch: pytest.MonkeyPatch) -> Deny:
    error = UnreachableError("GetContainerLog answers ServiceException")
    return lambda when: _raise(monkeypatch, Lightsail, "gate_lines", error, when)


def _raise(
    patch: pytest.MonkeyPatch, of: type, call: str, error: Exception, when: Callable[[], bool]
) -> None:
    real = getattr(of, call)

    def denied(*args: object, **more: str) -> object:
        if when():
            raise error
        return real(*args, **more)

    patch.setattr(of, call, denied)


def begin_by_of(gate: Gate) -> datetime:
    """By when the gate had to begin, as its permit says."""
    return datetime.fromtimestamp(gate.permits[-1]["until"], UTC)


@pytest.mark.representatives(1)
@PLANS
def test_a_release_that_needs_no_more_permits_ends_well_without_its_gate_channel(
    world: World, deny: Deny, plan: tuple[str, ...]
) -> None:
    gate = Gate(world, *plan, via="log", takes=60)
    deny(lambda: (gate.began_at if plan else gate.ready_at) is not None, "_object", "_write")

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    content = world.message().content
    assert content["status"] == "SUCCEEDED"
    assert "The mailbox of migrate could not be read: S3 answers AccessDenied." in str(content)
    assert world.lock.holder is None


def test_an_unvoidable_permit_is_waited_for_until_it_expires(world: World, deny: Deny) -> None:
    gate = Gate(world, "a.0002", takes=20)
    deny(lambda: gate.began_at is not None, "_write")

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert "WaitForPermit" in ended.states
    assert world.clock.now() >= begin_by_of(gate)
    assert world.lock.holder is None


def test_a_gate_channel_that_answers_again_is_voided_and_waited_for_no_longer(
    world: World, deny: Deny
) -> None:
    gate = Gate(world, "a.0002", takes=20)
    ends = timedelta(seconds=400) + world.clock.now()
    granted: list[datetime] = []
    world.clock.watch(lambda: granted.append(begin_by_of(gate)) if gate.began_at else None)
    deny(lambda: gate.began_at is not None and world.clock.now() < ends, "_write")

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert (permit_of(gate.release) or {})["state"] == "void"
    assert world.clock.now() < granted[0]


@pytest.mark.representatives(1)
@pytest.mark.parametrize("calls", [("_object", "_write"), ("_write",)], ids=str)
def test_nothing_is_permitted_by_who_cannot_read_and_write_permits(
    world: World, deny: Deny, calls: tuple[str, ...]
) -> None:
    gate = Gate(world, "a.0002", via="log", patience=300)
    deny(lambda: gate.ready_at is not None, *calls)

    ended = world.release()

    assert ended.error in ("FAILED", "ROLLED_BACK")
    assert gate.began_at is None
    assert gate.states == ["pending"]
    assert world.lightsail.serving(APP) == 1
    assert world.lock.holder is None


def test_a_permit_is_given_once_the_gate_channel_answers_again(world: World, deny: Deny) -> None:
    gate = Gate(world, "a.0002")
    ends = timedelta(seconds=240) + world.clock.now()
    deny(lambda: gate.ready_at is not None and world.clock.now() < ends, "_object")

    assert world.release().status == "SUCCEEDED"
    assert gate.states == ["pending", "granted"]


@pytest.mark.slow
def test_without_a_deployment_nothing_is_waited_for(world: World, deny: Deny) -> None:
    deny(lambda: True, "_object", "_write")

    ended = world.release()

    assert ended.error == "FAILED"
    assert world.waited() < timedelta(minutes=8)
    assert world.lock.holder is None


@pytest.mark.representatives(1)
@PLANS
def test_a_release_whose_log_cannot_be_read_goes_by_the_gate_channel(
    world: World, deny_log: Deny, plan: tuple[str, ...]
) -> None:
    gate = Gate(world, *plan)
    deny_log(lambda: gate.ready_at is not None)

    assert world.release().status == "SUCCEEDED"
    assert "The log of migrate could not be read" in world.message().text


def test_a_gate_that_cannot_be_read_makes_no_success(
    world: World, deny: Deny, deny_log: Deny
) -> None:
    gate = Gate(world)
    deny_log(lambda: gate.ready_at is not None)
    deny(lambda: gate.ready_at is not None, "_object", "_write")

    ended = world.release()

    assert ended.error == "FAILED"
    assert world.lock.holder is None


def test_a_reported_failure_stays_when_the_gate_channel_becomes_unreadable(
    world: World, monkeypatch: pytest.MonkeyPatch, deny: Deny
) -> None:
    monkeypatch.setattr("tests.workflow.reporting_gates.ENDS_AFTER", timedelta(seconds=300))
    gate = Gate(world, "a.0002", takes=20)
    monkeypatch.setattr(gate, "_succeed", lambda: gate._fail("of the gate itself"))
    ends = timedelta(seconds=250) + world.clock.now()
    deny(lambda: world.clock.now() > ends, "_object", "_write")

    assert world.release().error == "FAILED"
    assert "of the gate itself" in world.message().text


# Whoever takes over.


def stopped_with_a_permit(world: World, stepper: Stepper, deny: Deny) -> tuple[Walk, Gate]:
    """A release that was stopped while it migrates, and whose permit cannot be voided."""
    gate = Gate(world, "a.0002", takes=1000)
    walk = stepper.start({"app": APP}, "one")
    while gate.began_at is None:
        walk.step()
    deny(lambda: True, "_object", "_write")
    walk.stop()
    return walk, gate


def test_the_lock_is_not_free_while_a_permit_cannot_be_voided(
    world: World, stepper: Stepper, deny: Deny
) -> None:
    walk, gate = stopped_with_a_permit(world, stepper, deny)

    with pytest.raises(Exception, match="cannot be voided"):
        stepper.clean_up(walk)
    second = stepper.start({"app": APP}, "two").run()

    assert second.passed[-1] == "NothingToDo"
    assert world.lock.holder is not None
    assert world.messages() == []

    world.clock.sleep(900)
    stepper.clean_up(walk)

    assert world.clock.now() >= begin_by_of(gate)
    assert world.message().content["status"] == "FAILED"
    assert world.lock.holder is None
