"""The commands of a rehearsal: what they say before it, and what they show of it."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from lightgate_cli.main import main
from tests.workflow.command_line.connection import WorldConnection
from tests.workflow.rehearsals.rehearsal_world import (
    LOCK,
    MIGRATION,
    RehearsalWorld,
    rehearsed,
)


@pytest.fixture
def command(rehearsals: RehearsalWorld, monkeypatch: pytest.MonkeyPatch) -> "Command":
    connection = WorldConnection(rehearsals.world)
    monkeypatch.setattr("lightgate_cli.connection.Connection", lambda _: connection)
    return Command()


class Command:
    def __call__(self, *words: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(main, words, input=answer)


def test_it_says_what_aws_bills_before_anything_is_created_and_asks(
    rehearsals: RehearsalWorld, command: Command
) -> None:
    refused = command("rehearse", "crops-backend", answer="n\n")

    assert "an RDS instance like crops-db (db.t4g.micro, 20 GB), not public" in refused.output
    assert "a Lightsail container service with one node" in refused.output
    assert "It usually takes 20 to 60 minutes" in refused.output
    assert refused.exit_code == 1
    assert rehearsals.discover() == []


def test_it_starts_one_execution_with_the_options(
    rehearsals: RehearsalWorld, command: Command
) -> None:
    words = ("--tag", "latest", "--new-snapshot", "--yes", "--reason", "before Monday")

    started = command("rehearse", "crops-backend", *words)

    assert started.exit_code == 0, started.output
    [walk] = rehearsals.discover()
    rehearsals.world.lightsail.courses.append(rehearsed())
    walk.run()
    request = walk.data["request"]
    assert re.fullmatch("arn:aws:sts::.*", request.pop("startedBy"))
    assert request == {
        "app": "crops-backend",
        "tag": "latest",
        "takeSnapshot": True,
        "reason": "before Monday",
    }
    assert rehearsals.record().status == "SUCCEEDED"


def test_show_has_the_locks_and_history_the_rehearsal(
    rehearsals: RehearsalWorld, command: Command
) -> None:
    walk = rehearsals.rehearse(course=rehearsed(LOCK))
    record = rehearsals.record()

    for name in (record.release, walk.arn):
        shown = command("show", name)
        assert shown.exit_code == 0, shown.output
        assert "Rehearsal of latest of crops-backend: SUCCEEDED" in shown.output
        assert f"{MIGRATION} holds AccessExclusiveLock on crops_harvest for 3.2 s" in shown.output
        assert "the table crops_harvest of 2000000 rows was written anew" in shown.output
    listed = command("history", "crops-backend")
    assert "rehearsal" in listed.output
    [first, *_] = json.loads(command("history", "crops-backend", "--json").output)
    assert (first["kind"], first["release"]) == ("REHEARSAL", record.release)
    assert first["rehearsal"]["measured"]["locks"][0]["table"] == "crops_harvest"


def test_following_ends_with_the_verdict_and_its_exit_code(
    rehearsals: RehearsalWorld, command: Command
) -> None:
    rehearsals.put_spec(maxLockSeconds=3)
    walk = rehearsals.rehearse(course=rehearsed(LOCK))

    followed = command("show", walk.arn, "--follow", "--json")

    verdict = json.loads(followed.output)
    assert followed.exit_code == 1
    assert verdict["status"] == "FAILED"
    assert "rehearsal.maxLockSeconds is 3" in verdict["text"]


def test_a_spec_without_a_list_is_told_before_anything_is_asked(
    rehearsals: RehearsalWorld, command: Command
) -> None:
    from tests.workflow.world import spec

    rehearsals.world.put_spec(spec())

    refused = command("rehearse", "crops-backend", "--yes")

    assert refused.exit_code == 1
    assert "rehearsal: is missing in the spec" in refused.output
    assert rehearsals.discover() == []
