"""A right that the person lacks costs the part of the answer that needs it, or is named."""

from collections.abc import Callable

import pytest

from lightgate_cli.connection import Target, reaching_aws
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading.app_status import app_status
from lightgate_cli.reading.explaining import Answer, explain_push
from lightgate_cli.reading.gather import all_apps, one_app, read_history
from lightgate_cli.reading.push_facts import read_push
from lightgate_cli.reading.release_facts import read_logs, read_release
from tests.component import images
from tests.workflow.command_line.connection import WorldConnection
from tests.workflow.command_line.test_reading import OK, push_and_go
from tests.workflow.stepper import Stepper
from tests.workflow.world import APP, World

type Command = Callable[[WorldConnection], object]
COMMANDS: dict[str, Command] = {
    "status": lambda aws: [app_status(each) for each in all_apps(aws)],
    "status-app": lambda aws: app_status(facts) if (facts := one_app(APP, aws)) else None,
    "history": lambda aws: read_history(APP, 20, aws),
    "explain": lambda aws: explain_push(read_push(APP, "v2", aws)),
    "explain-missed": lambda aws: explain_push(read_push(APP, "v7", aws)),
    "show": lambda aws: read_release("latest", None, aws),
    "show-running": lambda aws: read_release("v2", None, aws),
    "logs": lambda aws: read_logs("latest", None, aws),
}
# Without these nothing is known: the spec, the records and the lock.
NEEDED = ("ssm.", "dynamodb.")


@pytest.fixture
def busy(good: World, stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> WorldConnection:
    """An app with a live version, a release in progress, and a push that was missed."""
    monkeypatch.setattr("lightgate_cli.reading.gather.ask", lambda *_: OK)
    push_and_go(stepper, "v2", after=0).run_to("Deploy")
    images.push(good.cloud, APP, "v7", name="v7")
    return WorldConnection(good)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("name", COMMANDS)
def test_each_call_that_is_denied_costs_its_part_of_the_answer(
    good: World, busy: WorldConnection, name: str
) -> None:
    command, faults = COMMANDS[name], good.cloud.faults
    calls: list[str] = []
    faults.watch(calls.append)
    command(busy)
    faults.watch_no_more()

    denied = set()
    for call in set(calls):
        faults.refuse(call, "AccessDeniedException", times=99)
        try:
            with reaching_aws(Target()):
                command(busy)
        except CommandError as error:
            denied.add((call, error.problem))
        faults.forgive(call)

    assert all(problem is Problem.DENIED for _, problem in denied)
    assert [call for call, _ in denied if not call.startswith(NEEDED)] == []


@pytest.mark.usefixtures("busy")
def test_without_lightsail_a_live_push_is_explained_by_the_last_record(
    good: World, busy: WorldConnection
) -> None:
    good.cloud.faults.refuse("lightsail.GetContainerServices", "AccessDeniedException", times=9)

    found = explain_push(read_push(APP, "latest", busy))

    assert found.answer is Answer.LIVE
    assert found.reasons == [
        "The live version is read from the record of the last release. The container "
        "service could not be read: GetContainerServices answers AccessDeniedException."
    ]
