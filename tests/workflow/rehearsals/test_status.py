"""`lightgate status` of an app that is rehearsed: a rehearsal is not shown as a release."""

from datetime import timedelta

import pytest

from lightgate.verification.health import HttpAnswer
from lightgate_cli.reading.app_status import AppStatus, app_status
from lightgate_cli.reading.gather import one_app
from tests.workflow.command_line.connection import WorldConnection
from tests.workflow.rehearsals.rehearsal_world import RehearsalWorld
from tests.workflow.world import APP

ANN = "arn:aws:iam::123456789012:user/ann"


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    good = HttpAnswer(status=200, headers={}, body=b"", took=timedelta())
    monkeypatch.setattr("lightgate_cli.reading.gather.ask", lambda *_: good)


def status(rehearsals: RehearsalWorld) -> AppStatus:
    facts = one_app(APP, WorldConnection(rehearsals.world))
    assert facts is not None
    return app_status(facts)


def test_a_rehearsal_is_shown_while_it_runs(rehearsals: RehearsalWorld) -> None:
    running = rehearsals.begin(tag="latest").run_to("RunRehearsal")

    found = status(rehearsals)

    assert found.rehearsal is not None
    assert (found.rehearsal.tag, found.in_progress) == ("latest", None)
    running.run()
    assert status(rehearsals).rehearsal is None


def test_its_migrations_and_its_end_are_not_those_of_the_app(rehearsals: RehearsalWorld) -> None:
    rehearsals.rehearse()

    assert [one.status for one in rehearsals.record().migrations] == ["applied"]
    found = status(rehearsals)
    assert (found.latest_migration, found.last, found.snapshot) == (None, None, None)


def test_one_that_was_refused_names_its_image_and_who_wanted_it(rehearsals: RehearsalWorld) -> None:
    rehearsals.allow("another-*")

    rehearsals.rehearse(tag="latest", startedBy=ANN)

    record = rehearsals.record()
    assert (record.tag, record.who) == ("latest", ANN)
