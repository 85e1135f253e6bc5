"""What the command line reads of each kind of release, as the functions have recorded it."""

from datetime import timedelta

import pytest

from lightgate.aws.dynamodb_locks import Locks
from lightgate.records.release_record import RecordKind
from lightgate.records.timeline import timeline
from lightgate.release.lock import Lock, Pause
from lightgate.release.pause import pause_app
from lightgate.verification.health import HttpAnswer
from lightgate_cli.connection import Connection
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading import gather
from lightgate_cli.reading.app_status import AppStatus, Health, app_status
from lightgate_cli.reading.explaining import Answer, Explanation, explain_push
from lightgate_cli.reading.gather import all_apps, one_app, read_history
from lightgate_cli.reading.push_facts import read_push
from lightgate_cli.reading.release_facts import LogSource, read_logs, read_release
from tests.component import images
from tests.workflow.command_line.connection import WorldConnection
from tests.workflow.pushes import request
from tests.workflow.reporting_gates import released
from tests.workflow.stepper import Stepper, Walk
from tests.workflow.world import APP, PASSWORD, World, migration_failed, spec, succeeded

OK = HttpAnswer(status=200, headers={}, body=b"", took=timedelta())


class Commands:
    """The commands that read, in the world of a test."""

    def __init__(self, world: World) -> None:
        self.connection = WorldConnection(world)

    def status(self) -> AppStatus:
        facts = one_app(APP, self.connection)
        assert facts is not None
        return app_status(facts)

    def explain(self, pushed: str) -> Explanation:
        return explain_push(read_push(APP, pushed, self.connection))

    def history(self) -> list[tuple[str | None, str]]:
        found = read_history(APP, 20, self.connection)
        assert found is not None
        return [(one.tag, one.status) for one in found.records]


@pytest.fixture
def commands(world: World, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.setattr("lightgate_cli.reading.gather.ask", lambda *_: OK)
    return Commands(world)


def push_and_go(stepper: Stepper, tag: str, *, after: float) -> Walk:
    """A push just now, and so many seconds later."""
    world = stepper.world
    digest = images.push(world.cloud, APP, tag, name=tag)
    return stepper.start(request(digest, tag, after=after, since=world.clock.now()), tag)


def test_a_release_that_succeeded_is_live(good: World, commands: Commands) -> None:
    found = commands.status()

    assert found.live is not None
    assert (found.live.tag, found.live.digest) == ("latest", good.digest)
    assert (found.health, found.in_progress, found.unread) == (Health.HEALTHY, None, [])
    assert found.last is not None
    assert found.last.status == "SUCCEEDED"
    assert commands.explain("latest").answer is Answer.LIVE
    assert commands.explain(good.digest).answer is Answer.LIVE


def test_a_failed_release_leaves_the_old_version_live(good: World, commands: Commands) -> None:
    images.push(good.cloud, APP, "v3", name="v3")
    good.release(tag="v3", course=migration_failed("crops.0003_x", "no such column"))

    found, explained = commands.status(), commands.explain("v3")

    assert found.live is not None
    assert found.live.tag == "latest"
    assert found.last is not None
    assert (found.last.tag, found.last.status) == ("v3", "ROLLED_BACK")
    assert explained.answer is Answer.ROLLED_BACK
    assert explained.failure_code == "migration-error"
    assert "crops.0003_x" in explained.reasons[0]
    shown = read_release("v3", None, commands.connection).record
    assert (shown.tag, shown.status) == ("v3", "ROLLED_BACK")


@pytest.mark.usefixtures("good")
def test_a_running_release_is_in_progress_and_a_push_waits_behind_it(
    commands: Commands, stepper: Stepper
) -> None:
    running = push_and_go(stepper, "v2", after=0).run_to("Deploy")
    push_and_go(stepper, "v3", after=1).run()

    found = commands.status()

    assert found.in_progress is not None
    assert found.in_progress.tag == "v2"
    assert found.waiting is not None
    assert (found.waiting.tag, found.waiting.behind) == ("v3", found.in_progress.release)
    assert commands.history()[:2] == [("v3", "QUEUED"), ("v2", "RELEASING")]
    assert commands.explain("v2").answer is Answer.IN_PROGRESS
    waiting = commands.explain("v3")
    assert (waiting.answer, waiting.by) == (Answer.WAITING, found.in_progress.release)
    assert running.state == "Deploy"


def test_a_push_that_waited_is_one_release_once_it_has_begun(
    good: World, commands: Commands, stepper: Stepper
) -> None:
    good.lightsail.courses.extend([succeeded(), succeeded()])
    push_and_go(stepper, "v2", after=0).run_to("WaitForDeployment")
    push_and_go(stepper, "v3", after=1).run()
    stepper.run_all()

    assert commands.history()[:2] == [("v3", "SUCCEEDED"), ("v2", "SUCCEEDED")]
    assert commands.explain("v3").answer is Answer.LIVE
    replaced = commands.explain("v2")
    assert (replaced.answer, replaced.text) == (
        Answer.REPLACED,
        "v2 was live, and was replaced by v3.",
    )


@pytest.mark.usefixtures("good")
def test_a_push_that_a_newer_one_has_displaced_is_superseded(
    commands: Commands, stepper: Stepper
) -> None:
    push_and_go(stepper, "v2", after=0).run_to("WaitForDeployment")
    push_and_go(stepper, "v3", after=1).run()
    push_and_go(stepper, "v4", after=2).run()

    explained = commands.explain("v3")

    assert explained.answer is Answer.SUPERSEDED
    assert explained.text.startswith("v3 was superseded by a newer push, released as v4 (2026")
    assert commands.explain("v4").answer is Answer.WAITING


@pytest.mark.usefixtures("good")
def test_a_release_whose_execution_was_stopped_is_abandoned(
    commands: Commands, stepper: Stepper
) -> None:
    push_and_go(stepper, "v2", after=0).run_to("Deploy").stop()

    found = commands.status()

    assert found.in_progress is not None
    assert found.in_progress.is_abandoned
    assert commands.history()[0] == ("v2", "ABANDONED")
    assert commands.explain("v2").answer is Answer.ABANDONED


@pytest.mark.usefixtures("good")
def test_a_release_that_ends_between_two_reads_is_not_abandoned(
    commands: Commands, stepper: Stepper, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = push_and_go(stepper, "v2", after=0).run_to("Deploy")
    read = gather.has_ended

    def has_ended(lock: Lock, connection: Connection) -> bool:
        if lock.holder is not None:
            walk.run()
        return read(lock, connection)

    monkeypatch.setattr(gather, "has_ended", has_ended)

    found = commands.status()

    assert found.in_progress is None
    assert found.last is not None
    assert (found.last.tag, found.last.status) == ("v2", "SUCCEEDED")


def test_a_refused_release_has_its_reason(good: World, commands: Commands) -> None:
    good.put_spec(spec(secrets={"KEY": "secretsmanager:crops/none:key"}))
    images.push(good.cloud, APP, "v3", name="v3")
    good.release(tag="v3")

    explained = commands.explain("v3")

    assert (explained.answer, explained.failure_code) == (Answer.REFUSED, "secret")
    assert "crops/none" in explained.reasons[0]
    assert commands.history()[0] == ("v3", "REFUSED")


def test_a_paused_app_says_who_paused_it(good: World, commands: Commands, stepper: Stepper) -> None:
    pause = Pause(by="ann", reason="Big import", at=good.clock.now())
    Locks(good.table).change(APP, lambda lock: pause_app(lock, pause))
    push_and_go(stepper, "v3", after=0).run()

    assert commands.status().paused == pause
    explained = commands.explain("v3")
    assert (explained.answer, list(explained.reasons)) == (Answer.PAUSED, ["Big import."])


def test_a_tag_that_the_spec_does_not_watch_is_ignored(good: World, commands: Commands) -> None:
    images.push(good.cloud, APP, "nightly", name="nightly")

    assert commands.explain("nightly").answer is Answer.IGNORED


def test_a_push_without_an_event_is_expected_and_then_missed(
    good: World, commands: Commands
) -> None:
    digest = images.push(good.cloud, APP, "v7", name="v7")
    good.pushed_at(digest, good.clock.now())
    assert commands.explain("v7").answer is Answer.EVENT_EXPECTED

    good.clock.sleep(600)
    assert commands.explain("v7").answer is Answer.NEVER_SEEN
    commands.connection.reconcile_state = "DISABLED"
    assert commands.explain("v7").answer is Answer.RECONCILE_OFF


def test_a_tag_that_was_there_before_is_no_push(world: World, commands: Commands) -> None:
    images.push(world.cloud, APP, "v0", name="v0")
    world.release(course=released())
    world.clock.sleep(600)

    assert commands.explain("v0").answer is Answer.BEFORE_WATCH


@pytest.mark.usefixtures("good")
def test_what_nobody_has_pushed_is_not_found(commands: Commands) -> None:
    assert commands.explain("v99").answer is Answer.NOT_IN_REPOSITORY
    with pytest.raises(CommandError) as error:
        read_release("v99", None, commands.connection)
    assert error.value.problem is Problem.NOT_FOUND


def test_status_names_a_broken_spec_and_shows_the_rest(good: World, commands: Commands) -> None:
    good.put_spec("{")

    found = commands.status()

    assert found.live is not None
    assert found.unread[0].startswith("The spec of crops-backend is broken: ")
    assert commands.explain("v99").answer is Answer.SPEC_BROKEN


def test_an_app_whose_spec_was_deleted_is_still_shown(good: World, commands: Commands) -> None:
    good.cloud.client("ssm").delete_parameter(Name=f"/lightgate/apps/{APP}")

    [facts] = all_apps(commands.connection)

    assert app_status(facts).live is not None
    assert one_app("nobody", commands.connection) is None
    assert read_history("nobody", 20, commands.connection) is None


def test_without_an_answer_of_lightsail_status_says_so_and_shows_the_record(
    good: World, commands: Commands
) -> None:
    good.cloud.faults.refuse("lightsail.GetContainerServices", "AccessDeniedException", times=9)

    found = commands.status()

    assert found.live is not None
    assert (found.live.tag, found.live.from_record) == ("latest", True)
    assert found.health is Health.UNKNOWN
    assert found.unread == [
        "The container service could not be read: GetContainerServices answers "
        "AccessDeniedException."
    ]


def test_the_logs_of_a_running_release_come_from_lightsail_without_secrets(
    good: World, commands: Commands, stepper: Stepper
) -> None:
    told = [(0, "web", f"connecting to postgres://crops:{PASSWORD}@db/c"), (1, "web", "ready")]
    good.lightsail.courses.append(succeeded())
    good.lightsail.courses[-1].log.extend(told)
    push_and_go(stepper, "v2", after=0).run_to("WaitForDeployment")
    good.clock.sleep(60)

    found = read_logs("v2", None, commands.connection)

    assert found.source is LogSource.LIGHTSAIL
    assert "ready" in found.containers["web"]
    assert PASSWORD not in str(found)


def test_a_release_that_made_no_deployment_has_no_logs(good: World, commands: Commands) -> None:
    good.put_spec(spec(secrets={"KEY": "secretsmanager:crops/none:key"}))
    images.push(good.cloud, APP, "v3", name="v3")
    good.release(tag="v3")

    with pytest.raises(CommandError, match="it has made no deployment"):
        read_logs("v3", None, commands.connection)


def test_a_status_takes_as_many_calls_after_two_releases_as_after_one(
    good: World, commands: Commands
) -> None:
    def calls() -> list[str]:
        seen: list[str] = []
        good.cloud.faults.watch(seen.append)
        commands.status()
        good.cloud.faults.watch_no_more()
        return sorted(seen)

    first = calls()
    good.release(course=released())

    assert calls() == first
    assert len(first) <= 8


def test_a_refused_rollback_names_its_version_and_is_found_by_its_execution(
    good: World, commands: Commands
) -> None:
    ended = good.release(rollbackTo=99)

    [refused] = [
        one for one in commands.connection.releases.history(APP) if one.kind is RecordKind.ROLLBACK
    ]
    assert (ended.error, refused.status, refused.rollback_to) == ("REFUSED", "REFUSED", 99)
    assert timeline(refused)[0].text == "by a person: rollback to version 99"
    assert refused.execution is not None
    assert read_release(refused.execution, None, commands.connection).record == refused
    with pytest.raises(CommandError) as error:
        read_release(f"{refused.execution}-none", None, commands.connection)
    assert error.value.problem is Problem.NOT_FOUND
