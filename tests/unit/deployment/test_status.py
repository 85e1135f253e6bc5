"""What may be concluded from how Lightsail shows a deployment."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from lightgate.deployment.status import Service, Status, confirmed_status, judge_deployment
from lightgate.errors import RefusedError
from lightgate.gate.gate_report import Phase
from lightgate.outage import LONGEST_OUTAGE
from tests.support.builders import STARTED, deployment, evidence, seconds, service, watch

LIVE = service(current=deployment(8), deployments=[deployment(8), deployment(7, "INACTIVE")])
FAILED = service(current=deployment(7), deployments=[deployment(8, "FAILED"), deployment(7)])
RUNNING = service(
    current=deployment(7),
    upcoming=deployment(8, "ACTIVATING"),
    deployments=[deployment(8, "ACTIVATING"), deployment(7)],
)
LAGGING = service(current=deployment(7), deployments=[deployment(7)])
REPLACED = service(current=deployment(9), deployments=[deployment(9), deployment(8, "INACTIVE")])


def status(
    shown: Service,
    phase: Phase = Phase.SILENT,
    *,
    after: float = 100,
    ended_after: float | None = None,
    limit: int = 3600,
    unprotected: bool = False,
    has_told_all: bool = False,
) -> tuple[Status, timedelta | None]:
    """The judgement that many seconds after the creation, and when the end was seen."""
    ended_at = None if ended_after is None else STARTED + seconds(ended_after)
    verdict, ended = judge_deployment(
        watch(limit=limit, ended_at=ended_at),
        shown,
        evidence(phase),
        unprotected=unprotected,
        has_told_all=has_told_all,
        now=STARTED + seconds(after),
    )
    return verdict, None if ended is None else ended - STARTED


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.UNGATED])
@pytest.mark.parametrize("unprotected", [True, False])
def test_a_deployment_that_serves_and_whose_gates_are_done_is_active(
    phase: Phase, unprotected: bool
) -> None:
    assert status(LIVE, phase, unprotected=unprotected) == (Status.ACTIVE, seconds(100))


@pytest.mark.parametrize("phase", [Phase.SILENT, Phase.WAITING, Phase.APPLYING, Phase.FAILED])
def test_the_report_of_a_gate_behind_an_endpoint_is_waited_for_a_minute_and_no_longer(
    phase: Phase,
) -> None:
    assert status(LIVE, phase) == (Status.ACTIVATING, seconds(100))
    assert status(LIVE, phase, after=159, ended_after=100) == (Status.ACTIVATING, seconds(100))
    assert status(LIVE, phase, after=160, ended_after=100) == (Status.ACTIVE, seconds(100))


def unprotected_status(phase: Phase) -> Status:
    return status(LIVE, phase, after=3599, ended_after=10, unprotected=True)[0]


def test_an_unprotected_service_is_active_only_by_the_report_of_its_gate() -> None:
    assert unprotected_status(Phase.SILENT) is Status.ACTIVATING
    assert unprotected_status(Phase.APPLYING) is Status.ACTIVATING
    assert unprotected_status(Phase.FAILED) is Status.FAILED
    assert unprotected_status(Phase.SUCCEEDED) is Status.ACTIVE


def test_an_unprotected_service_whose_gate_stays_silent_is_overdue_in_the_end() -> None:
    assert status(LIVE, after=3600, ended_after=10, unprotected=True)[0] is Status.OVERDUE


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.UNGATED])
def test_a_failed_deployment_with_a_final_report_has_failed_at_once(phase: Phase) -> None:
    assert status(FAILED, phase) == (Status.FAILED, seconds(100))


@pytest.mark.parametrize("phase", [Phase.SILENT, Phase.WAITING, Phase.APPLYING])
def test_after_a_failure_the_report_is_waited_for_five_minutes(phase: Phase) -> None:
    assert status(FAILED, phase, after=399, ended_after=100)[0] is Status.ACTIVATING
    assert status(FAILED, phase, after=400, ended_after=100)[0] is Status.FAILED


@pytest.mark.parametrize("phase", [Phase.SILENT, Phase.WAITING])
def test_a_silent_gate_is_waited_for_a_minute_if_no_report_can_follow(phase: Phase) -> None:
    def found(after: float, *, has_told_all: bool = True) -> Status:
        return status(FAILED, phase, after=after, ended_after=100, has_told_all=has_told_all)[0]

    assert found(159) is Status.ACTIVATING
    assert found(160) is Status.FAILED
    assert found(160, has_told_all=False) is Status.ACTIVATING


def test_a_migration_that_was_begun_is_waited_for_in_any_case() -> None:
    found, _ = status(FAILED, Phase.APPLYING, after=399, ended_after=100, has_told_all=True)

    assert found is Status.ACTIVATING


@pytest.mark.parametrize("shown", [RUNNING, LAGGING], ids=["activating", "not yet shown"])
@pytest.mark.parametrize("phase", list(Phase))
def test_what_the_service_does_not_say_is_asked_again_whatever_the_gate_says(
    shown: Service, phase: Phase
) -> None:
    assert status(shown, phase, after=3599) == (Status.ACTIVATING, None)
    assert status(shown, phase, after=3600) == (Status.OVERDUE, None)


def test_a_deployment_that_ends_just_before_its_time_limit_is_not_overdue() -> None:
    assert status(LIVE, after=3600, ended_after=3590)[0] is Status.ACTIVE
    assert status(FAILED, after=3600, ended_after=3590)[0] is Status.FAILED


def test_a_deployment_that_another_one_has_replaced_is_not_waited_for() -> None:
    assert status(REPLACED) == (Status.ACTIVE, seconds(100))


@pytest.mark.parametrize(
    "shown",
    [
        service(upcoming=deployment(8, "ACTIVATING", "r")),
        service(current=deployment(8, "ACTIVE", "r")),
        service(deployments=[deployment(8, "FAILED", "r"), deployment(7, "FAILED", "other")]),
        service(
            current=deployment(5, "ACTIVE", "r"), deployments=[deployment(8, "ACTIVATING", "r")]
        ),
    ],
)
def test_our_deployment_is_found_wherever_the_service_shows_it(shown: Service) -> None:
    found = shown.deployment_of("r")

    assert found is not None
    assert found.version == 8


def test_a_deployment_without_our_marker_belongs_to_no_release() -> None:
    assert service(current=deployment(8, "ACTIVE", None)).deployment_of("r") is None


def test_a_version_that_is_current_but_not_active_does_not_serve() -> None:
    assert not service(current=deployment(8, "ACTIVATING")).serves(8)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("state", ["ACTIVE", "INACTIVE", "FAILED"])
@pytest.mark.parametrize("marker", [None, "of-somebody-else"])
def test_the_number_of_another_deployment_says_nothing_of_ours(
    marker: str | None, state: str, phase: Phase
) -> None:
    other = deployment(8, state, marker)
    current = other if state == "ACTIVE" else deployment(9)
    shown = service(current=current, deployments=[other, current])

    found, ended_at = judge_deployment(
        replace(watch(), marker="ours"),
        shown,
        evidence(phase),
        unprotected=False,
        has_told_all=True,
        now=STARTED,
    )

    assert (found, ended_at) == (Status.ACTIVATING, None)
    assert not shown.serves_own(8, "ours")


def test_a_disabled_service_refuses_with_the_way_out() -> None:
    with pytest.raises(RefusedError) as caught:
        service(disabled=True).refuse_if_disabled()

    assert list(caught.value.reasons) == [
        "serviceName: the container service crops-backend is disabled; enable it in the Lightsail "
        "console and push again"
    ]
    service().refuse_if_disabled()


UNREAD = ["The mailbox of migrate could not be read: S3 answers SlowDown."]
UNKNOWN = ["The permit of migrate could not be read or written: S3 answers SlowDown."]


def believed_after(
    ended_for: float,
    verdict: Status,
    phase: Phase,
    *,
    unread: Sequence[str] = (),
    unknown: Sequence[str] = (),
) -> Status:
    return confirmed_status(
        verdict,
        STARTED,
        evidence(phase),
        unread=unread,
        unknown=unknown,
        now=STARTED + seconds(ended_for),
    )


@pytest.mark.parametrize("verdict", [Status.ACTIVE, Status.FAILED])
@pytest.mark.parametrize("phase", Phase)
def test_an_end_is_believed_at_once_when_all_could_be_read(verdict: Status, phase: Phase) -> None:
    assert believed_after(0, verdict, phase) is verdict


@pytest.mark.parametrize(
    ("verdict", "phase", "unread", "unknown"),
    [
        (Status.ACTIVE, Phase.SILENT, UNREAD, []),
        (Status.ACTIVE, Phase.APPLYING, UNREAD, UNKNOWN),
        (Status.FAILED, Phase.APPLYING, UNREAD, []),
        (Status.FAILED, Phase.FAILED, [], UNKNOWN),
        (Status.FAILED, Phase.FAILED, UNREAD, UNKNOWN),
    ],
)
def test_an_end_is_checked_again_until_an_outage_is_over(
    verdict: Status, phase: Phase, unread: Sequence[str], unknown: Sequence[str]
) -> None:
    for ended_for in (0, LONGEST_OUTAGE.total_seconds(), 599):
        found = believed_after(ended_for, verdict, phase, unread=unread, unknown=unknown)
        assert found is Status.ACTIVATING
    assert believed_after(600, verdict, phase, unread=unread, unknown=unknown) is verdict


@pytest.mark.parametrize(
    ("verdict", "phase", "unread", "unknown"),
    [
        (Status.ACTIVE, Phase.SUCCEEDED, UNREAD, UNKNOWN),
        (Status.ACTIVE, Phase.UNGATED, UNREAD, UNKNOWN),
        (Status.FAILED, Phase.FAILED, UNREAD, []),
    ],
)
def test_an_end_that_the_gate_has_reported_does_not_wait_for_a_second_report(
    verdict: Status, phase: Phase, unread: Sequence[str], unknown: Sequence[str]
) -> None:
    assert believed_after(0, verdict, phase, unread=unread, unknown=unknown) is verdict


def test_a_deployment_in_progress_keeps_its_status() -> None:
    for verdict in (Status.ACTIVATING, Status.OVERDUE):
        found = confirmed_status(
            verdict, None, evidence(Phase.SILENT), unread=UNREAD, unknown=UNKNOWN, now=STARTED
        )
        assert found is verdict
