"""Migrations that no gate has applied: by the image's ENTRYPOINT, by hand, or beside the plan."""

import pytest

from tests.component.lightsail_service import Course
from tests.workflow.reporting_gates import told_plan
from tests.workflow.world import APP, SUCCEEDED, Json, World

OLD, NEW = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
BAD = {3: "Internal Server Error"}


@pytest.fixture(autouse=True)
def first(world: World) -> None:
    """The first release, whose gate leaves one migration on record."""
    assert world.release(course=opened("aa", ("crops.0001_initial", OLD))).status == "SUCCEEDED"
    world.messages()


def opened(found: str, *recent: tuple[str, str], lines: tuple[str, ...] = ()) -> Course:
    """A release with nothing pending, whose gate tells what is on record."""
    record: Json = {"found": {"crops": found}, "recent": [list(one) for one in recent]}
    log = [(20, "migrate", told_plan() | record), *((21, "web", line) for line in lines)]
    event = {**SUCCEEDED[1], "left": {"crops": found}}
    return Course(ends="ACTIVE", log=[*log, (39, "migrate", event)])


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "course",
    [
        opened("bb", ("crops.0001_initial", OLD), ("crops.0002_drop", NEW)),
        opened("aa", ("crops.0001_initial", OLD), lines=("  Applying crops.0002_drop... OK",)),
        opened("aa", ("crops.0001_initial", OLD), lines=("  Unapplying crops.0002_drop... OK",)),
    ],
    ids=["on record", "in a log", "reversed in a log"],
)
def test_a_migration_past_the_gate_is_reported_and_never_rolled_back(
    world: World, course: Course
) -> None:
    world.site.bad = BAD

    assert world.release(course=course).error == "FAILED"

    content = world.message().content
    assert content["judgement"]["verdict"] == "ONE_WAY"
    assert "crops.0002_drop" in content["text"]
    assert "outside the gate" in content["text"]
    assert world.lightsail.serving(APP) == 3


def test_a_good_release_with_a_migration_past_its_gate_keeps_it_on_record(world: World) -> None:
    ended = world.release(course=opened("bb", ("crops.0002_drop", NEW)))

    assert ended.error is None
    assert "outside the gate: crops.0002_drop" in world.message().content["text"]
    # A person who wants to go back is told so.
    refused = world.release({"app": APP, "rollbackTo": 2})
    assert refused.error == "REFUSED"
    assert "outside the gate: crops.0002_drop" in " ".join(world.message().content["reasons"])


def test_a_migration_by_hand_between_two_releases_is_reported_as_such(world: World) -> None:
    world.site.bad = BAD

    assert world.release(course=opened("bb", ("crops.0002_by_hand", OLD))).error == "FAILED"

    content = world.message().content
    assert content["judgement"]["verdict"] == "UNKNOWN"
    assert "between the last release and this one" in content["text"]
    assert "crops.0002_by_hand" in content["text"]


def test_what_the_gates_applied_themselves_is_neither(world: World) -> None:
    plan = told_plan("crops.0002_add") | {"found": {"crops": "aa"}}
    again = told_plan() | {"found": {"crops": "bb"}, "recent": [["crops.0002_add", NEW]]}
    log = [
        (20, "migrate", plan),
        (25, "migrate", {"event": "applying", "migration": "crops.0002_add"}),
        (25, "migrate", "  Applying crops.0002_add... OK"),
        (26, "migrate", {"event": "applied", "migration": "crops.0002_add", "seconds": 1}),
        (30, "migrate", {**SUCCEEDED[1], "left": {"crops": "bb"}}),
        (35, "migrate", again),  # of another node
        (39, "migrate", {**SUCCEEDED[1], "left": {"crops": "bb"}}),
    ]

    world.release(course=Course(ends="ACTIVE", log=log))

    assert world.message().content["judgement"]["verdict"] == "SAFE"
    world.release(course=opened("bb", ("crops.0002_add", OLD)))
    assert world.message().content["judgement"]["verdict"] == "NONE"


def test_a_change_beside_the_permitted_plan_fails_and_is_not_safe_to_roll_back(
    world: World,
) -> None:
    failed = {
        "event": "failed",
        "cause": "unplanned",
        "error": "crops.0003_drop was applied",
        "unplanned": ["crops.0003_drop was applied"],
        "database": "part-way",
    }
    log = [
        (20, "migrate", told_plan("crops.0002_add")),
        (25, "migrate", {"event": "applying", "migration": "crops.0002_add"}),
        (30, "migrate", failed),
    ]

    assert world.release(course=Course(ends="FAILED", log=log)).error == "FAILED"

    content = world.message().content
    assert content["failure"]["kind"] == "unplanned-change"
    assert content["judgement"]["verdict"] == "ONE_WAY"
    assert "The database was changed beside the permitted plan" in " ".join(content["reasons"])
