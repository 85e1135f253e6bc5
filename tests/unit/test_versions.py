"""What goes on record of the versions that a release has made."""

from typing import Any

import pytest

from lightgate.deployment import Service
from lightgate.past import Past
from lightgate.release import Kind, Release, rollback_marker
from lightgate.verdict import Judgement, Verdict
from lightgate.versions import judgement_of, made_by, on_record
from tests.unit import builders
from tests.unit.builders import DIGEST, IMAGE, RELEASE, admitted, service

NONE, SAFE = Judgement(verdict=Verdict.NONE), Judgement(verdict=Verdict.SAFE)
ONE_WAY = Judgement(verdict=Verdict.ONE_WAY, reasons=("A column is removed.",))
BACK = admitted(rollback_to=5)
COMMAND = admitted(command=("python", "manage.py", "check"))
REFUSED = {"refusal": "The policy forbids it.", "permitted": False}
GATE: dict[str, Any] = {"beganAt": None, "migrations": []}


def past(version: int, digest: str | None = "sha256:5", spec_version: int | None = 2) -> Past:
    return Past(
        version=version,
        release=f"r{version}",
        kind=Kind.IMAGE,
        digest=digest,
        spec_version=spec_version,
        is_good=True,
        judgement=ONE_WAY,
    )


def deployment(**changes: Any) -> dict[str, Any]:
    usual = {"status": "ACTIVE", "version": 8, "previousVersion": 7, "refusal": None, "gate": GATE}
    return {**usual, "judgement": SAFE.to_json(), **changes}


def verification(status: str = "GOOD", version: int = 8) -> dict[str, Any]:
    return {"status": status, "version": version, "watch": None, "reason": None}


def rollback(**changes: Any) -> dict[str, Any]:
    usual = {"status": "GOOD", "target": 7, "version": 9, "release": rollback_marker(RELEASE)}
    return {**usual, "targetRelease": {"digest": "sha256:7", "specVersion": 2}, **changes}


def made(release: Release = IMAGE, *, succeeded: bool = False, **state: Any) -> list[Past]:
    back = state.get("rollback", {}).get("version")
    known = {5: past(5), 7: past(7, "sha256:7", 1)}
    found = made_by(release, state, own=8, back=back, succeeded=succeeded, past=known)
    return list(found)


def test_a_success_is_on_record_as_a_good_version_with_its_image_its_spec_and_its_verdict() -> None:
    assert made(succeeded=True, deployment=deployment()) == [
        Past(
            version=8,
            release=RELEASE,
            kind=Kind.IMAGE,
            digest=DIGEST,
            spec_version=3,
            is_good=True,
            judgement=SAFE,
        )
    ]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"deployment": deployment(), "verification": verification()}, True),
        ({"deployment": deployment(), "verification": verification("FAILED")}, False),
        ({"deployment": deployment(), "verification": verification("GOOD", 7)}, False),
        ({"deployment": deployment()}, False),
        ({"deployment": deployment(status="FAILED"), "verification": verification()}, False),
        ({}, False),
    ],
)
def test_without_success_a_version_is_good_only_by_its_own_verification(
    state: dict[str, Any], expected: bool
) -> None:
    [own] = made(**state)

    assert own.is_good is expected


def test_what_nobody_has_seen_is_not_known() -> None:
    [own] = made()

    assert own.judgement.verdict is Verdict.UNKNOWN
    assert own.judgement.reasons


@pytest.mark.parametrize(
    ("release", "changes", "expected"),
    [
        (IMAGE, {}, ONE_WAY),
        (IMAGE, {**REFUSED}, NONE),
        # There was a permit before, for another gate or another plan.
        (IMAGE, {**REFUSED, "permitted": True}, ONE_WAY),
        (admitted(asking_gates={}), {**REFUSED}, ONE_WAY),
        (IMAGE, {**REFUSED, "gate": {**GATE, "beganAt": "2026-11-16"}}, ONE_WAY),
        (IMAGE, {**REFUSED, "gate": {**GATE, "migrations": [{"name": "a"}]}}, ONE_WAY),
        (BACK, {}, NONE),
        (COMMAND, {}, ONE_WAY),
    ],
)
def test_only_what_has_applied_nothing_for_sure_stands_against_nothing(
    release: Release, changes: dict[str, Any], expected: Judgement
) -> None:
    assert judgement_of(release, deployment(judgement=ONE_WAY.to_json(), **changes)) == expected


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        (BACK, ("sha256:5", 2)),
        (COMMAND, ("sha256:7", 1)),
        (admitted(rollback_to=4), (None, None)),
    ],
)
def test_what_is_deployed_again_has_image_and_spec_of_what_it_was(
    release: Release, expected: tuple[str | None, int | None]
) -> None:
    [own] = made(release, deployment=deployment())

    assert (own.digest, own.spec_version) == expected


@pytest.mark.parametrize(
    ("status", "good"), [("GOOD", True), ("FAILED", False), ("ACTIVATING", False)]
)
def test_the_version_of_going_back_is_on_record_beside_the_one_that_failed(
    status: str, good: bool
) -> None:
    own, back = made(deployment=deployment(), rollback=rollback(status=status))

    assert own.version == 8
    assert back == Past(
        version=9,
        release=rollback_marker(RELEASE),
        kind=Kind.ROLLBACK,
        digest="sha256:7",
        spec_version=2,
        is_good=good,
        judgement=NONE,
    )


def test_a_deployment_of_going_back_that_nobody_followed_is_on_record_as_not_good() -> None:
    found = made_by(IMAGE, {}, own=8, back=9, succeeded=False, past={})

    assert [(one.version, one.release, one.is_good) for one in found] == [
        (8, RELEASE, False),
        (9, rollback_marker(RELEASE), False),
    ]


def test_what_has_deployed_nothing_leaves_nothing_on_record() -> None:
    assert made_by(IMAGE, {}, own=None, back=None, succeeded=False, past={}) == []


@pytest.mark.parametrize("one", [past(7), past(7, None, None)])
def test_a_version_on_record_reads_as_it_was_written(one: Past) -> None:
    assert Past.from_json(one.to_json()) == one


def test_a_service_that_was_made_anew_has_none_of_the_old_versions() -> None:
    def listed(release: str) -> Service:
        return service(deployments=[builders.deployment(2, release=release)])

    assert on_record({2: past(2)}, listed("r2")) == {2: past(2)}
    assert on_record({2: past(2)}, listed("of-the-new-service")) == {}
    assert on_record({2: past(2)}, service()) == {}
