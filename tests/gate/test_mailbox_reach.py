"""How a gate reaches its mailbox, or names what is in the way: network, TLS, certificates."""

import os
import signal
import time
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from lightgate.gate import programs
from tests.gate.mailbox_gates import start, stays_shut
from tests.gate.mailbox_server import Mailbox, make_certificate, running_mailbox
from tests.gate.programs import Runner, eventually, free_port


@pytest.mark.slow
def test_nobody_listening_is_named(runner: Runner, mailbox: Mailbox) -> None:
    mailbox.url = mailbox.url.replace(mailbox.url.split("/")[2], f"127.0.0.1:{free_port()}")
    failed = stays_shut(start(runner, mailbox, reach=5))
    assert failed["cause"] == "mailbox"
    assert "refused" in failed["error"]


@pytest.mark.slow
def test_a_name_that_does_not_resolve_is_named(runner: Runner, mailbox: Mailbox) -> None:
    mailbox.url = mailbox.url.replace(mailbox.url.split("/")[2], "no-such-bucket.invalid")
    failed = stays_shut(start(runner, mailbox, reach=5))
    assert failed["cause"] == "mailbox"
    assert "gaierror" in failed["error"]


def test_a_mailbox_that_never_answers_is_out_of_reach(runner: Runner, mailbox: Mailbox) -> None:
    mailbox.put_permit()
    mailbox.is_deaf = True
    failed = stays_shut(start(runner, mailbox, reach=0.5))
    assert failed["cause"] == "mailbox"
    assert "out of reach for 0.5 s" in failed["error"]


@pytest.mark.slow
def test_a_response_that_drips_is_cut_off_and_requested_again(
    runner: Runner, mailbox: Mailbox
) -> None:
    text = files(programs).joinpath("s3_client.py").read_text()
    mailbox.put_permit()
    mailbox.drips = True
    migrate = start(runner, mailbox, s3_client=text.replace("LIMIT = 20", "LIMIT = 1"))
    migrate.event("waiting")
    time.sleep(1.5)
    assert migrate.named("permitted") == []

    mailbox.drips = False

    migrate.event("succeeded")


def test_an_s3_client_that_is_killed_is_followed_by_another(
    runner: Runner, mailbox: Mailbox
) -> None:
    migrate = start(runner, mailbox)
    eventually(lambda: mailbox.polls > 0, "nothing polls for the permit")
    children = Path(f"/proc/{migrate.process.pid}/task/{migrate.process.pid}/children")
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    seen = mailbox.polls

    eventually(lambda: mailbox.polls > seen + 1, "nothing polls any more")

    mailbox.put_permit()
    migrate.event("succeeded")


# TLS


def test_a_mailbox_is_reached_over_tls(runner: Runner, tmp_path: Path, any_python: str) -> None:
    certificate = make_certificate(tmp_path / "server.pem")
    with running_mailbox(certificate) as mailbox:
        mailbox.put_permit()
        trust = {"SSL_CERT_FILE": str(certificate)}
        start(runner, mailbox, python=any_python, environment=trust).event("succeeded")
        eventually(lambda: bool(mailbox.event("result")), "no result")


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    ("lasts", "trust", "why"),
    [
        (1, "others", "do not know who has signed"),
        (1, "nowhere", "SSL_CERT_FILE is '/nowhere.pem', which does not exist"),
        (1, "nobody", "the image has no CA certificates"),
        (-1, "server", "is the clock right?"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_named_and_never_accepted(
    runner: Runner, tmp_path: Path, any_python: str, lasts: int, trust: str, why: str
) -> None:
    certificate = make_certificate(tmp_path / "server.pem", lasts=timedelta(days=lasts))
    make_certificate(tmp_path / "others.pem")
    (tmp_path / "empty").mkdir()
    trusted = {
        "nowhere": {"SSL_CERT_FILE": "/nowhere.pem"},
        "nobody": {"SSL_CERT_FILE": "", "SSL_CERT_DIR": str(tmp_path / "empty")},
    }.get(trust, {"SSL_CERT_FILE": str(tmp_path / f"{trust}.pem")})
    with running_mailbox(certificate) as mailbox:
        mailbox.put_permit()
        failed = stays_shut(start(runner, mailbox, python=any_python, environment=trusted))
    assert failed["cause"] == "mailbox"
    assert failed["error"].startswith("TLS: ")
    assert why in failed["error"]
    assert mailbox.objects.keys() == {"permit", "classifier"}
