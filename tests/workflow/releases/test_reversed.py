"""A release whose migrations succeed and break the old version, and whose app never starts."""

import json
from datetime import timedelta
from typing import Any

import pytest

from lightgate.aws.dynamodb_locks import Locks
from lightgate.release.lock_rules import abandon_lock
from tests.workflow.release_machine import Ended
from tests.workflow.reporting_gates import Gate, line_of, permit_of, released, told_plan
from tests.workflow.world import APP, Json, World, spec

COMMAND = "lightgate-command"
CALL = ["python", "manage.py", "migrate", "crops", "0001_initial", "--noinput"]
BEFORE, AFTER = {"crops": "aaaaaa"}, {"crops": "bbbbbb"}
NAME = "crops.0002_size"
REVERSES = {"rollback": {"reverse": True}}


def forward(*operations: list[Any], **changes: Any) -> Json:
    """The plan of the release, which breaks the old version and loses nothing when reversed."""
    told = operations or (["breaking", "AddField", "crop.size"],)
    plan = {
        **told_plan(NAME, effect="breaking"),
        "migrations": [{"name": NAME, "operations": list(told)}],
        "classes": {one[0]: 1 for one in told},
        "found": BEFORE,
        "takeBack": [CALL],
    }
    return {**plan, **changes}


def backward(*names: str, **changes: Any) -> Json:
    """The plan of the command that reverses it."""
    undone = [["breaking", "AddField", "crop.size"]]
    names = names or (NAME,)
    return {
        **told_plan(*names, hash_="dc43ba21", effect="breaking"),
        "migrations": [{"name": one, "operations": undone, "reversed": True} for one in names],
        "found": AFTER,
        **changes,
    }


class Old(Gate):
    """The gate of the reversal; the old version's own gate opens behind it."""

    def _succeed(self) -> None:
        event = {"event": "succeeded", "seconds": 1.0}
        line = line_of(self.release, self._world.clock.now(), event)
        self._world.lightsail.logs.restore(
            APP, "migrate", json.dumps(line), self._world.clock.now()
        )
        super()._succeed()


@pytest.fixture
def opted_in(good: World) -> World:
    good.put_spec(spec(**REVERSES))
    return good


def fail(world: World, plan: Json | None = None) -> Ended:
    """The second release: its migrations succeed, and its app does not start."""
    Gate(world, plan=plan or forward(), ends="FAILED", result={"left": AFTER, "migrations": [NAME]})
    return world.release()


def reverses(world: World, plan: Json | None = None, **changes: Any) -> Old:
    """The reversal, once the release has made its own deployment."""
    given = {"container": COMMAND, "result": {"left": BEFORE}, **changes}
    return Old(world, plan=plan or backward(), **given)


def test_the_migrations_are_reversed_and_the_old_version_is_live_again(opted_in: World) -> None:
    gate = reverses(opted_in)

    ended = fail(opted_in)

    content = opted_in.message().content
    assert ended.error == "ROLLED_BACK", content["reasons"]
    assert opted_in.lightsail.deployments(APP) == {
        1: "INACTIVE",
        2: "INACTIVE",
        3: "FAILED",
        4: "ACTIVE",
    }
    assert gate.states == ["pending", "granted"]
    assert content["reversed"] == [NAME]
    assert content["takeBack"] == []
    assert f"Lightgate reversed {NAME}." in content["text"]
    assert f"1 migration applied and reversed: {NAME}" in content["text"]
    assert "Version 2 is live again as version 4." in content["text"]
    permit = permit_of(gate.release, COMMAND) or {}
    assert permit["state"] == "void"


@pytest.mark.representatives(1)
@pytest.mark.parametrize("step", ["every step", "roll_back"])
def test_a_step_that_runs_twice_reverses_once(opted_in: World, step: str) -> None:
    gate = reverses(opted_in)
    if step == "every step":
        opted_in.functions.twice = True
    else:
        opted_in.functions.fail("roll_back", *["after", "before"] * 4)

    ended = fail(opted_in)

    assert ended.error == "ROLLED_BACK"
    assert max(opted_in.lightsail.deployments(APP)) == 4
    assert gate.states == ["pending", "granted"]


def test_a_step_whose_answer_is_lost_finds_its_deployment_again(opted_in: World) -> None:
    gate = reverses(opted_in)
    opted_in.functions.fail("roll_back", "after")

    assert fail(opted_in).error == "ROLLED_BACK"
    assert max(opted_in.lightsail.deployments(APP)) == 4
    assert gate.states == ["pending", "granted"]
    assert opted_in.message().content["reversed"] == [NAME]


def test_a_denied_read_of_a_secret_delays_the_reversal(opted_in: World) -> None:
    reverses(opted_in)
    read = "secretsmanager.GetSecretValue"
    refuse = opted_in.cloud.faults.refuse
    opted_in.functions.before("roll_back", lambda: refuse(read, "AccessDenied"))

    assert fail(opted_in).error == "ROLLED_BACK"
    assert opted_in.lightsail.serving(APP) == 4


def test_a_secret_that_stays_denied_reverses_nothing(opted_in: World) -> None:
    read = "secretsmanager.GetSecretValue"
    refuse = opted_in.cloud.faults.refuse
    opted_in.functions.before("roll_back", lambda: refuse(read, "AccessDenied", times=999))

    assert fail(opted_in).error == "FAILED"
    content = opted_in.message().content
    assert any("cannot be read: AccessDenied" in why for why in content["reasons"])
    assert content["reversed"] == []
    assert opted_in.lightsail.serving(APP) == 2


@pytest.mark.representatives(1)
@pytest.mark.parametrize(("takes", "error", "serving"), [(5, "ROLLED_BACK", 4), (90, "FAILED", 2)])
def test_a_busy_service_is_waited_for_but_not_for_ever(
    opted_in: World, takes: int, error: str, serving: int
) -> None:
    reverses(opted_in)
    opted_in.functions.before(
        "roll_back", lambda: opted_in.lightsail.update(APP, takes=timedelta(minutes=takes))
    )

    assert fail(opted_in).error == error
    assert opted_in.lightsail.serving(APP) == serving
    assert ("busy for too long" in opted_in.message().text) is (error == "FAILED")


def test_a_release_that_has_lost_the_lock_reverses_nothing(opted_in: World) -> None:
    def take_away() -> None:
        assert opted_in.lock.holder is not None
        execution = opted_in.lock.holder.execution
        Locks(opted_in.table).change(APP, lambda lock: (abandon_lock(lock, execution), None))

    opted_in.functions.before("roll_back", take_away)

    assert fail(opted_in).error == "FAILED"
    assert opted_in.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE", 3: "FAILED"}


WORKER = {
    "command": ["celery"],
    "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}],
}
FORBIDDEN: dict[str, tuple[Json, Json]] = {
    "rows": (forward(["breaking", "AddField", "a.b"], ["data", "RunPython", ""]), {}),
    "lost data": (forward(["breaking", "RemoveField", "crop.name"]), {}),
    "no reverse": (forward(takeBack="crops.0002_size: RunSQL cannot be reversed"), {}),
    "several calls": (forward(takeBack=[CALL, CALL]), {}),
    "not atomic": (forward(atomic=False), {}),
    "declared": (forward(declared=[[NAME, "restricted", "we know it"]]), {}),
    "worker": (forward(), {"containers": {"worker": WORKER}}),
    "command": (forward(), {"then": [["python", "manage.py", "loaddata", "rows.json"]]}),
    "not opted in": (forward(), {"rollback": None}),
}


@pytest.mark.representatives(1)
@pytest.mark.parametrize("case", FORBIDDEN)
def test_at_any_doubt_nothing_is_reversed(opted_in: World, case: str) -> None:
    plan, changes = FORBIDDEN[case]
    document = spec(**REVERSES)
    document["containers"].update(changes.get("containers", {}))
    if "then" in changes:
        document["containers"]["migrate"]["then"] = changes["then"]
    if "rollback" in changes:
        del document["rollback"]
    opted_in.put_spec(document)

    ended = fail(opted_in, plan)

    content = opted_in.message().content
    assert ended.error == "FAILED"
    assert opted_in.lightsail.deployments(APP) == {1: "INACTIVE", 2: "ACTIVE", 3: "FAILED"}
    assert content["reversed"] == []
    is_told = "Lightgate did not reverse the migrations automatically:" in content["text"]
    assert is_told is (case != "not opted in")


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "plan",
    [
        backward(NAME, "crops.0001_initial"),
        backward(migrations=[{"name": NAME, "operations": [["breaking", "AddField", "a.b"]]}]),
    ],
)
def test_another_plan_of_the_reversal_gets_no_permit(opted_in: World, plan: Json) -> None:
    gate = reverses(opted_in, plan)

    ended = fail(opted_in)

    content = opted_in.message().content
    assert ended.error == "FAILED"
    assert gate.states == ["pending", "void"]
    assert opted_in.lightsail.serving(APP) == 2
    assert "Nothing was reversed." in content["reasons"]


def test_a_record_that_differs_from_that_before_is_no_rollback(opted_in: World) -> None:
    reverses(opted_in, result={"left": {"crops": "cccccc"}})

    ended = fail(opted_in)

    assert ended.error == "FAILED"
    reasons = " ".join(opted_in.message().content["reasons"])
    assert "did not report that the schema is as it was before the release" in reasons


def test_an_old_version_that_is_unhealthy_after_the_reversal_is_no_rollback(
    opted_in: World,
) -> None:
    opted_in.site.bad = {4: "Internal Server Error"}
    reverses(opted_in)

    ended = fail(opted_in)

    assert ended.error == "FAILED"
    reasons = " ".join(opted_in.message().content["reasons"])
    assert "The migrations are reversed, and the schema is as it was before" in reasons


def test_the_next_releases_start_from_the_old_version(opted_in: World) -> None:
    reverses(opted_in)
    assert fail(opted_in).error == "ROLLED_BACK"
    opted_in.messages()

    again = opted_in.release(rollbackTo=4)
    assert again.error == "REFUSED"
    opted_in.messages()
    opted_in.site.bad = {5: "Internal Server Error"}
    ended = opted_in.release(course=released({**told_plan(), "found": BEFORE}))

    content = opted_in.message().content
    assert ended.error == "ROLLED_BACK", content["reasons"]
    assert content["judgement"]["verdict"] == "NONE"
    # The containers of version 4 wait for the reversal, so those of version 2 are deployed.
    assert "Version 2 is live again as version 6." in content["text"]
    assert COMMAND not in opted_in.lightsail.deployment(APP, 6).containers
