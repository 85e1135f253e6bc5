"""Going back to an old version, or not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.deployment import Deployment
from lightgate.past import Past
from lightgate.pinning import is_pinned
from lightgate.release import Kind
from lightgate.rollback import Action, Situation, last_good, notice, refusal_of, remedy, since
from lightgate.verdict import Judgement, Verdict
from tests.unit.builders import DIGEST, deployment

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/crops-backend"
PINNED = f"{ECR}:lightgate-7f5b2640fe6f"
NONE, SAFE = Judgement(verdict=Verdict.NONE), Judgement(verdict=Verdict.SAFE)
WHY = "harvests.0005_no_season: RemoveField harvest.season: the release before still uses it."
ONE_WAY = Judgement(verdict=Verdict.ONE_WAY, reasons=(WHY,))
UNKNOWN = Judgement(verdict=Verdict.UNKNOWN, reasons=("Nobody knows.",))


def shown(version: int, state: str = "INACTIVE", image: str = PINNED, **others: str) -> Deployment:
    images = {"web": image, **others}
    return replace(deployment(version, state), images=images)


def past(
    version: int, judgement: Judgement = NONE, *, is_good: bool = True, kind: Kind = Kind.IMAGE
) -> Past:
    return Past(
        version=version,
        release=f"r{version}",
        kind=kind,
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
        "Or go back: take the migrations back with "
        f'{{"app": "crops-backend", "digest": "{DIGEST}", "command": '
        '["python", "manage.py", "migrate", "harvests", "0004"]}. Then start an execution with '
        '{"app": "crops-backend", "rollbackTo": 7}. Where they cannot be taken back, it needs '
        '"allowDestructive": true as well.'
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

    refused = refusal_of(target, seen, overridden=False, gates_look=True)

    assert refused[0].startswith("rollbackTo: ")
    assert reason in refused[0]
    assert refusal_of(7, seen, overridden=False, gates_look=False) == []


def test_if_no_version_can_run_that_is_said() -> None:
    seen = situation(judgement=ONE_WAY)
    [first, *_] = refusal_of(7, seen, overridden=False, gates_look=True)

    assert "none before the one that serves is known to" in first
    assert '"allowDestructive": true' in first


COMMAND = past(7, ONE_WAY, kind=Kind.COMMAND)


@pytest.mark.parametrize(
    ("recorded", "serving", "is_left"),
    [
        ([past(6, ONE_WAY), COMMAND], SAFE, True),
        # The command itself is what serves.
        ([past(7, ONE_WAY), past(8, UNKNOWN, kind=Kind.COMMAND)], ONE_WAY, True),
        # What came after the command stands against it still.
        ([past(6, ONE_WAY), COMMAND], ONE_WAY, False),
        # It has taken nothing back.
        ([past(6, ONE_WAY), past(7, NONE, kind=Kind.COMMAND)], SAFE, False),
        ([COMMAND, past(7, ONE_WAY)], SAFE, False),
    ],
)
def test_what_a_command_may_have_taken_back_only_the_gate_of_the_old_version_can_tell(
    recorded: list[Past], serving: Judgement, is_left: bool
) -> None:
    listed = [shown(8, "ACTIVE"), shown(7), shown(6), shown(5)]
    seen = situation(past(5), *recorded, listed=listed, judgement=serving)

    assert (refusal_of(5, seen, overridden=False, gates_look=True) == []) is is_left
    assert refusal_of(5, seen, overridden=False, gates_look=False)


def test_a_migration_whose_predecessor_is_not_known_is_left_to_people() -> None:
    found = remedy(situation(judgement=ONE_WAY, migrations=["harvests.no_season"]))

    assert "as far as they can be" in found.next_steps[-1]


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
