"""The segments that X-Ray gets of a release."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.unit.stack.transformed import transformed
from tests.workflow.queue.missed import look
from tests.workflow.tracing import Traces, tracing
from tests.workflow.world import APP, World, spec, succeeded

type Segment = Mapping[str, Any]


@pytest.fixture
def traces(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Traces]:
    assert world.functions
    with tracing(monkeypatch) as found:
        yield found


def of_functions(traces: Traces) -> list[Segment]:
    return [one for one in traces.sent if one["name"].startswith("## ")]


def test_each_segment_is_named_after_its_function_and_names_app_and_release(
    world: World, traces: Traces
) -> None:
    world.release(course=succeeded("crops.0002"))

    segments = of_functions(traces)
    release = world.record()["release"]
    called = {f"## {name}" for name in world.functions.invoked}
    assert {one["name"] for one in segments} == called
    assert {"## admit", "## deploy", "## check_deployment", "## prune_snapshots"} <= called
    for one in segments:
        told = one["annotations"]
        assert (told["app"], told["release"]) == (APP, release), one["name"]


def test_a_refused_release_is_found_by_its_app(world: World, traces: Traces) -> None:
    world.put_spec(spec(tags=7))

    world.release()

    told = [one["annotations"] for one in of_functions(traces)]
    assert {one["app"] for one in told} == {APP}


def test_a_function_that_is_of_no_release_names_none(world: World, traces: Traces) -> None:
    look(world)

    [segment] = of_functions(traces)
    assert segment["name"] == "## reconcile"
    assert not {"app", "release"} & segment["annotations"].keys()


def test_the_state_machine_and_every_function_are_traced() -> None:
    made = transformed()
    functions = [one for one in made.values() if one["Type"] == "AWS::Lambda::Function"]

    machine = made["ReleaseStateMachine"]["Properties"]
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert {one["Properties"]["TracingConfig"]["Mode"] for one in functions} == {"Active"}
