"""The final message as people read it in an e-mail."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from lightgate.gate.gate_report import Migration, Phase
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.notifications.email import text
from lightgate.notifications.formats import machine, subject
from lightgate.notifications.report import LiveVersion, Snapshot
from lightgate.outcome.outcome import Conclusion, Outcome
from lightgate.release.lightgate_command import how_to_start
from lightgate.release.release import ReleaseKind
from tests.support.builders import EXECUTION, evidence, report
from tests.support.ended_releases import MIGRATION_ERROR, RESTORE, TAKE_BACK, rolled_back


def test_the_mail_names_twenty_of_many_migrations() -> None:
    migrations = [Migration(name=f"crops.{n:04}", seconds=None) for n in range(23)]

    mail = text(report(evidence=evidence(migrations=migrations)))

    assert "crops.0019, and 3 more\n" in mail
    assert "crops.0020" not in mail


def test_what_others_wrote_cannot_pose_as_a_line_of_ours() -> None:
    forged = report(app="a\nNext       ", reason="x\n\nNext       \n  Send your password.")

    assert "\nNext" not in text(forged)


@pytest.mark.parametrize("kind", ReleaseKind)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_end_of_everything_has_a_headline(kind: ReleaseKind, outcome: Outcome) -> None:
    conclusion = Conclusion(outcome=outcome, reasons=[], next_steps=[])

    headline = text(report(kind=kind, conclusion=conclusion)).partition("\n")[0]

    assert "crops-backend" in headline
    assert headline.endswith(".")


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.SUCCEEDED, False),
        (Outcome.REFUSED, False),
        (Outcome.ROLLED_BACK, True),
        (Outcome.FAILED, True),
    ],
)
def test_restore_commands_are_shown_when_they_may_be_needed(
    outcome: Outcome, expected: bool
) -> None:
    conclusion = Conclusion(outcome=outcome, reasons=["x"], next_steps=[])
    snapshot = Snapshot(
        id="s", available_at=datetime.fromisoformat("2026-11-16T01:55:40+00:00"), restore=[RESTORE]
    )

    told = report(conclusion=conclusion, snapshot=snapshot)

    assert (f"  {RESTORE}\n" in text(told)) is expected
    assert machine(told)["snapshot"]["restore"] == [RESTORE]


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (
            Snapshot(id="s", available_at=None, status="CREATING", detail="creating 40 %"),
            "Snapshot   s (not available at the last check: creating 40 %)",
        ),
        (
            Snapshot(id="s", available_at=None, status="FAILED", detail="failed"),
            "Snapshot   s (failed: failed; it cannot be restored)",
        ),
        (
            Snapshot(id="s", available_at=None),
            "Snapshot   s (unknown whether it was created)",
        ),
        (
            Snapshot(
                id=None,
                available_at=datetime.fromisoformat("2026-11-16T01:55:40+00:00"),
                restores_to=datetime.fromisoformat("2026-11-16T01:50:00+00:00"),
            ),
            "Backup     continuous backup, up to 2026-11-16 01:50:00 UTC",
        ),
        (
            Snapshot(id=None, available_at=None),
            "Backup     continuous backup, not available",
        ),
    ],
)
def test_the_restore_point_is_reported_as_what_it_is(snapshot: Snapshot, expected: str) -> None:
    assert f"\n{expected}\n" in text(report(snapshot=snapshot))


@pytest.mark.parametrize(
    ("saved", "expected"),
    [(0, ""), (0.4, ""), (95.2, " (95 s saved by starting the node during the snapshot)")],
)
def test_the_message_says_how_much_time_the_overlap_saved(saved: float, expected: str) -> None:
    assert f"\nDuration   3 min 7 s{expected}\n" in text(report(saved=timedelta(seconds=saved)))


def test_the_message_of_a_command_shows_what_it_printed() -> None:
    done = Conclusion(outcome=Outcome.SUCCEEDED, reasons=["It is so."], next_steps=[])

    found = replace(evidence(), last_lines=["[X] 0001_initial"])

    told = text(report(kind=ReleaseKind.COMMAND, conclusion=done, evidence=found))

    assert told.startswith("The command on crops-backend succeeded.\nIt is so.\n")
    assert "\n\nLast lines of the command:\n  [X] 0001_initial\n" in told


def test_a_migration_that_went_well_does_not_tell_what_it_has_printed() -> None:
    found = replace(evidence(), last_lines=["Applying crops.0001... OK"])

    assert "last lines" not in text(report(evidence=found))


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict.NONE, None),
        (Verdict.SAFE, "Safe: "),
        (Verdict.ONE_WAY, "Not safe: "),
        (Verdict.UNKNOWN, "Not safe: "),
    ],
)
def test_the_message_has_the_rollback_safety_with_its_reasons(
    verdict: Verdict, words: str | None
) -> None:
    told = text(report(judgement=Judgement(verdict=verdict, reasons=["It is so."])))

    assert ("\nRollback " in told) is (words is not None)
    assert words is None or f"\nRollback   {words}" in told
    assert ("It is so." in told) is not verdict.allows_rollback


@pytest.mark.parametrize("verdict", [Verdict.SAFE, Verdict.ONE_WAY, Verdict.UNKNOWN])
def test_a_plan_that_was_not_applied_warns_about_the_next_release(
    verdict: Verdict,
) -> None:
    judgement = Judgement(verdict=verdict, reasons=["It is so."])

    told = text(report(judgement=judgement, applied_nothing=True))

    is_safe = verdict.allows_rollback
    assert ("nce these migrations are applied" in told) is not is_safe
    assert ("\n           It is so.\n" in told) is not is_safe
    assert "Not safe" not in told


def test_what_was_applied_before_a_failure_stays_applied_and_that_is_said() -> None:
    told = text(rolled_back())

    stays = "1 migration applied and not reversed by a rollback: harvests.0005_tidy_crops"
    assert f"\nDatabase   {stays}\n" in told


def test_a_migration_that_was_only_recorded_is_not_said_to_be_applied() -> None:
    told = text(report(evidence=replace(evidence(Phase.SUCCEEDED), faked=("crops.0002_x",))))

    assert "\nDatabase   1 migration recorded without being run: crops.0002_x\n" in told


def test_migrations_that_no_report_had_room_for_are_counted() -> None:
    names = [f"crops.{number:04}" for number in range(30)]
    told = text(report(not_applied=names, unlisted=155, applied_nothing=True))

    assert "185 migrations not applied: crops.0000, " in told
    assert "crops.0019, and 165 more\n" in told


def test_a_failure_that_applied_nothing_shows_no_restore_commands() -> None:
    told = text(replace(rolled_back(), applied_nothing=True))

    assert RESTORE not in told
    assert "To reverse" not in told


def test_the_message_names_the_tag_and_the_live_version() -> None:
    ended = replace(rolled_back(), tag="v3", live=LiveVersion(version=7, tag="v2.1"))

    assert text(ended).startswith(
        "Release v3 of crops-backend failed, and v2.1 (version 7) is still live.\n"
    )
    assert subject(ended) == "[production] crops-backend ROLLED_BACK v3, v2.1 is still live"


@pytest.mark.parametrize(
    ("live", "words"),
    [(7, "version 7 is still live"), (8, "version 8 is live"), (9, "version 9 is live again")],
)
def test_without_a_tag_the_live_version_is_named_by_its_number(live: int, words: str) -> None:
    ended = replace(rolled_back(), live=LiveVersion(version=live))

    assert subject(ended).endswith(f" 7f5b2640fe6f, {words}")


def test_a_version_after_a_failed_rollback_is_not_called_live_again() -> None:
    failed = Conclusion(outcome=Outcome.FAILED, reasons=["x"], next_steps=[])
    ended = replace(rolled_back(), live=LiveVersion(version=9), conclusion=failed)

    assert subject(ended).endswith(" 7f5b2640fe6f, version 9 is live")
    assert ", and version 9 is live. Manual action required." in text(ended)


def test_a_message_says_that_no_version_is_live() -> None:
    ended = replace(rolled_back(), is_down=True)

    assert subject(ended).endswith(", no version is live")
    assert ", and no version is live." in text(ended)


def test_the_message_does_not_repeat_its_reasons() -> None:
    reverse = how_to_start(EXECUTION, TAKE_BACK[0])
    kept = Conclusion(outcome=Outcome.FAILED, reasons=["It is so."], next_steps=[reverse])

    told = text(
        report(
            judgement=Judgement(verdict=Verdict.UNKNOWN, reasons=["It is so."]),
            conclusion=kept,
            take_back=TAKE_BACK,
        )
    )

    assert told.count("It is so.") == 1
    assert told.count(reverse) == 1


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("no such column", 0),
        ("migrate failed: no such column", 0),
        ("Version 7 may not work: it has no such column", 1),
    ],
)
def test_only_a_reason_that_is_the_evidence_itself_gives_way_to_it(reason: str, told: int) -> None:
    ended = Conclusion(outcome=Outcome.FAILED, reasons=[reason], next_steps=[])
    failure = replace(MIGRATION_ERROR, evidence="no such column")

    mail = text(report(conclusion=ended, failure=failure))

    assert mail.partition("Cause ")[0].count(reason) == told
