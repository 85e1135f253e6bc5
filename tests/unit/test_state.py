"""What travels through the state machine, held against the paths of its definition."""

import enum
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from lightgate.codec import DecodeError, encode
from lightgate.names import rollback_marker
from lightgate.outcome.outcome import Outcome
from lightgate.records.recorded_outcome import EndStatus
from lightgate.state import Facts, RollbackProgress, RollbackStatus, State, Stop, StopStatus, Usage
from lightgate.verification.health import WatchProgress, WatchStatus
from lightgate.verification.verified import Verified
from tests.support.builders import (
    IMAGE,
    RELEASE,
    STARTED,
    admission,
    bare_state,
    evidence,
    progress,
)

ROOT = Path(__file__).parents[2]
STATES = json.loads((ROOT / "statemachine/release.asl.json").read_text())["States"]
PATH = re.compile(r"\$\.[\w.]+")


def strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of the definition under the key that it has."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from strings(member, name)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member, key)
    elif isinstance(value, str):
        yield key, value


def read_paths() -> list[str]:
    found = {
        path
        for key, value in strings(STATES)
        if key.endswith((".$", "Path")) or key == "Variable"
        for path in PATH.findall(value.replace("$$", ""))
    }
    return sorted(found)


def kinds_at(path: str) -> set[object]:
    """The types of what can stand at the path; none if nothing can."""
    kinds: set[object] = {State}
    for key in path.split(".")[1:]:
        kinds = {member for kind in kinds for member in _members(kind, key)}
    return kinds


def _members(kind: object, key: str) -> Iterator[object]:
    if kind is Any:
        yield Any
    elif isinstance(kind, type) and is_dataclass(kind):
        for name, hint in get_type_hints(kind).items():
            if encoded(name) == key:
                yield from (one for one in _options(hint) if one is not NoneType)


def _options(hint: Any) -> Sequence[Any]:
    """The kinds of a union, the words of a literal, and otherwise the kind itself."""
    parts = [hint] if get_origin(hint) not in (Union, UnionType, Literal) else get_args(hint)
    return [one for part in parts for one in (_options(part) if part is not hint else [part])]


def encoded(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


@pytest.mark.parametrize("path", read_paths())
def test_every_path_of_the_state_machine_exists_in_an_answer(path: str) -> None:
    assert kinds_at(path)


def compared_words(value: Any) -> Iterator[tuple[str, str]]:
    """Each path that a Choice compares with a word, and that word."""
    if isinstance(value, dict):
        if value.get("StringEquals"):
            yield value["Variable"], value["StringEquals"]
        for member in value.values():
            yield from compared_words(member)
    elif isinstance(value, list):
        for member in value:
            yield from compared_words(member)


@pytest.mark.parametrize(("path", "word"), sorted(set(compared_words(STATES))))
def test_every_word_that_the_state_machine_compares_is_one_of_its_field(
    path: str, word: str
) -> None:
    kinds = kinds_at(path)
    enums = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, enum.Enum)]
    words = [one for kind in enums for one in kind] + [
        kind for kind in kinds if isinstance(kind, str)
    ]

    assert word in words


STOPPABLE = [name for name, hint in get_type_hints(State).items() if Stop in get_args(hint)]


@pytest.mark.parametrize("name", STOPPABLE)
def test_a_stop_is_found_in_each_field_that_may_have_one(name: str) -> None:
    stop = Stop(status=StopStatus.REFUSED, reasons=("No quota is left.",))

    assert replace(bare_state(), **{name: stop}).stop == stop


def test_every_field_of_the_state_is_written_by_the_state_machine() -> None:
    written = {value for key, value in strings(STATES) if key == "ResultPath"}
    begun = {f"$.{name.removesuffix('.$')}" for name in STATES["Begin"]["Parameters"]}

    # The usage comes from the answers.
    read = {f"$.{encoded(field.name)}" for field in fields(State)} - {"$.usage"}
    assert written | begun == read


def test_the_usage_of_each_step_stands_beside_its_answer() -> None:
    answers = document()
    answers["deployment"] = {**answers["deployment"], "usage": {"calls": 3, "milliseconds": 900}}

    found = State.read(answers)

    assert found.usage == {"deployment": Usage(calls=3, milliseconds=900)}
    assert replace(found, usage={}) == state()
    assert State.read_at_the_end(answers) == found


@pytest.mark.parametrize(
    "path", [state["SecondsPath"] for state in STATES.values() if state["Type"] == "Wait"]
)
def test_a_wait_reads_whole_seconds(path: str) -> None:
    # Any other number ends the execution with States.Runtime, which no Catch sees.
    assert kinds_at(path) == {int}


def test_each_step_gets_the_whole_state() -> None:
    tasks = [s for s in STATES.values() if s["Type"] == "Task" and "Function" in s["Resource"]]

    assert [task["Parameters"] for task in tasks] == [{"state.$": "$"}] * len(tasks)


def state() -> State:
    """An execution that has come to its rollback."""
    watch = WatchProgress(began_at=STARTED, total=3, bad=3)
    return bare_state(
        admission=admission(IMAGE, warnings=("A warning.",)),
        deployment=progress(gate=replace(evidence(), migrations=(), last_lines=())),
        verification=Verified(
            status=WatchStatus.FAILED, version=8, watch=watch, needs_rollback=True
        ),
        rollback=RollbackProgress(
            status=RollbackStatus.BUSY,
            begun_at=STARTED,
            poll_seconds=10,
            release=rollback_marker(RELEASE),
        ),
    )


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(encode(state())))
    return found


def test_a_state_reads_as_it_was_written() -> None:
    assert State.read(document()) == state()


def test_a_stop_is_distinguished_from_progress() -> None:
    stop = Stop(status=StopStatus.SUPERSEDED, reasons=("A newer push waits.",))

    found = State.read({**document(), "deployment": encode(stop)})

    assert (found.deployment, found.stop) == (stop, stop)
    assert State.read(document()).stop is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("execution", None, "$.execution is missing"),
        ("deployment.version", None, "$.deployment.version is missing"),
        ("deployment.permitted", None, "$.deployment.permitted is missing"),
        ("deployment.tag", "latest", "$.deployment.tag is unknown"),
        ("surprise", 1, "$.surprise is unknown"),
        ("deployment.version", "8", "$.deployment.version has to be a whole number, and is '8'"),
        ("deployment.pending", 1, "$.deployment.pending has to be true or false, and is 1"),
        ("deployment.notes", "x", "$.deployment.notes has to be a list, and is 'x'"),
        ("deployment.status", None, "$.deployment.status is missing"),
        (
            "deployment.status",
            "DONE",
            "$.deployment.status cannot be 'DONE' (allowed: ACTIVATING, ",
        ),
        ("deployment.status", ["BUSY"], "$.deployment.status cannot be ['BUSY'] (allowed: "),
        ("deployment", "BUSY", "$.deployment has to be an object, and is 'BUSY'"),
        ("startedAt", "2026-11-16T01:54:34", "$.startedAt cannot be '2026-11-16T01:54:34'"),
        ("rollback.begunAt", "soon", "$.rollback.begunAt cannot be 'soon'"),
        ("verification.watch.slowestSeconds", True, "$.verification.watch.slowestSeconds has to"),
    ],
)
def test_a_state_of_another_version_is_an_error_that_names_the_path(
    path: str, value: object, message: str
) -> None:
    found = changed(path, value)

    with pytest.raises(DecodeError, match=re.escape(message)):
        State.read(found)


def changed(path: str, value: object) -> dict[str, Any]:
    """The document with another value at the path; without it if the value is None."""
    found = member = document()
    *above, last = path.split(".")
    for key in above:
        member = member[key]
    if value is None:
        del member[last]
    else:
        member[last] = value
    return found


def test_the_ending_steps_read_any_state_as_far_as_possible() -> None:
    found = State.read_at_the_end(changed("deployment.version", None))

    assert found.error == {"Error": "DecodeError", "Cause": "$.deployment.version is missing"}
    assert found.deployment is None
    assert (found.admission, found.verification) == (state().admission, state().verification)
    assert Facts(state=found).release == IMAGE
    assert State.read_at_the_end(document()) == state()
    own = {"Error": "States.Timeout", "Cause": ""}
    assert State.read_at_the_end({**changed("surprise", 1), "error": own}).error == own


@pytest.mark.parametrize("status", [*Outcome, *StopStatus])
def test_an_execution_may_end_with_each_outcome_and_each_stop(status: str) -> None:
    assert status in EndStatus
