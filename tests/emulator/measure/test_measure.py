"""The measuring script finds out, at the emulator, how the emulator was set."""

import subprocess
import sys

import pytest

from local.lightsail.measure.__main__ import main
from tests.emulator.emulator import ROOT

# On a busy machine a program that ends at once takes a while: it must not count as steady by then.
STEADY = "--settle-time=60"
QUICK = ("digest", "--digest-images=refuse", "--digest-images refuse")
CASES = [
    ("exit-zero", "--exit-zero=tolerate", "--exit-zero tolerate"),
    ("exit-zero", "--exit-zero=fail", "--exit-zero fail"),
    ("exit-zero", "--exit-scope=container", "--exit-scope container"),
    ("exit-zero", "--exit-scope=node", "--exit-scope node"),
    ("exit-nonzero", "--exit-nonzero=fail", "--exit-nonzero fail"),
    ("exit-nonzero", "--exit-nonzero=restart", "--exit-nonzero restart"),
    ("exit-after-active", "--relaunch-limit=2", "it was started 2 times"),
    ("time-to-fail", "--relaunch-limit=2", "--relaunch-limit 2"),
    ("time-to-fail", "--unhealthy-node=relaunch", "--unhealthy-node relaunch"),
    QUICK,
    ("digest", "--digest-images=accept", "--digest-images accept"),
    ("entrypoint", "--command-mode=entrypoint", "--command-mode entrypoint"),
    ("entrypoint", "--command-mode=cmd", "--command-mode cmd"),
    ("refusals", "--time-to-update=120", "DISABLED, deploy: InvalidInputException"),
    ("refusals", "--busy-error-text=wait", "--busy-error-text wait"),
    ("refusals", "--busy-delete-text=busy", "--busy-delete-text busy"),
    ("log", "--log-page-size=7", "--log-page-size 7"),
    ("log", "--unknown-container-log=refuse", "--unknown-container-log refuse"),
    ("log", "--system-lines=first", "--system-lines first"),
    ("log", "--log-end=same-token", "--log-end same-token"),
    ("state-detail", "--next-failed-visible=true", "--next-failed-visible true"),
    ("state-detail", "--state-detail-at-create=true", "--state-detail-at-create true"),
    ("scale", "--capacity-takes-version=true", "--capacity-takes-version true"),
    ("scale", "--capacity-takes-version=false", "--capacity-takes-version false"),
    ("environment-size", "--exit-zero=restart", "bytes"),
]


def measure(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "local.lightsail.measure", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("question", "setting", "answer"),
    [pytest.param(*case, marks=() if case == QUICK else pytest.mark.slow) for case in CASES],
)
def test_a_measurement_finds_the_setting(question: str, setting: str, answer: str) -> None:
    ended = measure(question, setting, STEADY)
    assert ended.returncode == 0, ended.stderr
    assert answer in ended.stdout


def test_the_list_names_every_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["LIST"]) == 0
    listed = capsys.readouterr().out
    assert {case[0] for case in CASES} | {"database"} == {
        line.split()[0] for line in listed.splitlines()
    }


def test_a_measurement_without_what_it_needs_says_so() -> None:
    ended = measure("database")
    assert ended.returncode == 1
    assert "no answer: needs --database" in ended.stdout


@pytest.mark.slow
def test_a_refusal_is_no_answer_and_no_traceback() -> None:
    ended = measure("scale", "--no-namespaces")
    assert ended.returncode == 1
    assert "no answer: An error occurred (InvalidInputException)" in ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["--aws", "yes"], ""), (["--aws", "maybe"], "1")],
)
def test_aws_is_touched_only_after_two_clear_yeses(
    arguments: list[str],
    environment: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LIGHTGATE_AWS", environment)
    assert main(["digest", *arguments]) == 2
    said = capsys.readouterr()
    assert "COST MONEY" in said.err
    assert said.out == ""


def test_an_unknown_question_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 2
    assert capsys.readouterr().err == "measure: there is no nonsense; LIST shows what there is\n"
