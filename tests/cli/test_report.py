"""`lightgate report`: the page as a file."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lightgate.records.release_record import ReadableRecord, RecordKind
from lightgate_cli import report
from lightgate_cli.errors import CommandError, Problem
from lightgate_cli.reading.app_facts import AppFacts
from lightgate_cli.reading.release_facts import ReleaseFacts
from lightgate_cli.report import overview_of
from lightgate_report.pages import Tone, Word
from tests.cli import releases
from tests.cli.calls import Said
from tests.cli.releases import APP, NOW, V3, V21
from tests.cli.test_schema import assert_valid
from tests.cli.test_status import facts, paused, running, waiting
from tests.report.parsed import parsed


def row(found: AppFacts) -> Any:
    [only] = overview_of([found], NOW, title="Apps").apps
    return only


def test_the_row_of_an_app_has_the_facts_of_its_status() -> None:
    found = row(facts())

    assert found.app == APP
    assert found.url == f"https://{APP}.abc123.us-east-1.cs.amazonlightsail.com"
    assert found.live == "v2.1, version 5"
    assert found.since == "for 4 min"
    assert found.health == Word(text="healthy", tone=Tone.GOOD)
    assert found.last.opener.release == V3
    assert found.last.cause == "Migration harvests.0006_one_harvest_a_day failed."
    assert found.notes == []


@pytest.mark.parametrize(
    ("found", "note"),
    [
        (running(), "In progress: v4: snapshot, 1:40 of ~3:00"),
        (waiting(), "Waiting: v5 starts after v4"),
        (paused(), "Pushes: paused by "),
        (
            facts(service=None, unread=["The container service could not be read: denied."]),
            "denied",
        ),
    ],
    ids=["running", "waiting", "paused", "unread"],
)
def test_the_row_says_what_else_is_to_know(found: AppFacts, note: str) -> None:
    assert [each for each in row(found).notes if note in each]


def test_an_app_whose_service_cannot_be_read_shows_what_its_record_says() -> None:
    found = row(facts(service=None))

    assert found.live == "v2.1, version 5"
    assert "The live version is read from the record of the last release." in found.notes


def test_the_newest_release_of_all_apps_comes_first() -> None:
    other = [replace(releases.v2(), app="herd-api")]
    page = overview_of([facts(), facts(app="herd-api", history=other)], NOW, title="Apps")

    assert [each.opener.release for each in page.releases][:2] == [V3, releases.BACK]
    assert {each.opener.app for each in page.releases} == {APP, "herd-api"}
    assert [each.opener.release for each in page.releases if each.is_live] == [releases.BACK]


def test_a_rehearsal_stands_among_the_releases_and_is_never_the_last_one() -> None:
    rehearsal = replace(releases.v3(), release="x", kind=RecordKind.REHEARSAL, started_at=NOW)

    page = overview_of([facts(rehearsals=[rehearsal])], NOW, title="Apps")

    assert page.releases[0].opener.release == rehearsal.release
    assert page.apps[0].last == overview_of([facts()], NOW, title="Apps").apps[0].last


def test_a_release_without_an_end_is_shown_as_abandoned() -> None:
    stuck = replace(releases.v3(), status="RELEASING", ended_at=None)

    page = overview_of([facts(history=[stuck, releases.v21()])], NOW, title="Apps")

    assert page.releases[0].status == Word(text="ABANDONED", tone=Tone.BAD)


# A connection that knows only what the page of a release reads by itself.
STACK = SimpleNamespace(
    outputs={"LogGroupName": "the-log-group"}, releases=SimpleNamespace(find=lambda *_: None)
)


def read(what: str, found: ReadableRecord) -> Callable[..., ReleaseFacts]:
    def read_release(text: str, app: str | None, *_: object) -> ReleaseFacts:
        assert (text, app) == (what, None)
        return ReleaseFacts(record=found, now=NOW, unread=["The evidence is gone."])

    return read_release


def test_the_command_writes_one_file_that_loads_nothing(
    lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lightgate_cli.connection.Connection", lambda _target: STACK)
    monkeypatch.setattr(report, "one_app", lambda *_: None)
    monkeypatch.setattr(report, "read_release", read("v2.1", releases.v21()))
    file = tmp_path / "v2.1.html"

    said = lightgate("report", "v2.1", "--html", file)

    assert said == Said(0, "", [f"The page is in {file}."])
    page = parsed(file.read_text())
    assert "v2.1 of crops-backend is live since 09:09:48 UTC and healthy." in page.text
    assert V21 in page.text
    assert "The evidence is gone." in page.text
    assert "the-log-group" in file.read_text()
    assert not [each for each in page.elements if "src" in each.attributes]


def test_for_a_program_the_command_names_the_file(
    lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lightgate_cli.connection.Connection", lambda _target: STACK)
    monkeypatch.setattr(report, "one_app", lambda *_: None)
    monkeypatch.setattr(report, "read_release", read("v2.1", releases.v21()))
    file = tmp_path / "v2.1.html"

    said = lightgate("report", "v2.1", "--html", file, "--json")
    both = lightgate("report", "v2.1", "--html", "-", "--json")

    found = json.loads(said.output)
    assert_valid("report", found)
    assert (said.code, said.errors, found["file"]) == (0, [], str(file))
    assert found["title"] in file.read_text()
    assert both.code == 2
    assert json.loads(both.output)["reasons"] == ["--html - and --json exclude each other."]


def test_a_release_that_is_not_there_leaves_no_file(
    lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def read_release(*_: object) -> ReleaseFacts:
        raise CommandError(Problem.NOT_FOUND, "There is no release v9 on record.")

    monkeypatch.setattr("lightgate_cli.connection.Connection", lambda _target: STACK)
    monkeypatch.setattr(report, "one_app", lambda *_: None)
    monkeypatch.setattr(report, "read_release", read_release)

    said = lightgate("report", "v9", "--html", tmp_path / "v9.html")

    assert said == Said(1, "", ["error: There is no release v9 on record."])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named(
    lightgate: Callable[..., Said], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lightgate_cli.connection.Connection", lambda _target: STACK)
    monkeypatch.setattr(report, "one_app", lambda *_: None)
    monkeypatch.setattr(report, "read_release", read("v2.1", releases.v21()))

    said = lightgate("report", "v2.1", "--html", tmp_path / "none" / "v2.1.html")

    assert said.code == 2
    [line] = said.errors
    assert line.startswith("error: ")
    assert line.endswith("No such file or directory")


def test_the_command_needs_the_name_of_a_file(lightgate: Callable[..., Said]) -> None:
    said = lightgate("report", "v2.1")

    assert said.code == 2
    assert "Missing option '--html'" in said.errors[-1]
