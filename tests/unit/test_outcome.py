"""How a release ended, and what people are told to do."""

import itertools

import pytest

from lightgate.deployment import Service, Status
from lightgate.gate_log import Evidence, Phase
from lightgate.outcome import Conclusion, Outcome, broken, concluded, refused
from tests.unit.builders import deployment, evidence, failure, service

LIVE = service(current=deployment(8))
PREVIOUS = service(current=deployment(7), deployments=[deployment(8, "FAILED"), deployment(7)])
NOTHING = service(deployments=[deployment(8, "FAILED")])
ANOTHER = service(current=deployment(9))


def conclusion(
    status: Status,
    shown: Service,
    found: Evidence | None = None,
    previous_version: int | None = 7,
) -> Conclusion:
    return concluded(
        status=status,
        version=8,
        previous_version=previous_version,
        service=shown,
        evidence=found or evidence(Phase.SILENT),
    )


def test_a_version_that_serves_is_a_success_without_words() -> None:
    assert conclusion(Status.ACTIVE, LIVE) == Conclusion(
        outcome=Outcome.SUCCEEDED, reasons=[], next_steps=[]
    )


def test_a_success_is_never_said_of_what_does_not_serve() -> None:
    ended = conclusion(Status.ACTIVE, ANOTHER)

    assert ended.outcome is Outcome.FAILED
    assert list(ended.reasons) == [
        "Deployment 8 became active, but the service no longer serves it."
    ]


def test_a_failed_migration_behind_a_live_version_is_a_rollback() -> None:
    ended = conclusion(Status.FAILED, PREVIOUS, evidence(Phase.FAILED, failed=failure()))

    assert ended == Conclusion(
        outcome=Outcome.ROLLED_BACK,
        reasons=[
            "Migration harvests.0006_one_harvest_a_day failed: "
            "django.db.utils.IntegrityError: could not create unique index",
            "Version 7 is active and goes on serving.",
        ],
        next_steps=[
            "Correct the cause and push again. What a migration had already applied stays applied."
        ],
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            evidence(Phase.FAILED, failed=failure(migration=None, cause="preflight", error="no")),
            "The container migrate failed (preflight): no",
        ),
        (
            evidence(Phase.SUCCEEDED),
            "Deployment 8 failed after its gate had opened: the app did not become healthy, or "
            "ended.",
        ),
        (
            evidence(Phase.UNGATED),
            "Deployment 8 failed: the app did not become healthy, or ended.",
        ),
        (
            evidence(Phase.SILENT),
            "Deployment 8 failed, and its gate has reported nothing: whether a migration had "
            "begun is not known.",
        ),
        (
            evidence(Phase.WAITING),
            "Deployment 8 failed, and the gate has reported no cause.",
        ),
    ],
)
def test_the_reason_of_a_rollback_is_as_good_as_the_evidence(
    found: Evidence, expected: str
) -> None:
    ended = conclusion(Status.FAILED, PREVIOUS, found)

    assert ended.outcome is Outcome.ROLLED_BACK
    assert expected == ended.reasons[0]


def test_a_deployment_that_failed_while_migrating_needs_a_person() -> None:
    ended = conclusion(Status.FAILED, PREVIOUS, evidence(Phase.APPLYING))

    assert ended.outcome is Outcome.FAILED
    assert "the database may be part-way" in ended.reasons[-1]
    assert "showmigrations" in ended.next_steps[0]


@pytest.mark.parametrize("cause", ["timeout", "signal"])
def test_a_migration_that_was_cut_off_needs_a_person(cause: str) -> None:
    ended = conclusion(Status.FAILED, PREVIOUS, evidence(Phase.FAILED, failed=failure(cause=cause)))

    assert ended.outcome is Outcome.FAILED
    assert "the database may be part-way" in ended.reasons[-1]


@pytest.mark.parametrize(
    ("database", "atomic", "expected"),
    [
        ("unchanged", False, Outcome.ROLLED_BACK),
        ("unchanged", True, Outcome.ROLLED_BACK),
        ("part-way", True, Outcome.ROLLED_BACK),
        ("part-way", False, Outcome.FAILED),
        ("not known", True, Outcome.FAILED),
        ("not known", False, Outcome.FAILED),
        ("as good as new", True, Outcome.FAILED),
    ],
)
@pytest.mark.parametrize("cause", ["exit", "timeout"])
def test_what_the_gate_found_in_the_database_decides_whether_it_is_a_rollback(
    cause: str, database: str, atomic: bool, expected: Outcome
) -> None:
    failed = failure(cause=cause, database=database)

    ended = conclusion(
        Status.FAILED, PREVIOUS, evidence(Phase.FAILED, failed=failed, atomic=atomic)
    )

    assert ended.outcome is expected
    assert ("the database may be part-way" in ended.reasons[-1]) == (expected is Outcome.FAILED)


def test_a_plan_that_the_policy_blocks_is_a_refusal_that_says_how_to_insist() -> None:
    blocked = failure(
        cause="refused", migration=None, database="unchanged", error="harvests.0007 drops a column"
    )

    ended = conclusion(Status.FAILED, PREVIOUS, evidence(Phase.FAILED, failed=blocked))

    assert ended.outcome is Outcome.REFUSED
    assert list(ended.reasons) == [
        "The container migrate failed (refused): harvests.0007 drops a column",
        "Version 7 is active and goes on serving.",
    ]
    assert '"allowDestructive": true' in ended.next_steps[0]


@pytest.mark.parametrize("shown", [NOTHING, ANOTHER])
def test_a_blocked_plan_is_no_refusal_if_the_previous_version_does_not_serve(
    shown: Service,
) -> None:
    blocked = failure(cause="refused", database="unchanged")

    ended = conclusion(Status.FAILED, shown, evidence(Phase.FAILED, failed=blocked))

    assert ended.outcome is Outcome.FAILED


def test_with_nothing_live_before_there_is_nothing_to_go_back_to() -> None:
    ended = conclusion(Status.FAILED, NOTHING, previous_version=None)

    assert ended.outcome is Outcome.FAILED
    assert ended.reasons[-1] == "Nothing was serving before, so nothing serves now."


@pytest.mark.parametrize("shown", [NOTHING, ANOTHER])
def test_a_rollback_is_never_said_unless_the_previous_version_serves(shown: Service) -> None:
    ended = conclusion(Status.FAILED, shown)

    assert ended.outcome is Outcome.FAILED
    assert ended.reasons[-1] == "Version 7, which served before, is not active."


def test_a_failed_gate_that_could_hold_nothing_back_needs_a_person() -> None:
    ended = conclusion(Status.FAILED, LIVE, evidence(Phase.FAILED, failed=failure()))

    assert ended.outcome is Outcome.FAILED
    assert "Deployment 8 serves although its gate failed" in ended.reasons[-1]


def test_an_overdue_deployment_is_left_to_a_person() -> None:
    ended = conclusion(Status.OVERDUE, PREVIOUS)

    assert ended.outcome is Outcome.FAILED
    assert list(ended.reasons) == [
        "Deployment 8 has neither become active nor failed within its time limit."
    ]


def test_an_active_deployment_whose_gate_stays_silent_is_not_called_inactive() -> None:
    ended = conclusion(Status.OVERDUE, LIVE)

    assert ended.outcome is Outcome.FAILED
    assert ended.reasons[0].startswith("Deployment 8 is active, but its gate has not reported")


def test_success_and_rollback_always_need_the_service_to_say_so() -> None:
    for status, shown, phase, previous in itertools.product(
        Status, [LIVE, PREVIOUS, NOTHING, ANOTHER], Phase, [7, None]
    ):
        ended = conclusion(status, shown, evidence(phase), previous)

        assert ended.outcome is not Outcome.SUCCEEDED or shown.serves(8)
        assert ended.outcome is not Outcome.ROLLED_BACK or shown.serves(7)
        assert ended.outcome is not Outcome.ROLLED_BACK or phase is not Phase.APPLYING
        assert ended.outcome is Outcome.SUCCEEDED or (ended.reasons and ended.next_steps)


def test_a_refusal_keeps_all_reasons() -> None:
    ended = refused(["a: is missing", "b: is missing"])

    assert ended.outcome is Outcome.REFUSED
    assert list(ended.reasons) == ["a: is missing", "b: is missing"]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (None, "No deployment of this release was found."),
        (8, "Its deployment is version 8; look at how that ended before you push again."),
    ],
)
def test_a_broken_release_says_whether_anything_was_deployed(
    version: int | None, expected: str
) -> None:
    ended = broken("States.Timeout: ", version)

    assert ended.outcome is Outcome.FAILED
    assert expected == ended.next_steps[0]
