"""The texts of `lightgate history` and `lightgate show`."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lightgate.records.release_record import ReadableRecord, RecordKind, StageName, StartedBy
from lightgate_cli import history, show
from lightgate_cli.reading.gather import History
from lightgate_cli.reading.progress import Progress
from lightgate_cli.reading.release_facts import ReleaseFacts
from tests.cli import releases
from tests.cli.golden import PIPE, TERMINAL, assert_fits_a_terminal, assert_golden
from tests.cli.releases import BACK, NOW, at, record

WIDTHS = pytest.mark.parametrize("width", [TERMINAL, PIPE], ids=["terminal", "pipe"])


def of_each_kind() -> list[ReadableRecord]:
    """A release of each status, and of each way in which one starts."""
    person = {"started_by": StartedBy.PERSON, "who": "arn:aws:iam::123456789012:user/ann"}
    return [
        record(
            "20261129t091410z-a0a0a0a0-0001",
            "v9",
            "QUEUED",
            reasons=[
                "Release 20261129t091400z-a1a1a1a1-0002 is in progress; this release starts after "
                "it."
            ],
        ),
        record("20261129t091400z-a1a1a1a1-0002", "v8", "RELEASING"),
        record(
            "20261129t091300z-a2a2a2a2-0003",
            "v7",
            "SUPERSEDED",
            ended_at=at("09:13:05"),
            reasons=["Release 20261129t091400z-a1a1a1a1-0002 is for a newer push."],
        ),
        record("20261129t091250z-a3a3a3a3-0004", "v6", "DUPLICATE"),
        record(
            "20261129t091240z-a4a4a4a4-0005",
            "v5",
            "REFUSED",
            ended_at=at("09:12:41"),
            failure_code="secret",
            reasons=["the secret crops/db does not exist"],
        ),
        record("20261129t091230z-a5a5a5a5-0006", None, "ABANDONED", **person),
        record(
            "20261129t091220z-a6a6a6a6-0007",
            "v4",
            "SUCCEEDED",
            kind=RecordKind.COMMAND,
            version=7,
            command=["python", "manage.py", "migrate", "harvests", "0004"],
            ended_at=at("09:12:29"),
            **person,
        ),
        record(
            "20261129t091210z-a7a7a7a7-0008",
            "v1",
            "FAILED",
            kind=RecordKind.ROLLBACK,
            rollback_to=1,
            version=7,
            failure_code="health-check",
            summary="The rollback of crops-backend to v1 failed and v2.1 is live.",
            ended_at=at("09:12:19"),
            **person,
        ),
        *releases.demo(),
    ]


@WIDTHS
def test_the_history_reads_as_its_golden_file(width: int | None) -> None:
    lines = history.lines(History(records=of_each_kind(), live=BACK), NOW, width=width)

    assert_golden(f"history-{'pipe' if width is PIPE else 'terminal'}", lines)
    if width is not PIPE:
        assert_fits_a_terminal(lines)


def test_the_example_of_the_documentation() -> None:
    found = History(records=releases.demo(), live=BACK)

    assert_golden("history-example-pipe", history.lines(found, NOW, width=PIPE))


def shown() -> dict[str, ReleaseFacts]:
    running = record("20261129t091400z-a1a1a1a1-0002", "v8", "RELEASING")
    progress = Progress(
        stage=StageName.SNAPSHOT, since=at("09:14:02"), expected=timedelta(minutes=3)
    )
    each = {one.status.lower(): facts(one) for one in of_each_kind()}
    return {
        "rolled_back": facts(releases.v3(), evidence_address="s3://evidence/crops-backend/v3.json"),
        "succeeded": facts(releases.v2()),
        "rollback": facts(releases.back()),
        "releasing": facts(running, progress=progress),
        "command": facts(next(one for one in of_each_kind() if one.command)),
        **{name: each[name] for name in ("queued", "superseded", "duplicate", "refused", "failed")},
        "abandoned": each["abandoned"],
    }


def test_a_push_that_waited_names_the_release_as_which_it_has_begun() -> None:
    begun = record("20261129t091410z-a0a0a0a0-0001", "v9", "QUEUED", begun_as=releases.V3)

    shown = [line.plain for line in show.lines(facts(begun), width=PIPE)]

    assert "Next         lightgate show 20261129t091001z" in shown


def facts(found: ReadableRecord, **changes: object) -> ReleaseFacts:
    return replace(ReleaseFacts(record=found, now=NOW), **changes)


@WIDTHS
@pytest.mark.parametrize("name", shown())
def test_a_release_reads_as_its_golden_file(name: str, width: int | None) -> None:
    lines = show.lines(shown()[name], width=width)

    assert_golden(f"show-{name}-{'pipe' if width is PIPE else 'terminal'}", lines)
    if width is not PIPE:
        assert_fits_a_terminal(lines, but=("arn:aws:", "@sha256:"))
