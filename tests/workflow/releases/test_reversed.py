"""A release whose migrations succeed and break the old version, and whose app never starts."""

import json
from typing import Any

import pytest

from tests.workflow.release_machine import Ended
from tests.workflow.reporting_gates import Gate, line_of, permit_of, told_plan
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
