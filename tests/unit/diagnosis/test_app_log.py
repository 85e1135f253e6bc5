"""Reading what an app, and anybody who can write to its output, has written."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lightgate.diagnosis.app_log import AppLog, read_app_log
from tests.support.builders import RELEASE, gate_line


def read(*lines: str, secrets: tuple[str, ...] = ()) -> AppLog:
    return read_app_log("web", lines, version=8, release=RELEASE, secrets=secrets)


def test_lines_of_the_app_lightsail_and_the_gate_are_distinguished() -> None:
    log = read(
        "[deployment:8] Creating your deployment",
        "[deployment:8] Started 1 new node",
        gate_line("open", container="web"),
        "Booting worker with pid: 7",
        "[deployment:8] Took too long",
    )

    assert replace(log, phrases={}) == AppLog(
        lines=("Booting worker with pid: 7",),
        system=("Creating your deployment", "Started 1 new node", "Took too long"),
        starts=1,
    )


def test_a_traceback_in_a_line_of_json_is_read_as_lines() -> None:
    told = {"level": "error", "exc_info": "Traceback (most recent call last):\n  x\nKeyError: 'y'"}

    log = read(json.dumps(told), '{"level": "info"}', "{Traceback (most recent call last):")

    assert log.lines[:3] == ("Traceback (most recent call last):", "  x", "KeyError: 'y'")
    assert log.lines[3:] == ('{"level": "info"}', "{Traceback (most recent call last):")


def test_what_came_before_the_deployment_is_left_out() -> None:
    log = read(
        "Traceback of last week",
        "[deployment:7] Finalizing your deployment",
        "[deployment:8] Creating your deployment",
        "Booting",
    )

    assert log.lines == ("Booting",)
    assert log.system == ("Creating your deployment",)


def test_however_much_the_version_that_serves_has_to_do_it_pushes_nothing_out() -> None:
    served = '127.0.0.1 - - [22/Nov/2026:19:03:37 +0000] "GET / HTTP/1.1" {} 219 "-" "curl/8"'

    log = read("Booting", *[served.format(200)] * 500, served.format(500), served.format(302))

    assert log.lines == ("Booting", served.format(500), served.format(302))


def test_each_start_of_the_command_is_counted_and_those_of_other_releases_are_not() -> None:
    log = read(
        gate_line("open", container="web"),
        gate_line("open", container="web"),
        gate_line("open", container="other"),
        gate_line("open", container="web", release="another"),
        gate_line("failed", container="web", cause="exec", error="cannot run 'gunicron'"),
    )

    assert log.starts == 2
    assert log.exec_error == "cannot run 'gunicron'"


def test_a_secret_is_masked_wherever_it_stands_and_however_it_looks() -> None:
    log = read(
        "connecting with hunter22hunter22",
        "postgresql://crops:s3cr3t@db.example:5432/crops refused",
        "SECRET_KEY = 'django-insecure-1', password: geheim",
        "the password reset page is there",
        secrets=("hunter22", "hunter22hunter22", "of"),
    )

    assert log.lines == (
        "connecting with ***",
        "postgresql://crops:***@db.example:5432/crops refused",
        "SECRET_KEY = '***', password: ***",
        "the password reset page is there",
    )


def test_each_line_of_a_secret_and_the_password_in_a_url_are_masked() -> None:
    log = read(
        "MIIEvQIBADANBg and more",
        "password authentication failed: s3cr3t-word",
        gate_line("failed", container="web", cause="exec", error="cannot run 's3cr3t-word'"),
        secrets=("-----BEGIN-----\nMIIEvQIBADANBg\n", "postgresql://crops:s3cr3t-word@db/crops"),
    )

    assert log.lines == ("*** and more", "password authentication failed: ***")
    assert log.exec_error == "cannot run '***'"


@given(st.lists(st.text() | st.binary().map(lambda b: b.decode("latin-1"))))
def test_no_junk_breaks_the_reader(lines: list[str]) -> None:
    log = read(*lines)

    assert all(line.isprintable() for line in log.lines)


def test_a_log_without_end_stays_small() -> None:
    log = read(*["x" * 9000] * 5000, *["[deployment:8] Started 1 new node"] * 5000)

    assert len(json.dumps([log.lines, log.system])) < 110_000
