"""`make local`: a cloud for people, which the AWS CLI calls after one line."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
PAGE = "Page"


@dataclass(frozen=True)
class Running:
    """`make local` in a terminal, with what it has printed there."""

    program: subprocess.Popen[str]
    facts: dict[str, str]
    environment: dict[str, str]

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """The line in another terminal, in the checkout."""
        return subprocess.run(
            ["bash", "-c", line],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


def make(*words: str) -> list[str]:
    """Without the check that the tools are installed, which runs them already."""
    return [
        "make",
        "--silent",
        f"BIN={Path(sys.executable).parent}",
        "--assume-old=.venv/.ready",
        *words,
    ]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "TMPDIR": str(home),
        # What another account has left in the shell.
        "AWS_PROFILE": "work",
        "AWS_ACCESS_KEY_ID": "AKIDWORK",
        "AWS_PAGER": "",
    }


@pytest.fixture(scope="module")
def running(environment: dict[str, str]) -> Iterator[Running]:
    program = subprocess.Popen(
        make("local"),
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    facts: dict[str, str] = {}
    assert program.stdout is not None
    try:
        for line in program.stdout:
            if found := re.fullmatch(r"(\w+(?: \w+)?) {2,}(\S.*)", line.strip()):
                facts[found[1]] = found[2]
            if "Docker" in facts:
                break
        assert "Docker" in facts, "make local has ended"
        yield Running(program, facts, environment)
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGTERM)
            program.wait(60)
        program.stdout.close()


def test_the_aws_cli_works_after_one_line(running: Running) -> None:
    line = running.facts["Environment"].replace("make -s", " ".join(make()))

    said = running.shell(
        f"{line} && aws lightsail get-container-services --query containerServices[0].state "
        "--output text && aws ssm get-parameters-by-path --path /lightgate/apps "
        "--query Parameters[0].Name --output text && "
        "aws rds describe-db-instances --query DBInstances[0].DBInstanceStatus --output text"
    )

    assert said.stdout.split() == ["READY", "/lightgate/apps/crops-backend", "available"], (
        said.stderr
    )


def test_a_push_is_released_and_shown(running: Running) -> None:
    pushed = running.shell(" ".join(make("local-push", "RELEASE=v1")))
    follow = pushed.stdout.splitlines()[-1]
    assert re.fullmatch(r"lightgate show \S+ --follow --local", follow), pushed.stderr
    environment = running.facts["Environment"].replace("make -s", " ".join(make()))

    followed = running.shell(f"{environment} && {follow}")

    assert followed.returncode == 0, followed.stdout + followed.stderr
    with urllib.request.urlopen(running.facts[PAGE], timeout=60) as page:
        assert "crops-backend" in page.read().decode()


def test_ctrl_c_leaves_nothing(running: Running) -> None:
    """The last one: it ends the cloud of the others."""
    started = [psutil.Process(running.program.pid), *_below(running.program.pid)]
    home = Path(running.environment["HOME"])
    assert list(home.glob("lightgate-*")) != []

    # A terminal sends it to the whole group of processes.
    os.killpg(running.program.pid, signal.SIGINT)

    # make ends itself with the signal, once its program has ended.
    assert running.program.wait(120) in (0, -signal.SIGINT)
    _, alive = psutil.wait_procs(started, timeout=20)
    assert alive == []
    assert list(home.glob("lightgate-*")) == []
    said = running.shell(" ".join(make("local-env")))
    assert (said.stdout, said.returncode) == ("", 2)
    assert "No local cloud is running. Start one with make local." in said.stderr


def _below(process: int) -> list[psutil.Process]:
    return list(psutil.Process(process).children(recursive=True))


def test_the_aws_cli_is_the_real_one() -> None:
    assert shutil.which("aws", path=str(Path(sys.executable).parent)) is not None
