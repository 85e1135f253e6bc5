"""Going back to an old version, or not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.deployment.pinning import is_pinned
from lightgate.deployment.status import Deployment
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.records.version import VersionRecord
from lightgate.release.lightgate_command import how_to_start
from lightgate.release.release import ReleaseKind
from lightgate.rollback.policy import (
    RollbackAction,
    RollbackInput,
    VersionHistory,
    decide_rollback,
    judgement_against,
    last_good,
    no_rollback_notice,
    why_refused,
)
from tests.support.builders import EXECUTION, deployment, version_record

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/crops-backend"
PINNED = f"{ECR}:lightgate-7f5b2640fe6f"
NONE, SAFE = Judgement(verdict=Verdict.NONE), Judgement(verdict=Verdict.SAFE)
TAKE_BACK = [{"app": "crops-backend", "command": 1}, {"app": "crops-backend", "command": 2}]
WHY = "harvests.0005_no_season: RemoveField harvest.season: the previous version still uses it."
ONE_WAY = Judgement(verdict=Verdict.ONE_WAY, reasons=(WHY,))
UNKNOWN = Judgement(verdict=Verdict.UNKNOWN, reasons=("Nobody knows.",))


def listed_deployment(
    version: int, state: str = "INACTIVE", image: str = PINNED, **others: str
) -> Deployment:
    images = {"web": image, **others}
    return replace(deployment(version, state), images=images)


def shown(*versions: int | tuple[int, str]) -> list[Deployment]:
    """The list of the service: versions that were live once, or have the state that is given."""
    return [listed_deployment(*(one if isinstance(one, tuple) else (one,))) for one in versions]


def record(version: int, judgement: Judgement = NONE, **changes: Any) -> VersionRecord:
    """A version on record, whose code is its own unless `fits` says otherwise."""
    return version_record(version, judgement=judgement, **changes)


def history(*recorded: VersionRecord, listed: Sequence[Deployment] = ()) -> VersionHistory:
    """The newest of these versions serves, unless another list is given."""
    numbers = sorted((one.version for one in recorded), reverse=True)
    states = ["ACTIVE", *["INACTIVE"] * len(numbers)]
    return VersionHistory(
        listed=listed or shown(*zip(numbers, states, strict=False)),
        records={one.version: one for one in recorded},
    )


def rollback_input(
    *recorded: VersionRecord,
    listed: Sequence[Deployment] = (),
    judgement: Judgement = SAFE,
    **changes: Any,
) -> RollbackInput:
    """Version 8 has failed after version 7, which is on record as good."""
    own = record(8, judgement, is_good=False)
    listed = listed or shown((8, "ACTIVE"), 7)
    values: dict[str, Any] = {
        "app": "crops-backend",
        "execution": EXECUTION,
        "failed": 8,
        "previous": 7,
        "reversal": TAKE_BACK,
        "why_not": None,
        "history": history(*(recorded or (record(7),)), own, listed=listed),
    }
    return RollbackInput(**(values | changes))


@pytest.mark.parametrize("judgement", [NONE, SAFE])
def test_a_safe_old_version_is_deployed_again(judgement: Judgement) -> None:
    found = decide_rollback(rollback_input(judgement=judgement))

    assert (found.action, found.version) == (RollbackAction.REDEPLOY, 7)


@pytest.mark.parametrize("judgement", [ONE_WAY, UNKNOWN])
def test_an_unsafe_rollback_keeps_the_new_version_with_both_next_steps(
    judgement: Judgement,
) -> None:
    found = decide_rollback(rollback_input(judgement=judgement))
    keep, reverse, back = found.next_steps

    assert (found.action, found.version) == (RollbackAction.KEEP, 7)
    assert judgement.reasons[0] in found.reasons
    assert keep == "To keep version 8: correct the cause and push again."
    first, second = (how_to_start(EXECUTION, request) for request in TAKE_BACK)
    assert reverse == (
        "Before a rollback, reverse the migrations, one command after the other: "
        f"{first} and then {second}"
    )
    to_7 = how_to_start(EXECUTION, {"app": "crops-backend", "rollbackTo": 7})
    assert back == f"To roll back to version 7: {to_7}"


def test_before_the_first_version_there_is_nothing_to_roll_back_to() -> None:
    found = decide_rollback(rollback_input(previous=None))

    assert (found.action, found.version) == (RollbackAction.IMPOSSIBLE, None)
    assert found.reasons == ["There is no earlier version that is known to be good."]
    assert found.next_steps == [
        "Correct the cause and push again. Version 8 stays live until then."
    ]


def test_a_version_that_the_service_has_forgotten_is_named() -> None:
    found = decide_rollback(rollback_input(listed=[listed_deployment(8, "ACTIVE")]))

    assert (found.action, found.version) == (RollbackAction.IMPOSSIBLE, None)
    assert found.reasons[1:] == [
        "Version 7 was live before, but the service no longer lists it: it lists the last 50 "
        "versions."
    ]


LOST = ["crops:lightgate-7f5b2640fe6f of web is not in ECR any more"]
SKIPPED = f"Version 7 cannot be deployed again: {LOST[0]}."
REDEPLOY, KEEP = RollbackAction.REDEPLOY, RollbackAction.KEEP


@pytest.mark.parametrize(
    ("recorded", "listed", "changes", "action", "version", "words"),
    [
        ([record(7, is_good=False), record(6)], shown(8, 7, 6), {}, REDEPLOY, 6, ""),
        (
            [record(7, is_good=False), record(6), record(5)],
            shown(8, (6, "FAILED"), 5),
            {},
            *(REDEPLOY, 5, ""),
        ),
        (
            [record(7, ONE_WAY, is_good=False), record(6)],
            shown(8, (7, "FAILED"), 6),
            {"previous": 6},
            *(KEEP, 6, WHY),
        ),
        (
            [record(6)],
            shown(8, (7, "FAILED"), 6),
            {"previous": 6},
            *(KEEP, 6, "Version 7 was deployed without Lightgate."),
        ),
        ([record(7), record(6)], shown(8, 7, 6), {"gone": {7: LOST}}, REDEPLOY, 6, SKIPPED),
        ([record(7, ONE_WAY), record(6)], shown(8, 7, 6), {"gone": {7: LOST}}, KEEP, 6, WHY),
        ([record(7, ONE_WAY), record(6)], shown(8, 7, 6), {"gone": {7: LOST}}, KEEP, 6, SKIPPED),
    ],
    ids=[
        *("it failed its watch", "it never served", "a failed one in between counts"),
        *("one without Lightgate", "its image is gone", "a skipped one counts", "and is named"),
    ],
)
def test_the_newest_version_that_is_good_and_there_is_the_target(
    recorded: list[VersionRecord],
    listed: list[Deployment],
    changes: dict[str, Any],
    action: RollbackAction,
    version: int,
    words: str,
) -> None:
    found = decide_rollback(rollback_input(*recorded, listed=listed, **changes))

    assert (found.action, found.version) == (action, version)
    assert words in " ".join([*found.reasons, *found.notes])


def test_a_version_deployed_without_lightgate_counts_as_the_one_that_served_last() -> None:
    versions = shown(7, 6)

    assert last_good(history(listed=versions), 7) == versions[0]
    assert last_good(history(record(7, is_good=False), listed=versions), 7) is None


@pytest.mark.parametrize(
    ("version", "available"),
    [
        (listed_deployment(7), True),
        (listed_deployment(7, proxy="nginx:1.27"), True),
        (listed_deployment(7, image=":crops.web.3"), True),
        (listed_deployment(7, image=f"{ECR}:latest"), False),
        (listed_deployment(7, worker=f"{ECR}:latest"), False),
        (listed_deployment(7, image=":crops.web.latest"), False),
        (listed_deployment(7, image="user/app:latest"), False),
    ],
)
def test_a_mutable_tag_makes_rollback_impossible_and_the_start_message_says_so(
    version: Deployment, available: bool
) -> None:
    found = decide_rollback(rollback_input(listed=[listed_deployment(8), version]))

    assert (found.action is RollbackAction.REDEPLOY) is available
    assert (no_rollback_notice(version) is None) is available
    if not available:
        assert found.action is RollbackAction.IMPOSSIBLE
        assert "Automatic rollback to version 7 is not available" in str(
            no_rollback_notice(version)
        )
        assert '"rollbackTo": 7' in found.next_steps[-1]


def test_a_first_release_says_that_there_is_no_version_to_roll_back_to() -> None:
    assert (
        no_rollback_notice(None)
        == "No version is live yet, so there is no version to roll back to."
    )


def refused_to(
    target: int, seen: VersionHistory, *, serving: int = 8, gates_check: bool = True
) -> Sequence[str]:
    return why_refused(target, serving, seen, overridden=False, gates_check=gates_check)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (3, "the service does not list version 3"),
        (5, "version 5 is FAILED, and was never live"),
        (8, "version 8 is live already"),
        (4, "the newest version that works with it is version 7"),
    ],
)
def test_a_refused_rollback_names_the_newest_safe_version(target: int, reason: str) -> None:
    recorded = [record(8, SAFE), record(7), record(6, ONE_WAY), record(5, is_good=False), record(4)]
    seen = history(*recorded, listed=shown((8, "ACTIVE"), 7, 6, (5, "FAILED"), 4))

    refused = refused_to(target, seen)

    assert refused[0].startswith("rollbackTo: ")
    assert reason in refused[0]
    assert refused_to(7, seen, gates_check=False) == []


def test_a_refusal_says_if_no_version_is_safe() -> None:
    [first, *_] = refused_to(7, history(record(8, ONE_WAY), record(7)))

    assert "no version before the live one is known to work with it" in first
    assert '"allowDestructive": true' in first


COMMAND = record(7, ONE_WAY, kind=ReleaseKind.COMMAND)


@pytest.mark.parametrize(
    ("recorded", "seventh", "is_left"),
    [
        ([record(6, ONE_WAY), COMMAND, record(8, SAFE)], "INACTIVE", True),
        # The command itself is what serves.
        ([record(7, ONE_WAY), record(8, UNKNOWN, kind=ReleaseKind.COMMAND)], "INACTIVE", True),
        # What came after the command stands against it still.
        ([record(6, ONE_WAY), COMMAND, record(8, ONE_WAY)], "INACTIVE", False),
        # It has taken nothing back.
        (
            [record(6, ONE_WAY), record(7, NONE, kind=ReleaseKind.COMMAND), record(8)],
            "INACTIVE",
            False,
        ),
        ([record(6), record(7, ONE_WAY), record(8)], "INACTIVE", False),
        # It was never permitted: the app beside which it was to run did not become active.
        ([record(6, ONE_WAY), COMMAND, record(8)], "FAILED", False),
    ],
)
def test_after_a_reversing_command_the_old_versions_gate_decides(
    recorded: list[VersionRecord], seventh: str, is_left: bool
) -> None:
    listed = shown((8, "ACTIVE"), (7, seventh), 6, 5)
    seen = history(record(5), record(6), *recorded, listed=listed)

    assert (refused_to(5, seen) == []) is is_left
    assert refused_to(5, seen, gates_check=False)


@pytest.mark.parametrize(
    ("target", "judgement", "reasons"),
    [(6, ONE_WAY, [WHY]), (6, UNKNOWN, ["Nobody knows."]), (6, SAFE, None), (5, ONE_WAY, [WHY])],
)
def test_migrations_of_a_failed_version_count_for_every_older_target(
    target: int, judgement: Judgement, reasons: list[str] | None
) -> None:
    """Version 8 has failed, and 7 serves on."""
    listed = shown((8, "FAILED"), (7, "ACTIVE"), 6, 5)
    failed = record(8, judgement, is_good=False)
    refused = refused_to(
        target, history(record(5), record(6), record(7), failed, listed=listed), serving=7
    )

    assert (refused[1:] if refused else None) == reasons
    if refused:
        assert "no version before the live one is known to work with it" in refused[0]


def test_a_person_may_want_a_version_back_that_did_not_do_well() -> None:
    assert refused_to(7, history(record(8, SAFE), record(7, is_good=False))) == []


COMPANION = record(7, UNKNOWN, kind=ReleaseKind.COMMAND, fits=5)
ONCE_MORE = record(7, NONE, kind=ReleaseKind.ROLLBACK, fits=5)
HAS_LOOKED = record(7, NONE, kind=ReleaseKind.ROLLBACK, fits=7)
OF_AGES_AGO = record(7, NONE, kind=ReleaseKind.ROLLBACK, fits=2)
OF_NOBODY_KNOWS_WHEN = record(7, NONE, kind=ReleaseKind.ROLLBACK, fits=None)


@pytest.mark.parametrize(
    ("between", "again", "action", "reason"),
    [
        (record(6, ONE_WAY, is_good=False), COMPANION, KEEP, WHY),
        (record(6, ONE_WAY), ONCE_MORE, KEEP, WHY),
        (record(6, SAFE), ONCE_MORE, REDEPLOY, "works with"),
        (record(6, ONE_WAY), HAS_LOOKED, REDEPLOY, "works with"),
        (record(6), OF_AGES_AGO, KEEP, "no longer lists the versions that came after"),
        (record(6), OF_NOBODY_KNOWS_WHEN, KEEP, "The release that the code"),
    ],
)
def test_code_that_was_deployed_once_more_is_as_old_as_it_was(
    between: VersionRecord, again: VersionRecord, action: RollbackAction, reason: str
) -> None:
    listed = shown((8, "ACTIVE"), 7, 6, 5)
    found = decide_rollback(rollback_input(record(5), between, again, listed=listed))

    assert (found.action, found.version) == (action, 7)
    assert reason in " ".join(found.reasons)


def test_it_is_as_old_for_a_person_and_for_what_a_person_is_advised() -> None:
    seen = history(record(5), record(6, ONE_WAY), ONCE_MORE, record(8))
    [first, why] = refused_to(7, seen)

    assert "the newest version that works with it is version 6" in first
    assert why == WHY


def test_code_of_unknown_age_is_not_left_to_its_gates() -> None:
    seen = history(
        record(5), OF_NOBODY_KNOWS_WHEN, record(8, UNKNOWN, kind=ReleaseKind.COMMAND), record(9)
    )

    assert refused_to(7, seen, serving=9)
    assert refused_to(5, seen, serving=9) == []


def test_the_next_steps_say_why_no_command_reverses_the_migrations() -> None:
    why = "harvests.0005_fill: RunPython cannot be reversed for certain"

    found = decide_rollback(rollback_input(judgement=ONE_WAY, reversal=[], why_not=why))

    request = {"app": "crops-backend", "rollbackTo": 7, "allowDestructive": True}
    assert found.next_steps[-2:] == [
        f"To roll back to version 7: {how_to_start(EXECUTION, request)}",
        "A rollback does not reverse the migrations, because no command reverses just these: "
        f"{why}. Only a snapshot or backup has the earlier data.",
    ]


JUDGEMENTS = st.sampled_from([NONE, SAFE, ONE_WAY, UNKNOWN])
SHOWN = st.builds(
    listed_deployment,
    st.integers(1, 9),
    st.sampled_from(["ACTIVE", "INACTIVE", "FAILED", "ACTIVATING"]),
    st.sampled_from([PINNED, "nginx", f"{ECR}:latest"]),
)
PAST = st.builds(
    record,
    st.integers(1, 7),
    JUDGEMENTS,
    is_good=st.booleans(),
    kind=st.sampled_from(ReleaseKind),
    fits=st.none() | st.integers(1, 7),
)


@given(
    st.lists(SHOWN, max_size=6, unique_by=lambda one: one.version),
    st.lists(PAST, max_size=6),
    JUDGEMENTS,
    st.none() | st.integers(1, 7),
)
def test_nothing_unsafe_is_deployed_automatically(
    listed: list[Deployment],
    recorded: list[VersionRecord],
    judgement: Judgement,
    previous: int | None,
) -> None:
    failed = record(8, judgement, is_good=False)
    shown_then = [*shown((8, "ACTIVE")), *(one for one in listed if one.version != failed.version)]
    seen = rollback_input(previous=previous, history=history(*recorded, failed, listed=shown_then))
    found = decide_rollback(seen)

    assert found.reasons
    if found.action is not RollbackAction.REDEPLOY:
        assert found.next_steps
        return
    [target] = [one for one in listed if one.version == found.version]
    assert target.version < seen.failed
    assert target.state in ("ACTIVE", "INACTIVE")
    assert is_pinned(target.images["web"])
    assert judgement_against(target.version, seen.history).verdict.allows_rollback
    assert judgement.verdict.allows_rollback


def test_without_any_good_image_rollback_is_impossible() -> None:
    listed = shown(8, 7, 6)
    seen = rollback_input(record(7), record(6), listed=listed, gone={7: LOST, 6: LOST})

    found = decide_rollback(seen)

    assert (found.action, found.version) == (RollbackAction.IMPOSSIBLE, None)
    told = [reason.split(" cannot")[0] for reason in found.reasons[1:]]
    assert told == ["Version 7", "Version 6"]
