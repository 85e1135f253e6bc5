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


def deny(patch: pytest.MonkeyPatch, when: Callable[[], bool], *calls: str) -> None:
    """Let S3 refuse these calls of the controller while it is so."""
    for call in calls:
        patch.setattr(GateChannels, call, _denied(getattr(GateChannels, call), when))


def _denied(real: Callable[..., object], when: Callable[[], bool]) -> Callable[..., object]:
    def denied(*args: object, **more: str) -> object:
        if when():
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")
        return real(*args, **more)

    return denied


def deny_log(patch: pytest.MonkeyPatch, when: Callable[[], bool]) -> None:
    real = Lightsail.gate_lines

    def denied(self: Lightsail, *args: object) -> list[str]:
        if when():
            raise UnreachableError("GetContainerLog answers ServiceException")
        return real(self, *args)  # type: ignore[arg-type]

    patch.setattr(Lightsail, "gate_lines", denied)


def begin_by_of(gate: Gate) -> datetime:
    """By when the gate had to begin, as its permit says."""
    return datetime.fromtimestamp(gate.permits[-1]["until"], UTC)


@PLANS
def test_a_release_that_needs_no_more_permits_ends_well_without_its_gate_channel(
    world: World, monkeypatch: pytest.MonkeyPatch, plan: tuple[str, ...]
) -> None:
    gate = Gate(world, *plan, via="log", takes=60)
    deny(
        monkeypatch,
        lambda: (gate.began_at if plan else gate.ready_at) is not None,
        "_object",
        "_write",
    )

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    content = world.message().content
    assert content["status"] == "SUCCEEDED"
    assert "The mailbox of migrate could not be read: S3 answers AccessDenied." in str(content)
    assert world.lock.holder is None


def test_an_unvoidable_permit_is_waited_for_until_it_expires(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(world, "a.0002", takes=20)
    deny(monkeypatch, lambda: gate.began_at is not None, "_write")

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert "WaitForPermit" in ended.states
    assert world.clock.now() >= begin_by_of(gate)
    assert world.lock.holder is None


def test_a_gate_channel_that_answers_again_is_voided_and_waited_for_no_longer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(world, "a.0002", takes=20)
    ends = timedelta(seconds=400) + world.clock.now()
    granted: list[datetime] = []
    world.clock.watch(lambda: granted.append(begin_by_of(gate)) if gate.began_at else None)
    deny(monkeypatch, lambda: gate.began_at is not None and world.clock.now() < ends, "_write")

    ended = world.release()

    assert ended.status == "SUCCEEDED"
    assert (permit_of(gate.release) or {})["state"] == "void"
    assert world.clock.now() < granted[0]


@pytest.mark.parametrize("calls", [("_object", "_write"), ("_write",)], ids=str)
def test_nothing_is_permitted_by_who_cannot_read_and_write_permits(
    world: World, monkeypatch: pytest.MonkeyPatch, calls: tuple[str, ...]
) -> None:
    gate = Gate(world, "a.0002", via="log", patience=300)
    deny(monkeypatch, lambda: gate.ready_at is not None, *calls)

    ended = world.release()

    assert ended.error in ("FAILED", "ROLLED_BACK")
    assert gate.began_at is None
    assert gate.states == ["pending"]
    assert world.lightsail.serving(APP) == 1
    assert world.lock.holder is None


def test_a_permit_is_given_once_the_gate_channel_answers_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(world, "a.0002")
    ends = timedelta(seconds=240) + world.clock.now()
    deny(monkeypatch, lambda: gate.ready_at is not None and world.clock.now() < ends, "_object")

    assert world.release().status == "SUCCEEDED"
    assert gate.states == ["pending", "granted"]


def test_without_a_deployment_nothing_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deny(monkeypatch, lambda: True, "_object", "_write")

    ended = world.release()

    assert ended.error == "FAILED"
    assert world.waited() < timedelta(minutes=8)
    assert world.lock.holder is None


@PLANS
def test_a_release_whose_log_cannot_be_read_goes_by_the_gate_channel(
    world: World, monkeypatch: pytest.MonkeyPatch, plan: tuple[str, ...]
) -> None:
    gate = Gate(world, *plan)
    deny_log(monkeypatch, lambda: gate.ready_at is not None)

    assert world.release().status == "SUCCEEDED"
    assert "The log of migrate could not be read" in world.message().text


def test_a_gate_that_cannot_be_read_makes_no_success(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(world)
    deny_log(monkeypatch, lambda: gate.ready_at is not None)
    deny(monkeypatch, lambda: gate.ready_at is not None, "_object", "_write")

    ended = world.release()

    assert ended.error == "FAILED"
    assert world.lock.holder is None


def test_a_reported_failure_stays_when_the_gate_channel_becomes_unreadable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.workflow.reporting_gates._ENDS_AFTER", timedelta(seconds=300))
    gate = Gate(world, "a.0002", takes=20)
    monkeypatch.setattr(gate, "_succeed", lambda: gate._fail("of the gate itself"))
    ends = timedelta(seconds=250) + world.clock.now()
    deny(monkeypatch, lambda: world.clock.now() > ends, "_object", "_write")

    assert world.release().error == "FAILED"
    assert "of the gate itself" in world.message().text


# Whoever takes over.


def stopped_with_a_permit(world: World, patch: pytest.MonkeyPatch) -> tuple[Stepper, Walk, Gate]:
    """A release that was stopped while it migrates, and whose permit cannot be voided."""
    gate, stepper = Gate(world, "a.0002", takes=1000), Stepper(world, patch)
    walk = stepper.start({"app": APP}, "one")
    while gate.began_at is None:
        walk.step()
    deny(patch, lambda: True, "_object", "_write")
    walk.stop()
    return stepper, walk, gate


def test_the_lock_is_not_free_while_a_permit_cannot_be_voided(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepper, walk, gate = stopped_with_a_permit(world, monkeypatch)

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
