"""What follows from a spec: tags that are watched, gates, and whom they hold back."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.spec.keys import AppSpec, DependencyCondition, matches
from tests.support.builders import Json, app_spec, migrate, parse, wait_for, web
from tests.support.strategies import valid_specs


@pytest.mark.parametrize(
    ("tag", "pattern", "expected"),
    [
        ("latest", "latest", True),
        ("latest", "late", False),
        ("v1.2", "v*", True),
        ("v", "v*", True),
        ("rev1", "v*", False),
        ("anything", "*", True),
        ("a-b", "a*b", True),
        ("ab", "a*b", True),
        ("a", "a*a", False),
        ("v1.2-rc", "v*.*-rc", True),
        ("v1-rc", "v*.*-rc", False),
        ("V1", "v*", False),
    ],
)
def test_a_star_stands_for_any_characters(tag: str, pattern: str, expected: bool) -> None:
    assert expected == matches(tag, pattern)


@given(st.text("ab.", max_size=8), st.text("ab.*", max_size=6))
def test_a_pattern_agrees_with_fnmatch(tag: str, pattern: str) -> None:
    assert fnmatchcase(tag, pattern) == matches(tag, pattern)


def test_an_app_watches_its_own_repository_and_tags_only() -> None:
    spec = app_spec(repository="team/crops", tags=["latest", "v*"])

    assert spec.watches("team/crops", "v7")
    assert not spec.watches("team/crops", "dev")
    assert not spec.watches("team/crops-v7", "v7")


@pytest.mark.parametrize(
    ("tags", "expected"), [(["v*", "stable", "latest"], "stable"), (["v*", "*"], None)]
)
def test_the_usual_tag_is_the_first_that_is_no_pattern(
    tags: list[str], expected: str | None
) -> None:
    assert expected == app_spec(tags=tags).default_tag()


def test_only_success_and_health_make_a_gate() -> None:
    spec = app_spec(
        publicEndpoint=None,
        unprotected=True,
        containers={
            "ends": migrate(),
            "serves": migrate(healthCheck={"command": ["true"]}),
            "runs": migrate(),
            "starts": migrate(command=["redis-server"]),
            "web": web(
                dependsOn=[
                    wait_for("ends", "SUCCESS"),
                    wait_for("serves", "HEALTHY"),
                    wait_for("runs", "COMPLETE"),
                    wait_for("starts", "START"),
                ]
            ),
        },
    )

    assert spec.gates() == ("ends", "serves")
    assert spec.gates_before("web") == {"ends", "serves"}
    assert spec.conditions_on("runs") == {DependencyCondition.COMPLETE}
    assert spec.conditions_on("web") == frozenset()


def started_when(failing: str, spec: AppSpec) -> set[str]:
    """Start every container that may start, where one starts, ends, and has failed."""
    facts: dict[str, set[DependencyCondition]] = {}
    while True:
        ready = {
            name
            for name, container in spec.containers.items()
            if all(d.condition in facts.get(d.container, ()) for d in container.depends_on)
        }
        if ready == facts.keys():
            return ready
        for name in ready:
            weak = {DependencyCondition.START, DependencyCondition.COMPLETE}
            facts[name] = weak if name == failing else set(DependencyCondition)


@given(valid_specs())
def test_the_gates_before_a_container_are_those_whose_failure_keeps_it_from_starting(
    document: Json,
) -> None:
    spec = parse(document)

    for name in spec.containers:
        expected = {
            gate for gate in spec.gates() if gate != name and name not in started_when(gate, spec)
        }
        assert expected == spec.gates_before(name)


@given(valid_specs(is_public=True))
def test_the_public_container_never_starts_if_any_gate_before_it_fails(document: Json) -> None:
    spec = parse(document)

    public = document["publicEndpoint"]["containerName"]
    for gate in set(spec.gates()) - {public}:
        assert public not in started_when(gate, spec)
