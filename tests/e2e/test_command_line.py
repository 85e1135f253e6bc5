"""The commands that read, on the local cloud after real releases."""

import json
import os
import pty
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from local.cloud import executions, registry
from local.cloud.announcement import announced
from local.cloud.cloud import STACK
from local.demo import crops
from local.tools.command_schema import SCHEMA
from tests.e2e.conftest import Ready, started
from tests.support import local_cloud

pytestmark = pytest.mark.slow

APP = crops.APP
WITHIN = timedelta(seconds=120)
# The four questions of one command: what is live, since when, which migration ran, which snapshot.
LONGEST = 2.0


@dataclass(frozen=True)
class Account:
    """An account with v1, v2 and the failed v3, and a push of a tag that nobody watches."""

    ready: Ready
    environment: dict[str, str]
    while_running: list[dict[str, Any]] = field(default_factory=list)

    def lightgate(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lightgate_cli", *words, "--local"]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )

    def json(self, answer: str, *words: str) -> Any:
        """What the command prints with --json, valid by the schema."""
        document = json.loads(self.lightgate(*words, "--json").stdout)
        schema = {**json.loads(SCHEMA.read_text("utf-8")), "$ref": f"#/$defs/{answer}"}
        problems = Draft202012Validator(schema).iter_errors(document)
        assert [f"{one.json_path}: {one.message}" for one in problems] == []
        return document

    def on_a_terminal(self, *words: str, **more: str) -> str:
        """What a terminal of 80 columns gets."""
        terminal, end = pty.openpty()
        environment = self.environment | {"COLUMNS": "80", "TERM": "xterm-256color"} | more
        command = [sys.executable, "-m", "lightgate_cli", *words, "--local"]
        with os.fdopen(terminal, "rb", buffering=0) as shown:
            process = subprocess.Popen(command, env=environment, stdout=end, stderr=end)
            os.close(end)
            text = b""
            while True:
                try:
                    piece = shown.read(65536)
                except OSError:  # Linux: the other end is closed.
                    break
                if not piece:
                    break
                text += piece
            process.wait(timeout=60)
        return text.decode().replace("\r\n", "\n")

    def push(self, tag: str, *, watch: bool = False) -> None:
        """Push the release of this name, and wait for the end of its execution."""
        cloud, stack = self.ready.cloud, self.ready.stack
        machine = cloud.client("stepfunctions")
        known = set(executions.all_of(machine, stack.state_machine_arn))
        registry.push(cloud.endpoint, crops.spec()["repository"], tag, crops.image(tag))
        arn = executions.wait_for_start(
            machine, stack.state_machine_arn, known=known, within=timedelta(seconds=20)
        )
        while watch and executions.describe(machine, arn).running:
            self.while_running.append(json.loads(self.lightgate("status", APP, "--json").stdout))
        local_cloud.wait_for_end(machine, arn, within=WITHIN)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    state = str(tmp_path_factory.mktemp("state"))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "XDG_STATE_HOME": state,
        "HOME": state,
    }
    with pytest.MonkeyPatch.context() as patch, started() as ready:
        patch.setenv("XDG_STATE_HOME", state)
        with announced(ready.cloud.endpoint, STACK):
            account = Account(ready, environment)
            account.push("v1")
            account.push("v2", watch=True)
            account.push("v3")
            repository = crops.spec()["repository"]
            registry.push(ready.cloud.endpoint, repository, "nightly", crops.image("v2.1"))
            yield account


def test_one_command_answers_what_is_live_and_what_has_happened(account: Account) -> None:
    found = account.json("status-app", "status", APP)

    assert (found["live"]["tag"], found["live"]["version"]) == ("v2", 2)
    assert found["health"] == "healthy"
    assert found["latestMigration"] == "harvests.0005_tidy_crops"
    assert found["snapshot"]["tag"] == "v3"
    assert found["rollback"]["tag"] == "v1"
    assert (found["last"]["tag"], found["last"]["status"]) == ("v3", "ROLLED_BACK")
    assert found["unread"] == []


def test_the_answer_comes_within_two_seconds(account: Account) -> None:
    """By the time of its processor: other tests may use this machine, too."""

    def used() -> float:
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        return now.ru_utime + now.ru_stime

    before = used()
    assert account.lightgate("status", APP).returncode == 0
    assert used() - before < LONGEST


def test_a_running_release_shows_its_stages_in_their_order(account: Account) -> None:
    seen = [found["inProgress"] for found in account.while_running if "inProgress" in found]

    stages = list(dict.fromkeys(one["stage"] for one in seen if "stage" in one))
    order = ["admission", "snapshot", "node", "permit", "migration", "activation", "health"]
    assert stages == sorted(stages, key=order.index)
    assert len(stages) > 1
    assert {one["tag"] for one in seen if "tag" in one} == {"v2"}


def test_the_history_is_a_table_in_a_pipe(account: Account) -> None:
    head, *rows = account.lightgate("history", APP).stdout.splitlines()

    assert re.split(r"  +", head) == [
        *("WHEN", "TAG", "STATUS", "MIGRATIONS", "SNAPSHOT", "TOOK", "STARTED BY"),
    ]
    told = [re.split(r"  +", row)[1:5] for row in rows]
    assert told == [
        ["v3", "ROLLED_BACK", "1 of 2", "yes"],
        ["v2", "SUCCEEDED live", "2", "yes"],
        ["v1", "SUCCEEDED", "2", "yes"],
    ]


def test_show_has_the_cause_and_the_timeline_of_a_failed_release(account: Account) -> None:
    shown = account.lightgate("show", "v3")

    assert shown.returncode == 1
    assert shown.stdout.startswith(f"v3 of {APP}: ROLLED_BACK in ")
    assert "could not create unique index" in shown.stdout
    for event in ("by push of", "available after", "granted", "applied, ", "FAILED: ", "failed"):
        assert event in shown.stdout
    assert account.lightgate("show", "v2").returncode == 0


@pytest.mark.parametrize(
    ("tag", "answer", "code"),
    [
        ("v1", "replaced", 0),
        ("v2", "live", 0),
        ("v3", "rolled-back", 0),
        ("nightly", "ignored", 0),
        ("v99", "not-in-repository", 1),
    ],
)
def test_explain_knows_what_became_of_each_push(
    account: Account, tag: str, answer: str, code: int
) -> None:
    assert account.json("explain", "explain", APP, tag)["answer"] == answer
    assert account.lightgate("explain", APP, tag).returncode == code


def test_the_logs_of_a_failed_release_are_kept_without_secrets(account: Account) -> None:
    printed = account.lightgate("logs", "v3", "--container", "migrate").stdout

    assert "could not create unique index" in printed
    assert account.ready.cloud.database.url not in printed
    assert account.json("logs", "logs", "v3")["source"] == "evidence"


def test_each_answer_is_valid_by_the_schema(account: Account) -> None:
    [app] = account.json("status", "status")
    assert app["app"] == APP
    for record in account.json("history", "history", APP):
        assert account.json("show", "show", record["release"])["record"] == record


@pytest.mark.parametrize(
    "words", [["status"], ["status", APP], ["history", APP], ["explain", APP, "v3"], ["show", "v2"]]
)
def test_a_terminal_of_80_columns_has_colors_and_no_longer_lines(
    account: Account, words: list[str]
) -> None:
    shown = account.on_a_terminal(*words)

    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    too_long = [line for line in plain.splitlines() if len(line) > 80]
    assert [line for line in too_long if "arn:aws:" not in line and "sha256:" not in line] == [
        line for line in too_long if "s3://" in line
    ]
    assert "\x1b" not in account.on_a_terminal(*words, NO_COLOR="1")
    if words[0] != "explain":
        assert "\x1b[" in shown
    assert "\x1b" not in account.lightgate(*words).stdout


def test_a_wrong_name_is_one_error(account: Account) -> None:
    for words in (["status", "nobody"], ["history", "nobody"], ["show", "v99"], ["logs", "v99"]):
        ran = account.lightgate(*words)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr.startswith("error: There is no ")
        assert "Traceback" not in ran.stderr
