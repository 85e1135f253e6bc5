"""`lightgate status`: the text for each state of an app."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lightgate.records.release_record import RecordKind, StageName
from lightgate.release.lock import Lock, Pause, QueueRehearsal
from lightgate_cli import status
from lightgate_cli.reading.app_facts import AppFacts
from lightgate_cli.reading.app_status import AppStatus, Health, app_status
from lightgate_cli.reading.progress import Progress
from tests.cli import releases
from tests.cli.golden import PIPE, TERMINAL, assert_fits_a_terminal, assert_golden
from tests.cli.releases import APP, BACK, NOW, V3, V21, record
from tests.support.builders import app_spec

V4 = "20261129t091250z-5d5d5d5d-aaaa"
V5 = "20261129t091400z-6e6e6e6e-bbbb"


def facts(**changes: Any) -> AppFacts:
    """The facts after the demo, with these changes."""
    told: dict[str, Any] = {
        "app": APP,
        "now": NOW,
        "spec": app_spec(repository=APP, database={"instance": f"{APP}-db"}),
        "lock": Lock(),
        "history": releases.demo(),
        "versions": releases.versions(),
        "service": releases.service(),
        "was_asked": True,
    }
    return AppFacts(**told | changes)


def running(**changes: Any) -> AppFacts:
    """A release of v4 takes its snapshot."""
    v4 = record(V4, "v4", "RELEASING")
    progress = Progress(
        stage=StageName.SNAPSHOT,
        since=NOW - timedelta(seconds=100),
        expected=timedelta(minutes=3),
    )
    told: dict[str, Any] = {
        "lock": releases.lock(holder=releases.holder(V4)),
        "history": [v4, *releases.demo()],
        "running": progress,
    }
    return facts(**told | changes)


def rehearsed_first() -> AppFacts:
    push = f"{APP}-next"
    rehearsal = QueueRehearsal(name=f"rehearse-{push}", push=push, request={})
    waits = releases.waiting(V5, "v5")
    return facts(lock=releases.lock(waiting=waits, to_rehearse=push, rehearsal=rehearsal))


def waiting() -> AppFacts:
    found = running()
    lock = replace(found.lock, waiting=releases.waiting(V5, "v5"))
    return replace(found, lock=lock, history=[record(V5, "v5", "QUEUED"), *found.history])


def paused() -> AppFacts:
    pause = Pause(by="arn:aws:iam::123456789012:user/ann", reason="migration window", at=NOW)
    lock = releases.lock(waiting=releases.waiting(V5, "v5"), paused=pause)
    return facts(lock=lock, history=[record(V5, "v5", "QUEUED"), *releases.demo()])


def rehearsing() -> AppFacts:
    v4 = record(V4, "v4", "RELEASING", kind=RecordKind.REHEARSAL)
    return facts(rehearsals=[replace(v4, started_at=NOW - timedelta(minutes=12))])


def test_the_live_version_is_the_one_that_lightsail_shows() -> None:
    found = app_status(facts())

    assert found.live is not None
    assert (found.live.version, found.live.tag, found.live.release) == (5, "v2.1", BACK)
    assert found.live.digest == releases.digest(V21)
    assert found.health is Health.HEALTHY
    assert not found.live.from_record


def test_without_lightsail_the_record_says_what_was_live() -> None:
    unread = ["The container service could not be read: GetContainerServices answers Timeout."]

    found = app_status(facts(service=None, was_asked=False, unread=unread))

    assert found.live is not None
    assert (found.live.version, found.live.tag, found.live.from_record) == (5, "v2.1", True)
    assert found.unread == unread
    assert "by the record of the last release" in told(found)


def test_a_version_that_another_tool_deployed_has_no_tag() -> None:
    found = app_status(facts(service=releases.service(current=releases.shown(7, None, "ACTIVE"))))

    assert found.live is not None
    assert (found.live.version, found.live.tag, found.live.digest) == (7, None, None)
    assert "Live         version 7, since" in told(found)


def test_a_record_of_a_deleted_service_names_no_version_of_the_new_one() -> None:
    new = releases.shown(5, "20261129t091300z-00000000-cccc", "ACTIVE")

    found = app_status(facts(service=releases.service(current=new)))

    assert found.live is not None
    assert found.live.tag is None


@pytest.mark.parametrize(
    ("changes", "health"),
    [
        ({"answer_problem": "GET / returned 500 (expected 200)"}, Health.UNHEALTHY),
        ({"was_asked": False}, Health.HEALTHY),
        ({"was_asked": False, "history": []}, Health.UNCHECKED),
        ({"service": releases.service(current=None), "was_asked": False}, Health.NOTHING_LIVE),
        ({"service": releases.service(disabled=True)}, Health.DISABLED),
        ({"service": None, "was_asked": False, "history": []}, Health.UNKNOWN),
    ],
)
def test_health_is_the_answer_of_now_or_else_what_is_on_record(
    changes: Any, health: Health
) -> None:
    assert app_status(facts(**changes)).health is health


def test_a_rollback_goes_to_the_newest_other_code_and_is_judged_by_all_migrations_since() -> None:
    found = app_status(facts()).rollback

    assert found is not None
    assert (found.version, found.tag, found.is_safe) == (2, "v2", False)
    assert found.reasons == ("This release has changed rows.",)


def test_a_rollback_over_releases_that_applied_nothing_is_safe() -> None:
    known = {number: one for number, one in releases.versions().items() if number < 6}
    listed = [one for one in releases.service().deployments if one.version < 6]

    found = app_status(facts(versions=known, service=releases.service(deployments=listed))).rollback

    assert found is not None
    assert (found.tag, found.is_safe) == ("v2", True)


def test_no_rollback_is_called_safe_while_the_versions_are_unknown() -> None:
    assert app_status(facts(versions=None)).rollback is None


def test_the_last_release_is_the_last_that_ran_to_an_end() -> None:
    newer = [
        record("20261129t091400z-aaaaaaaa-0001", "v5", "DUPLICATE"),
        record("20261129t091300z-bbbbbbbb-0002", "v4", "SUPERSEDED"),
    ]

    found = app_status(facts(history=[*newer, *releases.demo()])).last

    assert found is not None
    assert (found.release, found.status) == (V3, "ROLLED_BACK")


def test_a_release_without_an_outcome_is_abandoned_once_its_execution_has_ended() -> None:
    found = app_status(running(running=None, has_ended=True))

    assert found.in_progress is not None
    assert found.in_progress.is_abandoned
    assert "v4: abandoned" in told(found)


def test_a_release_that_lost_its_lock_without_an_outcome_is_the_last_one() -> None:
    found = app_status(facts(history=[record(V4, "v4", "RELEASING"), *releases.demo()])).last

    assert found is not None
    assert (found.release, found.status) == (V4, "ABANDONED")


def told(found: AppStatus) -> str:
    return "\n".join(line.plain for line in status.block(found, width=PIPE))


def named() -> dict[str, AppFacts]:
    no_record = facts(
        history=[], versions={}, service=releases.service(current=None, deployments=[])
    )
    unread = ["The container service could not be read: GetContainerServices answers Timeout."]
    return {
        "after-the-demo": facts(),
        "running": running(),
        "waiting": waiting(),
        "rehearsed-first": rehearsed_first(),
        "paused": paused(),
        "abandoned": running(running=None, has_ended=True),
        "rehearsing": rehearsing(),
        "unhealthy": facts(answer_problem="GET / returned 500 (expected 200-499)"),
        "unread": facts(service=None, was_asked=False, unread=unread),
        "new": replace(no_record, was_asked=False),
    }


@pytest.mark.parametrize("name", named())
@pytest.mark.parametrize("width", [TERMINAL, PIPE], ids=["terminal", "pipe"])
def test_the_status_of_an_app_reads_as_its_golden_file(name: str, width: int | None) -> None:
    lines = status.block(app_status(named()[name]), width=width)

    assert_golden(f"status-{name}-{'pipe' if width is PIPE else 'terminal'}", lines)
    if width is not PIPE:
        assert_fits_a_terminal(lines, but=("https://",))


@pytest.mark.parametrize("width", [TERMINAL, PIPE], ids=["terminal", "pipe"])
def test_the_table_of_all_apps_has_one_line_for_each(width: int | None) -> None:
    apps = [replace(each, app=f"{name}-app") for name, each in named().items()]

    lines = status.lines([app_status(each) for each in apps], NOW, width=width)

    assert_golden(f"status-{'pipe' if width is PIPE else 'terminal'}", lines)
    if width is not PIPE:
        assert_fits_a_terminal(lines)


def test_the_example_of_the_documentation() -> None:
    other = replace(running(), app="herd-api")

    lines = status.lines([app_status(facts()), app_status(other)], NOW, width=PIPE)

    assert_golden("status-example-pipe", lines)


def test_a_terminal_of_80_columns_shows_the_table_whatever_the_names() -> None:
    long = replace(running(), app="a-very-long-name-of-an-app-with-40-letter")

    assert_fits_a_terminal(status.lines([app_status(long)], NOW, width=TERMINAL))
