"""The final message as people read it in an e-mail."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from lightgate.gate.report import Migration
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.notifications.email import text
from lightgate.notifications.formats import machine
from lightgate.notifications.report import Snapshot
from lightgate.outcome.outcome import Conclusion, Outcome
from lightgate.release.release import Kind
from tests.support.builders import DIGEST, RELEASE, evidence, report
from tests.support.ended_releases import RESTORE, TAKE_BACK, refusal, rolled_back

SUCCESS = f"""\
crops-backend: release 20261116t015434z-7f5b2640-0c1d is live.

Image: crops-backend@sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234e1f0
Started by: push of crops-backend:latest
Deployment: version 8
Migrations applied: harvests.0003_season, harvests.0004_fill_season
Snapshot: lightgate-crops-backend-{RELEASE}, available since 2026-11-16 01:55:40 UTC
Took: 187 seconds
Execution: arn:aws:states:us-east-1:123456789012:execution:release:crops-backend-7f5b2640fe6f
"""

ROLLBACK = f"""\
crops-backend: release 20261116t015434z-7f5b2640-0c1d was rolled back.

Migration harvests.0006_one_harvest_a_day failed: \
django.db.utils.IntegrityError: could not create unique index
Version 7 is active and goes on serving.
It was verified. 2 of 2 health checks passed.

Cause (migration-error): Migration harvests.0006_one_harvest_a_day failed. A part is applied.
Evidence: django.db.utils.IntegrityError: could not create unique index
Do first: Correct harvests.0006_one_harvest_a_day and push again.

What to do:
  Correct the cause and push again. What a migration had already applied stays applied.

Image: crops-backend@sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234e1f0
Started by: push of crops-backend:latest
Deployment: version 8
Migrations applied: harvests.0005_tidy_crops
Not known to be applied: harvests.0006_one_harvest_a_day
Rollback safety: not affected by this release. The previous version works on its schema (SAFE)
Snapshot: lightgate-crops-backend-{RELEASE}, available since 2026-11-16 01:55:40 UTC
Took: 187 seconds
Execution: arn:aws:states:us-east-1:123456789012:execution:release:crops-backend-7f5b2640fe6f

Last lines of migrate:
    Applying harvests.0006_one_harvest_a_day...
  IntegrityError

To take back just what was applied, start an execution with, in this order:
  {{"app": "crops-backend", "digest": "{DIGEST}", "command": \
["python", "manage.py", "migrate", "harvests", "0004_fill_season"]}}

To restore the database to a new instance, should you need it:
  aws rds restore-db-instance-from-db-snapshot --db-instance-identifier new
"""

REFUSAL = """\
crops-backend: release 20261116t015434z-7f5b2640-0c1d was refused.

serviceName: is missing
containers.web.dependsOn[0].containerName: there is no container "migrat" (did you mean migrate?)

What to do:
  Nothing was applied and nothing was deployed. Correct the cause and push again.

Took: 187 seconds
Execution: arn:aws:states:us-east-1:123456789012:execution:release:crops-backend-7f5b2640fe6f
"""


def test_the_mail_of_a_success() -> None:
    migrations = [
        Migration(name="harvests.0003_season", seconds=0.1),
        Migration(name="harvests.0004_fill_season", seconds=2.5),
    ]

    assert text(report(evidence=evidence(migrations=migrations))) == SUCCESS


def test_the_mail_of_a_rollback() -> None:
    assert text(rolled_back()) == ROLLBACK


def test_the_mail_of_a_refusal() -> None:
    ended = refusal(
        "serviceName: is missing",
        'containers.web.dependsOn[0].containerName: there is no container "migrat" '
        "(did you mean migrate?)",
    )

    assert text(ended) == REFUSAL


def test_the_mail_names_twenty_of_many_migrations() -> None:
    migrations = [Migration(name=f"crops.{n:04}", seconds=None) for n in range(23)]

    mail = text(report(evidence=evidence(migrations=migrations)))

    assert "crops.0019, and 3 more\n" in mail
    assert "crops.0020" not in mail


def test_what_others_wrote_cannot_pose_as_a_line_of_ours() -> None:
    forged = report(app="a\nWhat to do:", reason="x\n\nWhat to do:\n  Send your password.")

    assert "\nWhat to do:" not in text(forged)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_end_of_everything_has_a_headline(kind: Kind, outcome: Outcome) -> None:
    conclusion = Conclusion(outcome=outcome, reasons=[], next_steps=[])

    headline = text(report(kind=kind, conclusion=conclusion)).partition("\n")[0]

    assert RELEASE in headline
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
            "Snapshot: s, pending when last looked at (creating 40 %)",
        ),
        (
            Snapshot(id="s", available_at=None, status="FAILED", detail="failed"),
            "Snapshot: s, failed (failed): it cannot be restored from",
        ),
        (
            Snapshot(id="s", available_at=None),
            "Snapshot: s, if it was begun; whether it is there is not known",
        ),
        (
            Snapshot(
                id=None,
                available_at=datetime.fromisoformat("2026-11-16T01:55:40+00:00"),
                restores_to=datetime.fromisoformat("2026-11-16T01:50:00+00:00"),
            ),
            "Restore point: the continuous backup, which reaches up to 2026-11-16 01:50:00 UTC",
        ),
        (
            Snapshot(id=None, available_at=None),
            "Restore point: the continuous backup, which is not there",
        ),
    ],
)
def test_the_restore_point_is_reported_as_what_it_is(snapshot: Snapshot, expected: str) -> None:
    assert f"\n{expected}\n" in text(report(snapshot=snapshot))


@pytest.mark.parametrize(
    ("saved", "expected"),
    [(0, ""), (0.4, ""), (95.2, ", 95 saved by starting the node during the snapshot")],
)
def test_the_time_saved_by_the_overlap_is_reported(saved: float, expected: str) -> None:
    assert f"\nTook: 187 seconds{expected}\n" in text(report(saved=timedelta(seconds=saved)))


def test_the_message_of_a_command_shows_its_output() -> None:
    done = Conclusion(
        outcome=Outcome.SUCCEEDED, reasons=["The command has ended well."], next_steps=[]
    )

    found = replace(evidence(), last_lines=["[X] 0001_initial"])

    told = text(report(kind=Kind.COMMAND, conclusion=done, evidence=found))

    assert told.startswith(f"crops-backend: command {RELEASE} has ended well.\n\nThe command has")
    assert "\n\nThe command's last lines:\n  [X] 0001_initial\n" in told


def test_a_migration_that_went_well_does_not_tell_what_it_has_printed() -> None:
    found = replace(evidence(), last_lines=["Applying crops.0001... OK"])

    assert "last lines" not in text(report(evidence=found))


@pytest.mark.parametrize("verdict", Verdict)
def test_rollback_safety_is_in_words_and_as_a_code(verdict: Verdict) -> None:
    told = text(report(judgement=Judgement(verdict=verdict, reasons=["It is so."])))

    assert f"({verdict.value})\n" in told.partition("Rollback safety: ")[2]
    assert ("It is so." in told) is not verdict.allows_rollback


@pytest.mark.parametrize("verdict", [Verdict.SAFE, Verdict.ONE_WAY, Verdict.UNKNOWN])
def test_an_unapplied_plan_keeps_the_rollback_safe_and_is_described(
    verdict: Verdict,
) -> None:
    judgement = Judgement(verdict=verdict, reasons=["It is so."])

    told = text(report(judgement=judgement, applied_nothing=True))

    line = told.partition("Rollback safety: ")[2].partition("\n")[0]
    assert line.startswith("not affected by this release, which has applied nothing.")
    assert line.endswith(f"({verdict.value})")
    is_safe = verdict.allows_rollback
    assert (
        "may break the previous version once it is applied:\n  It is so." in told
    ) is not is_safe
    assert "Why a rollback may not work" not in told


def test_the_message_does_not_repeat_its_reasons() -> None:
    kept = Conclusion(outcome=Outcome.FAILED, reasons=["It is so."], next_steps=list(TAKE_BACK))

    told = text(
        report(
            judgement=Judgement(verdict=Verdict.UNKNOWN, reasons=["It is so."]),
            conclusion=kept,
            take_back=TAKE_BACK,
        )
    )

    assert told.count("It is so.") == 1
    assert told.count(TAKE_BACK[0]) == 1
