"""Independent mistakes are reported at once, and a mistake never makes up another one."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.spec.parser import parse_spec
from tests.support.builders import Json, migrate, reasons_of, spec_document, wait_for, web
from tests.support.strategies import valid_specs

VALID = spec_document(
    database={"instance": "crops-db"},
    environment={"DEBUG": "1"},
    secrets={"KEY": "ssm:/key"},
    migrations={},
    verification={"path": "/status"},
    containers={
        "migrate": migrate(healthCheck={"command": ["true"]}),
        "cache": {"image": f"redis@sha256:{'7' * 64}", "ports": {"6379": "TCP"}},
        "side": {"command": ["side"], "ports": {"7000": "HTTP"}},
        "worker": {
            "command": ["celery"],
            "healthCheck": {"command": ["true"]},
            "dependsOn": [wait_for("migrate")],
        },
        "web": web(),
    },
)
MISTAKES: dict[str, dict[str, object]] = {
    "an unknown key": {"dryRun": 5},
    "a wrong stage": {"stage": "prod"},
    "no tags": {"tags": []},
    "a tag of Lightgate": {"tags": ["lightgate-1"]},
    "a number out of range": {"database.keepSnapshots": 0},
    "two databases": {"database.cluster": "crops"},
    "a wrong name of a variable": {"environment.A B": "x"},
    "a variable twice": {"secrets.DEBUG": "ssm:/debug"},
    "a wrong reference": {"secrets.KEY": "hunter2"},
    "a wrong policy": {"migrations.policy": "maybe"},
    "a wrong path": {"publicEndpoint.healthCheck": {"path": "x"}},
    "a wrong watch period": {"verification.watchSeconds": -1},
    "a wrong poll interval": {"pollSeconds": 0},
    "an unknown key of a container": {"containers.side.links": ["web"]},
    "a wrong time limit of a container": {"containers.migrate.timeoutSeconds": 0},
    "a time limit that the platform cuts off": {"containers.migrate.timeoutSeconds": 4000},
    "a wrong health check": {"containers.worker.healthCheck.retries": 11},
    "a wrong command": {"containers.worker.command": "celery worker"},
    "a wrong port": {"containers.web.ports.x": "HTTP"},
    "a port of two containers": {"containers.side.ports.8000": "HTTP"},
    "a wrong image": {"containers.cache.image": 7},
    "an image without a digest": {"containers.cache.image": "redis:7"},
    "an image of another service": {"containers.cache.image": ":other.web.latest"},
    "another image for a container that serves": {
        "containers.web.image": f"nginx@sha256:{'7' * 64}",
        "containers.web.python": "python3",
    },
    "a Python without a gate": {"containers.side.python": "python3"},
    "a key that belongs to a task": {"containers.side.afterFailure": "exit"},
    "fixtures where nobody waits": {"containers.side.fixtures": ["a.json"]},
    "a wrong condition": {"containers.worker.dependsOn.0.condition": "DONE"},
    "a dependency without a condition": {
        "containers.worker.dependsOn.1": {"containerName": "side"}
    },
    "a dependency on itself": {"containers.worker.dependsOn.1": wait_for("worker", "START")},
    "an unknown dependency": {"containers.worker.dependsOn.1": wait_for("celery", "START")},
    "a health check that is missing": {"containers.web.dependsOn.1": wait_for("side", "HEALTHY")},
    "a circle": {
        "containers.migrate.dependsOn": [wait_for("worker", "START")],
    },
    "an unknown endpoint": {"publicEndpoint.containerName": "wob"},
    "an endpoint that does not wait": {"containers.web.dependsOn": []},
    "an endpoint that is unprotected": {"unprotected": True},
    "a migration that nobody waits for": {"containers.side.command": ["./manage.py", "migrate"]},
    "a spec without an endpoint": {"publicEndpoint": None},
}
# With the first mistake, Lightgate cannot tell or need not tell whether the others are mistakes.
DEPENDENT = {
    "a wrong poll interval": {"a time limit that the platform cuts off"},
    "a wrong condition": {"an endpoint that does not wait"},
    "a dependency without a condition": {
        "a time limit that the platform cuts off",
        "a key that belongs to a task",
        "fixtures where nobody waits",
        "a Python without a gate",
        "a migration that nobody waits for",
    },
    "an unknown dependency": {
        "a time limit that the platform cuts off",
        "a key that belongs to a task",
        "fixtures where nobody waits",
        "a Python without a gate",
        "a migration that nobody waits for",
    },
    "a health check that is missing": {
        "a Python without a gate",
        "a migration that nobody waits for",
    },
    "an unknown endpoint": {
        "another image for a container that serves",
        "an endpoint that does not wait",
        "a migration that nobody waits for",
    },
    "an endpoint that does not wait": {"another image for a container that serves"},
    "an endpoint that is unprotected": {"a time limit that the platform cuts off"},
    "a spec without an endpoint": {
        "another image for a container that serves",
        "an endpoint that does not wait",
        "an endpoint that is unprotected",
        "a migration that nobody waits for",
    },
}


def spec_with(*mistakes: str) -> Json:
    document: Any = deepcopy(VALID)
    for mistake in mistakes:
        for path, value in MISTAKES[mistake].items():
            *steps, last = path.split(".")
            owner = document
            for step in steps:
                owner = owner[int(step)] if isinstance(owner, list) else owner.setdefault(step, {})
            if isinstance(owner, list):
                owner[int(last) :] = [value]
            elif value is None:
                del owner[last]
            else:
                owner[last] = value
    return dict(document)


def reasons(*mistakes: str) -> set[str]:
    return set(reasons_of(lambda: parse_spec(json.dumps(spec_with(*mistakes)))))


def are_dependent(one: str, other: str) -> bool:
    return other in DEPENDENT.get(one, ()) or one in DEPENDENT.get(other, ())


def overlap(one: str, other: str) -> bool:
    """Whether the two change the same place of the spec."""
    return any(
        f"{a}.".startswith(f"{b}.") or f"{b}.".startswith(f"{a}.")
        for a in MISTAKES[one]
        for b in MISTAKES[other]
    )


def test_the_spec_of_this_test_is_valid_without_a_mistake() -> None:
    assert not reasons()
    assert all(reasons(mistake) for mistake in MISTAKES)


@pytest.mark.representatives(10)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_two_independent_mistakes_are_reported_at_once(mistake: str) -> None:
    own = reasons(mistake)
    others = [other for other in MISTAKES if not overlap(mistake, other)]
    assert len(others) > len(MISTAKES) / 2

    for other in others:
        is_complete = reasons(mistake, other) == own | reasons(other)
        assert is_complete != are_dependent(mistake, other), other


# No key takes it.
UNREADABLE = 7.5


def places_in(value: object, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each place below the value: its path as messages have it, its owner, and its key there."""
    steps = (
        [(f"{path}.{key}".lstrip("."), key) for key in value]
        if isinstance(value, dict)
        else [(f"{path}[{index}]", index) for index in range(len(value))]
        if isinstance(value, list)
        else []
    )
    for below, key in steps:
        yield below, value, key
        yield from places_in(value[key], below)


def assert_nothing_else_is_wrong(document: Json, *places: str) -> None:
    """Every problem is at one of the places, or at a name below it."""
    found = reasons_of(lambda: parse_spec(json.dumps(document)))
    assert found
    allowed = tuple(f"{place}{end}" for place in places for end in (": ", "."))
    assert all(reason.startswith(allowed) for reason in found), found


@given(valid_specs(), st.data())
def test_a_value_that_cannot_be_read_is_the_only_problem(
    document: Json, data: st.DataObject
) -> None:
    path, owner, key = data.draw(st.sampled_from(list(places_in(document))))
    owner[key] = UNREADABLE

    assert_nothing_else_is_wrong(document, path)


def test_each_value_that_cannot_be_read_is_the_only_problem() -> None:
    for path, owner, key in list(places_in(VALID)):
        original, owner[key] = owner[key], UNREADABLE
        assert_nothing_else_is_wrong(VALID, path)
        owner[key] = original


@given(valid_specs(), st.data())
def test_a_misspelt_key_is_the_only_problem(document: Json, data: st.DataObject) -> None:
    of_the_user = re.compile(r"(?:^|\.)(?:containers|environment|secrets|ports|headers)\.[^.\[]+$")
    keys = [
        place
        for place in places_in(document)
        if isinstance(place[2], str) and not of_the_user.search(place[0])
    ]
    path, owner, key = data.draw(st.sampled_from(keys))
    owner[f"{key}x"] = owner.pop(key)

    assert_nothing_else_is_wrong(document, path, f"{path}x")
