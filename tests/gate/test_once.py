"""A command that is to be run once: by one process, with its permit, and by none after it."""

import signal
import time
from typing import Any

import pytest

from tests.gate.mailbox_gates import start as start_gate
from tests.gate.mailbox_gates import stays_shut
from tests.gate.mailbox_server import Mailbox
from tests.gate.programs import Program, Runner, eventually, shell


def start(runner: Runner, mailbox: Mailbox, script: str = "echo ran", **more: Any) -> Program:
    return start_gate(runner, mailbox, script, pending="always", **more)


def permit(mailbox: Mailbox, migrate: Program, **changes: Any) -> str:
    """Permit what the gate has told."""
    plan = str(migrate.event("plan")["hash"])
    mailbox.put_permit(**{"plan": plan, **changes})
    return plan


def looks_on(mailbox: Mailbox) -> None:
    """Wait until somebody has looked for the permit, as it is now."""
    before = mailbox.polls
    eventually(lambda: mailbox.polls > before + 2, "nothing polls for the permit")


def test_it_runs_with_its_permit_and_not_before_and_its_output_is_reported(
    runner: Runner, mailbox: Mailbox, any_python: str
) -> None:
    migrate = start(runner, mailbox, "echo ran; echo done", python=any_python)
    looks_on(mailbox)
    assert migrate.command_output == b""
    told = migrate.event("plan")
    assert (told["count"], told["class"], told["once"]) == (1, "unknown", True)
    operations = [["unknown", "sh -c echo ran; echo done"]]
    assert told["migrations"] == [{"name": "command", "operations": operations}]

    plan = permit(mailbox, migrate)

    done = migrate.event("succeeded")
    assert done["lastLines"] == ["ran", "done"]
    assert migrate.event("permitted")["hash"] == plan
    eventually(lambda: mailbox.event("result") == done, "no result")
    assert migrate.command_output.count(b"ran\n") == 1
    assert migrate.is_alive()


@pytest.mark.representatives(1)
@pytest.mark.parametrize("held", [{"state": "pending"}, {"state": "void"}, {"until": 1}], ids=str)
def test_without_its_permit_it_is_not_run(
    runner: Runner, mailbox: Mailbox, held: dict[str, Any]
) -> None:
    migrate = start(runner, mailbox, patience=8)
    permit(mailbox, migrate, **held)
    assert stays_shut(migrate)["cause"] == "permit"
    assert migrate.is_alive()


def test_of_several_nodes_one_runs_it_and_the_others_keep_still(
    runner: Runner, mailbox: Mailbox
) -> None:
    nodes = [start(runner, mailbox, patience=8) for _ in range(3)]
    for node in nodes:
        node.event("plan")

    permit(mailbox, nodes[0])

    nodes[0].event("succeeded")
    time.sleep(8.5)
    for node in nodes[1:]:
        assert node.is_alive()
        assert node.named("permitted") == node.named("applying") == node.named("failed") == []
        assert node.command_output == b""
        node.told(signal.SIGTERM)
        assert node.ends() == 143


@pytest.mark.representatives(1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_node_that_is_launched_again_does_not_run_it_again(
    runner: Runner, mailbox: Mailbox, number: int
) -> None:
    first = start(runner, mailbox, "echo ran; sleep 3")
    permit(mailbox, first)
    first.says(b"ran")
    first.told(number)
    first.ends()

    again = start(runner, mailbox)
    looks = mailbox.polls
    eventually(lambda: mailbox.polls > looks, "nothing polls for the permit")
    time.sleep(0.3)

    assert again.named("applying") == again.named("permitted") == []
    assert again.command_output == b""
    assert again.event("plan")["hash"] != first.event("plan")["hash"]


def test_its_failure_is_reported_and_it_does_not_run_again(
    runner: Runner, mailbox: Mailbox
) -> None:
    migrate = start(runner, mailbox, "echo ran; exit 3")
    permit(mailbox, migrate)
    failed = migrate.event("failed")
    assert (failed["exitCode"], failed["lastLines"]) == (3, ["ran"])
    time.sleep(0.3)
    assert migrate.is_alive()
    assert migrate.command_output.count(b"ran") == 1


def test_the_end_of_its_output_is_reported_without_secrets(
    runner: Runner, mailbox: Mailbox
) -> None:
    migrate = start(
        runner,
        mailbox,
        "seq 1 30; echo the key is $KEY",
        secretNames=["KEY"],
        environment={"KEY": "very-secret"},
    )
    permit(mailbox, migrate)
    lines = migrate.event("succeeded")["lastLines"]
    assert lines == [*map(str, range(12, 31)), "the key is ***"]


def test_without_a_mailbox_it_could_not_be_permitted_and_is_refused(runner: Runner) -> None:
    migrate = runner.supervisor(shell("echo ran"), pending="always")
    assert migrate.ends() == 2
    assert migrate.event("failed")["cause"] == "config"


def test_where_its_deployment_is_gone_back_to_it_is_not_run(
    runner: Runner, mailbox: Mailbox
) -> None:
    mailbox.put_permit()
    environment = {"LIGHTGATE_ROLLBACK": "checked", "LIGHTGATE_RELEASE": "r9-back"}
    migrate = start(runner, mailbox, environment=environment)
    assert migrate.event("succeeded")["release"] == "r9-back"
    assert migrate.command_output == b""
    assert (mailbox.polls, mailbox.objects.keys()) == (0, {"permit", "classifier"})


def test_a_command_that_runs_at_every_start_does_not_report_its_output(
    runner: Runner, mailbox: Mailbox
) -> None:
    mailbox.put_permit()
    migrate = start_gate(runner, mailbox)
    assert "lastLines" not in migrate.event("succeeded")
