"""What is pending waits for its permit, whatever the mailbox does."""

import json
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from lightgate.gate.packaging import program_text
from lightgate.gate.programs.supervisor.permit import read_permit
from tests.gate.mailbox_gates import start, stays_shut
from tests.gate.mailbox_server import PATIENT, Mailbox
from tests.gate.programs import (
    RELEASE,
    Runner,
    eventually,
    free_port,
    resident_kilobytes,
    shell,
)

# The permit


def test_the_command_runs_when_it_is_permitted_and_not_before(
    runner: Runner, mailbox: Mailbox, any_python: str
) -> None:
    migrate = start(runner, mailbox, python=any_python)
    eventually(lambda: mailbox.polls > 2, "nothing polls for the permit", migrate)
    assert migrate.command_output == b""

    mailbox.put_permit()

    migrate.event("succeeded")
    assert migrate.event("permitted")["hash"] == "unknown"
    assert b"ran" in migrate.command_output
    assert migrate.errors == b""


def test_the_mailbox_gets_the_events_of_the_log(runner: Runner, mailbox: Mailbox) -> None:
    mailbox.put_permit()
    migrate = start(runner, mailbox)
    eventually(lambda: bool(mailbox.event("result")), "no result")

    assert mailbox.event("plan") == migrate.event("plan")
    assert mailbox.event("result") == migrate.event("succeeded")
    assert mailbox.event("status")["event"] in ("waiting", "permitted", "applying")


@pytest.mark.parametrize("after_failure", ["exit", "hold"])
def test_a_failure_reaches_the_mailbox(
    runner: Runner, mailbox: Mailbox, after_failure: str
) -> None:
    mailbox.put_permit()
    migrate = start(runner, mailbox, "echo no; exit 3", afterFailure=after_failure)
    if after_failure == "exit":
        assert migrate.ends() == 3
    eventually(lambda: bool(mailbox.event("result")), "no result")
    assert mailbox.event("result") == migrate.event("failed")


NOT_YET: dict[str, Any] = {
    "missing": None,
    "pending": {"state": "pending", "plan": None, "until": None},
    "for another plan": {"plan": "ab12"},
    "of an unknown state": {"state": "GRANTED"},
    "without an end": {"until": None},
    "with an end in words": {"until": "tomorrow"},
    "without a plan": {"plan": None},
    "junk": b"\xff<html>",
    "empty": b"",
    "a list": b"[]",
    "too deep": b"[" * 50_000,
    "too long": b'{"a": "' + b"x" * 100_000,
}


@pytest.mark.representatives(3)
@pytest.mark.parametrize("held", NOT_YET.values(), ids=NOT_YET)
def test_what_is_no_permit_of_this_plan_is_waited_out(
    runner: Runner, mailbox: Mailbox, held: Any
) -> None:
    if isinstance(held, dict):
        mailbox.put_permit(**held)
    elif held is not None:
        mailbox.objects["permit"] = held

    migrate = start(runner, mailbox)
    eventually(lambda: "why" in str(migrate.named("waiting")), "it does not say why", migrate)
    eventually(lambda: mailbox.polls > 2, "nothing polls for the permit")

    assert migrate.named("permitted") == migrate.named("applying") == []
    mailbox.put_permit()
    migrate.event("succeeded")


@pytest.mark.slow
def test_the_wait_for_a_permit_has_a_limit(runner: Runner, mailbox: Mailbox) -> None:
    mailbox.put_permit(state="pending")

    failed = stays_shut(start(runner, mailbox, patience=8))

    assert failed["cause"] == "permit"
    assert failed["error"] == "no permit within 8 s: the permit is not granted"


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ({"state": "void", "reason": "another release took over"}, "another release took over"),
        ({"state": "void", "plan": None}, "the permit is void"),
        ({"release": "20260102t030405z-0a1b2c3d-ffff"}, "for another release"),
        ({"release": None}, "for another release"),
        ({"until": 1}, "has expired"),
        ({"until": float("nan")}, "has expired"),
    ],
    ids=str,
)
def test_what_can_never_become_a_permit_ends_the_wait(
    runner: Runner, mailbox: Mailbox, held: dict[str, Any], why: str
) -> None:
    mailbox.put_permit(**held)

    failed = stays_shut(start(runner, mailbox))

    assert failed["cause"] == "permit"
    assert why in failed["error"]
    eventually(lambda: mailbox.event("result") == failed, "the mailbox has no result")


def test_a_permit_withdrawn_while_it_is_waited_for_ends_the_wait(
    runner: Runner, mailbox: Mailbox
) -> None:
    mailbox.put_permit(plan="ab12")
    migrate = start(runner, mailbox)
    eventually(lambda: mailbox.polls > 1, "nothing polls for the permit")

    mailbox.put_permit(plan="ab12", state="void", reason="refused: by policy")

    assert "refused: by policy" in stays_shut(migrate)["error"]


def test_nothing_pending_needs_nobody(runner: Runner, mailbox: Mailbox) -> None:
    mailbox.refusal = (404, "NoSuchBucket", "The specified bucket does not exist")
    migrate = start(runner, mailbox, pendingCommand=["true"])
    migrate.event("succeeded")
    assert migrate.named("applying") == []
    assert migrate.named("waiting") == []


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("refusal", "cause", "why"),
    [
        ((403, "AccessDenied", "Request has expired"), "mailbox", "Request has expired"),
        ((400, "ExpiredToken", "The provided token has expired."), "mailbox", "ExpiredToken"),
    ],
)
def test_urls_that_have_expired_end_the_wait(
    runner: Runner, mailbox: Mailbox, refusal: tuple[int, str, str], cause: str, why: str
) -> None:
    mailbox.put_permit()
    mailbox.refusal = refusal
    failed = stays_shut(start(runner, mailbox))
    assert failed["cause"] == cause
    assert why in failed["error"]


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("refusal", "cause"),
    [
        ((404, "NoSuchBucket", "The specified bucket does not exist"), "permit"),
        ((503, "SlowDown", "Please reduce your request rate."), "mailbox"),
    ],
)
def test_a_mailbox_that_is_lost_in_the_middle_is_waited_out(
    runner: Runner, mailbox: Mailbox, refusal: tuple[int, str, str], cause: str
) -> None:
    migrate = start(runner, mailbox, patience=8)
    eventually(lambda: mailbox.polls > 0, "nothing polls for the permit")
    mailbox.refusal = refusal
    mailbox.put_permit()

    failed = stays_shut(migrate)

    assert failed["cause"] == cause
    assert f"{refusal[0]} {refusal[1]}" in failed["error"]


def test_a_mailbox_that_comes_back_in_time_is_used(runner: Runner, mailbox: Mailbox) -> None:
    mailbox.refusal = (503, "SlowDown", "Please reduce your request rate.")
    migrate = start(runner, mailbox)
    eventually(lambda: "503" in str(migrate.events), "nothing polls for the permit")
    mailbox.put_permit()
    mailbox.refusal = None

    migrate.event("succeeded")
    eventually(lambda: mailbox.event("plan") == migrate.event("plan"), "no plan")


# What it costs, and what it keeps to itself


def test_the_urls_are_shown_to_nobody(runner: Runner, mailbox: Mailbox) -> None:
    look = "env; tr '\\0' ' ' < /proc/$PPID/cmdline; for p in /proc/[0-9]*; do cat $p/cmdline; done"
    migrate = start(runner, mailbox, f"{look} 2> /dev/null; exit 1")
    eventually(lambda: mailbox.polls > 0, "nothing polls for the permit")
    children = Path(f"/proc/{migrate.process.pid}/task/{migrate.process.pid}/children").read_text()
    shown = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.split()]
    mailbox.put_permit()
    migrate.event("failed")

    for text in (*shown, migrate.output, migrate.errors, *mailbox.objects.values()):
        assert b"secret-of" not in text
        assert b"LIGHTGATE_MAILBOX=" not in text


def test_waiting_for_a_permit_takes_little_memory(runner: Runner, mailbox: Mailbox) -> None:
    migrate = start(runner, mailbox)
    eventually(lambda: mailbox.polls > 2, "nothing polls for the permit")
    assert resident_kilobytes(migrate.process.pid) <= 16 * 1024


def test_a_signal_ends_a_gate_that_waits_for_a_permit(runner: Runner, mailbox: Mailbox) -> None:
    migrate = start(runner, mailbox)
    eventually(lambda: mailbox.polls > 0, "nothing polls for the permit")
    migrate.told(signal.SIGTERM)
    assert migrate.ends() == 143
    assert migrate.named("failed") == []
    assert b'"event": "stopped"' in mailbox.objects["status"]


def test_an_s3_client_does_not_outlive_its_gate(runner: Runner, mailbox: Mailbox) -> None:
    migrate = start(runner, mailbox)
    eventually(lambda: mailbox.polls > 0, "nothing polls for the permit")
    children = Path(f"/proc/{migrate.process.pid}/task/{migrate.process.pid}/children").read_text()
    migrate.told(signal.SIGKILL)
    migrate.ends()
    clients = [Path(f"/proc/{pid}") for pid in children.split()]
    assert clients
    eventually(lambda: not any(client.exists() for client in clients), "an S3 client is left")


def test_nobody_is_left_beside_a_gate_that_is_open(runner: Runner, mailbox: Mailbox) -> None:
    mailbox.put_permit()
    migrate = start(runner, mailbox)
    eventually(lambda: bool(mailbox.event("result")), "no result")
    children = Path(f"/proc/{migrate.process.pid}/task/{migrate.process.pid}/children")
    eventually(lambda: children.read_text() == "", "somebody is left")


def test_a_dead_mailbox_is_not_polled_for_ever(runner: Runner, mailbox: Mailbox) -> None:
    mailbox.url = mailbox.url.replace(mailbox.url.split("/")[2], f"127.0.0.1:{free_port()}")
    migrate = start(runner, mailbox, pendingCommand=["true"])
    migrate.event("succeeded")
    children = Path(f"/proc/{migrate.process.pid}/task/{migrate.process.pid}/children")

    def is_left_alone() -> bool:
        for _ in range(10):
            if children.read_text():
                return False
            time.sleep(0.1)
        return True

    eventually(is_left_alone, "somebody is left, or comes again and again", migrate)


@pytest.mark.parametrize(
    "urls", ["", "[]", "{}", '{"url": 1}', '{"url": "http://x", "signatures": {"permit": "a"}}']
)
def test_wrong_urls_are_refused(runner: Runner, mailbox: Mailbox, urls: str) -> None:
    migrate = start(runner, mailbox, environment={"LIGHTGATE_MAILBOX": urls})
    assert migrate.ends() == 2
    assert migrate.event("failed")["cause"] == "config"


@pytest.mark.parametrize("key", PATIENT)
@pytest.mark.parametrize("value", [None, "1", -1])
def test_a_wrong_limit_is_refused(runner: Runner, mailbox: Mailbox, key: str, value: Any) -> None:
    migrate = runner.supervisor(
        [program_text("s3_client"), "true"],
        mailbox={**PATIENT, key: value},
        options=mailbox.options(),
    )
    assert migrate.ends() == 2
    assert migrate.event("failed")["cause"] == "config"


def test_only_a_grant_for_this_release_and_plan_that_has_time_left_is_a_permit() -> None:
    permit = {"release": RELEASE, "plan": "p", "state": "granted", "until": 100}
    look = {"status": 200, "now": 40}

    def permits(change: dict[str, Any], **seen: Any) -> float | None:
        body = json.dumps({**permit, **change})
        return read_permit({**look, "body": body, **seen}, RELEASE, "p")[0]

    assert permits({}) == 60
    wrongs: list[dict[str, Any]] = [
        *({key: value} for key in permit for value in (None, "", 0, "x", [], {}, True)),
        {"state": "pending"},
        {"state": "void"},
        {"until": 40},
    ]
    assert [wrong for wrong in wrongs if permits(wrong)] == []
    assert not permits({}, now=None)
    assert not permits({}, now=100)
    assert not any(permits({}, status=status) for status in (201, 204, 206, 304, 403, 404, 500))


@pytest.mark.parametrize(
    ("status", "cause"), [(404, "permit"), (403, "permit"), (301, "mailbox"), (503, "mailbox")]
)
def test_a_refusal_is_the_permit_s_where_it_may_be_missing_and_else_the_mailbox_s(
    status: int, cause: str
) -> None:
    body = "<Error><Code>SomeCode</Code><Message>Some words.</Message></Error>"

    seen = read_permit({"status": status, "body": body, "now": 40}, RELEASE, "p")

    assert seen == (None, cause, f"{status} SomeCode Some words.", "")


# The credentials that Lightsail gives to containers


def test_the_gate_leaves_the_credentials_of_the_container_to_the_app(
    runner: Runner, mailbox: Mailbox
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as endpoint:
        endpoint.settimeout(0.2)
        address = f"http://127.0.0.1:{endpoint.getsockname()[1]}/of-the-role"
        mailbox.put_permit()
        migrate = start(
            runner,
            mailbox,
            'echo "$AWS_EXECUTION_ENV"; test -n "$AWS_CONTAINER_CREDENTIALS_FULL_URI" && echo ran',
            environment={
                "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": address,
            },
        )
        eventually(lambda: bool(mailbox.event("result")), "no result")
        with pytest.raises(TimeoutError):
            endpoint.accept()

    assert migrate.command_output.split() == [b"AWS_ECS_FARGATE", b"ran"]
    assert mailbox.event("result") == migrate.event("succeeded")
    written = (
        migrate.output
        + json.dumps([mailbox.event(name) for name in ("status", "plan", "result")]).encode()
    )
    assert b"of-the-role" not in written


def test_a_python_that_does_not_know_its_own_path_reaches_the_mailbox(
    runner: Runner, mailbox: Mailbox, any_python: str
) -> None:
    mailbox.put_permit()
    command = ["bash", "-c", 'exec -a python3-of-nowhere "$0" "$@"']
    options = {**mailbox.options(), "prefix": command}
    migrate = runner.supervisor(
        [program_text("s3_client"), *shell("echo ran")],
        python=any_python,
        mailbox=mailbox.limits,
        options=options,
    )
    migrate.event("succeeded")
    eventually(lambda: bool(mailbox.event("result")), "no result")
