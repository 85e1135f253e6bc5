"""Going back to an old version, or not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.deployment import Deployment
from lightgate.rollback import (
    Action,
    Past,
    Situation,
    is_pinned,
    last_good,
    notice,
    refusal_of,
    remedy,
    reversals,
    rollback_marker,
    since,
)
from lightgate.verdict import Judgement, Verdict
from tests.unit.builders import DIGEST, RELEASE, deployment

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/crops-backend"
PINNED = f"{ECR}:lightgate-7f5b2640fe6f"
NONE, SAFE = Judgement(verdict=Verdict.NONE), Judgement(verdict=Verdict.SAFE)
WHY = "harvests.0005_no_season: RemoveField harvest.season: the release before still uses it."
ONE_WAY = Judgement(verdict=Verdict.ONE_WAY, reasons=(WHY,))
UNKNOWN = Judgement(verdict=Verdict.UNKNOWN, reasons=("Nobody knows.",))


def shown(version: int, state: str = "INACTIVE", image: str = PINNED, **others: str) -> Deployment:
    images = {"web": image, **others}
    return replace(deployment(version, state), images=images)


def past(version: int, judgement: Judgement = NONE, *, is_good: bool = True) -> Past:
    return Past(
        version=version,
        release=f"r{version}",
        digest=DIGEST,
        spec_version=1,
        is_good=is_good,
        judgement=judgement,
    )


def situation(*recorded: Past, listed: Sequence[Deployment] = (), **changes: Any) -> Situation:
    """Version 8 has failed after version 7, which is on record as good."""
    values: dict[str, Any] = {
        "app": "crops-backend",
        "failed": 8,
        "previous": 7,
        "digest": DIGEST,
        "judgement": SAFE,
        "migrations": ["harvests.0005_no_season"],
        "shown": listed or [shown(8, "ACTIVE"), shown(7)],
        "past": {one.version: one for one in recorded or (past(7),)},
    }
    return Situation(**(values | changes))


@pytest.mark.parametrize("judgement", [NONE, SAFE])
def test_where_the_old_version_can_run_it_is_deployed_again(judgement: Judgement) -> None:
    found = remedy(situation(judgement=judgement))

    assert (found.action, found.version) == (Action.REDEPLOY, 7)


@pytest.mark.parametrize("judgement", [ONE_WAY, UNKNOWN])
def test_where_it_may_not_run_the_new_one_is_kept_and_both_ways_are_spelled_out(
    judgement: Judgement,
) -> None:
    found = remedy(situation(judgement=judgement))
    keep, back = found.next_steps

    assert (found.action, found.version) == (Action.KEEP, 7)
    assert judgement.reasons[0] in found.reasons
    assert keep == "Either keep version 8: push an image in which the cause is mended."
    assert back == (
        'Or go back: start an execution with {"app": "crops-backend", "rollbackTo": 7, '
        '"allowDestructive": true}. Before that, take the migrations back, where they can be, '
        f'with {{"app": "crops-backend", "digest": "{DIGEST}", "command": '
        '["python", "manage.py", "migrate", "harvests", "0004"]}.'
    )


def test_before_the_first_version_there_is_nothing_to_go_back_to() -> None:
    found = remedy(situation(previous=None))

    assert (found.action, found.version) == (Action.IMPOSSIBLE, None)


def test_a_version_that_failed_its_own_watch_is_not_gone_back_to() -> None:
    seen = situation(past(7, is_good=False), past(6), listed=[shown(8), shown(7), shown(6)])

    assert remedy(seen).version == 6


def test_a_version_that_never_served_is_not_gone_back_to() -> None:
    seen = situation(
        past(7, is_good=False), past(6), past(5), listed=[shown(8), shown(6, "FAILED"), shown(5)]
    )

    assert remedy(seen).version == 5


def test_what_lies_between_counts_also_if_it_failed() -> None:
    seen = situation(
        past(7, ONE_WAY, is_good=False),
        past(6),
        listed=[shown(8), shown(7, "FAILED"), shown(6)],
        previous=6,
    )

    assert (remedy(seen).action, remedy(seen).version) == (Action.KEEP, 6)
    assert WHY in remedy(seen).reasons


def test_what_was_deployed_without_lightgate_in_between_may_have_done_anything() -> None:
    seen = situation(past(6), listed=[shown(8), shown(7, "FAILED"), shown(6)], previous=6)

    assert remedy(seen).action is Action.KEEP
    assert "Version 7 was deployed without Lightgate." in remedy(seen).reasons


def test_a_version_deployed_without_lightgate_counts_as_the_one_that_served_last() -> None:
    versions = [shown(7), shown(6)]

    assert last_good(versions, {}, 7) == versions[0]
    assert last_good(versions, {7: past(7, is_good=False)}, 7) is None


@pytest.mark.parametrize(
    ("image", "pinned"),
    [
        (PINNED, True),
        (f"{ECR}@{DIGEST}", True),
        (f"{ECR}:lightgate-7f5b2640fe6f@{DIGEST}", True),
        (":crops.web.12", True),
        (f"{ECR}:latest", False),
        (f"{ECR}:lightgate-latest", False),
        (ECR, False),
        (":crops.web.latest", False),
        ("nginx:1.27", False),
        ("user/app:v1", False),
        ("", False),
    ],
)
def test_only_what_cannot_move_is_pinned(image: str, pinned: bool) -> None:
    assert is_pinned(image) is pinned


@pytest.mark.parametrize(
    ("version", "available"),
    [
        (shown(7), True),
        (shown(7, proxy="nginx:1.27"), True),
        (shown(7, image=":crops.web.3"), True),
        (shown(7, image=f"{ECR}:latest"), False),
        (shown(7, worker=f"{ECR}:latest"), False),
        (shown(7, image=":crops.web.latest"), False),
        (shown(7, image="user/app:latest"), False),
    ],
)
def test_a_mutable_tag_makes_going_back_impossible_and_that_is_said_at_the_start(
    version: Deployment, available: bool
) -> None:
    found = remedy(situation(listed=[shown(8), version]))

    assert (found.action is Action.REDEPLOY) is available
    assert (notice(version) is None) is available
    if not available:
        assert found.action is Action.IMPOSSIBLE
        assert "Automatic rollback to version 7 is not available" in str(notice(version))
        assert '"rollbackTo": 7' in found.next_steps[-1]


def test_a_first_release_is_told_that_there_is_nothing_to_go_back_to() -> None:
    assert notice(None) == "Nothing is serving yet, so there is no version to go back to."


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (3, "the service does not list version 3"),
        (5, "version 5 is FAILED, and has never served"),
        (8, "version 8 is serving already"),
        (4, "the newest that can is version 7"),
    ],
)
def test_a_wish_to_go_back_is_refused_with_what_would_do(target: int, reason: str) -> None:
    seen = situation(
        past(7),
        past(6, ONE_WAY),
        past(5, is_good=False),
        past(4),
        listed=[shown(8, "ACTIVE"), shown(7), shown(6), shown(5, "FAILED"), shown(4)],
    )

    refused = refusal_of(target, seen, overridden=False)

    assert refused[0].startswith("rollbackTo: ")
    assert reason in refused[0]
    assert refusal_of(7, seen, overridden=False) == []


def test_if_no_version_can_run_that_is_said() -> None:
    [first, *_] = refusal_of(7, situation(judgement=ONE_WAY), overridden=False)

    assert "none before the one that serves is known to" in first
    assert '"allowDestructive": true' in first


@pytest.mark.parametrize(
    ("migrations", "expected"),
    [
        ([], []),
        (["harvests.0005_a", "harvests.0006_b"], [("harvests", "0004")]),
        (["harvests.0001_initial"], [("harvests", "zero")]),
        (["a.0003_x", "b.0002_y"], [("a", "0002"), ("b", "0001")]),
        (["harvests.add_season"], []),
    ],
)
def test_migrations_are_taken_back_to_the_one_before_the_first(
    migrations: list[str], expected: list[tuple[str, str]]
) -> None:
    assert reversals(migrations) == expected


def test_a_migration_whose_predecessor_is_not_known_is_left_to_people() -> None:
    found = remedy(situation(judgement=ONE_WAY, migrations=["harvests.no_season"]))

    assert "as far as they can be" in found.next_steps[-1]


def test_going_back_has_a_marker_of_its_own() -> None:
    assert rollback_marker(RELEASE) not in ("", RELEASE)


JUDGEMENTS = st.sampled_from([NONE, SAFE, ONE_WAY, UNKNOWN])
SHOWN = st.builds(
    shown,
    st.integers(1, 9),
    st.sampled_from(["ACTIVE", "INACTIVE", "FAILED", "ACTIVATING"]),
    st.sampled_from([PINNED, "nginx", f"{ECR}:latest"]),
)
PAST = st.builds(past, st.integers(1, 9), JUDGEMENTS, is_good=st.booleans())


@given(
    st.lists(SHOWN, max_size=6, unique_by=lambda one: one.version),
    st.lists(PAST, max_size=6),
    JUDGEMENTS,
    st.none() | st.integers(1, 7),
)
def test_nothing_is_deployed_unasked_that_may_not_run(
    listed: list[Deployment], recorded: list[Past], judgement: Judgement, previous: int | None
) -> None:
    seen = replace(
        situation(judgement=judgement, previous=previous),
        shown=listed,
        past={one.version: one for one in recorded},
    )
    found = remedy(seen)

    assert found.reasons
    if found.action is not Action.REDEPLOY:
        assert found.next_steps
        return
    [target] = [one for one in listed if one.version == found.version]
    assert target.version < seen.failed
    assert target.state in ("ACTIVE", "INACTIVE")
    assert is_pinned(target.images["web"])
    assert since(target.version, seen).verdict.lets_go_back
    assert judgement.verdict.lets_go_back
