"""The final message: what people read, and what SNS takes."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.aftermath import Verified, WentBack
from lightgate.deployment import Status
from lightgate.ending import Ending, concluded
from lightgate.gate_log import Migration, Phase, read_evidence
from lightgate.messages import Report, Snapshot, machine, sns_message, subject, text
from lightgate.outcome import Conclusion, Outcome, broken, refused
from lightgate.release import Kind
from lightgate.reversal import take_back
from lightgate.symptoms import Diagnosis, FailureKind
from lightgate.verdict import Judgement, Verdict
from lightgate.verification import Watched
from tests.unit.builders import (
    DIGEST,
    EXECUTION,
    RELEASE,
    STARTED,
    deployment,
    evidence,
    failure,
    gate_line,
    report,
    service,
)

SNS_BYTES = 256 * 1024
RESTORE = "aws rds restore-db-instance-from-db-snapshot --db-instance-identifier new"
TAKE_BACK = take_back("crops-backend", DIGEST, ["harvests.0005_tidy_crops"])
MIGRATION_ERROR = Diagnosis(
    kind=FailureKind.MIGRATION_ERROR,
    what="Migration harvests.0006_one_harvest_a_day failed. A part is applied.",
    evidence="django.db.utils.IntegrityError: could not create unique index",
    next_action="Correct harvests.0006_one_harvest_a_day and push again.",
)
ONE_WAY = Judgement(
    verdict=Verdict.ONE_WAY,
    reasons=("harvests.0005_tidy_crops: RemoveField crop.note: the release before still uses it.",),
)

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
It was verified. It did well in 2 of 2 rounds.

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
Way back: closed once this is applied. The version before may not be able to work on the schema \
of this one (ONE_WAY)
Snapshot: lightgate-crops-backend-{RELEASE}, available since 2026-11-16 01:55:40 UTC
Took: 187 seconds
Execution: arn:aws:states:us-east-1:123456789012:execution:release:crops-backend-7f5b2640fe6f

Why going back may not work:
  harvests.0005_tidy_crops: RemoveField crop.note: the release before still uses it.

Last lines of migrate:
    Applying harvests.0006_one_harvest_a_day...
  IntegrityError

To take back what was applied, where it can be, start an execution with:
  {{"app": "crops-backend", "digest": "{DIGEST}", "command": \
["python", "manage.py", "migrate", "harvests", "0004"]}}

To get the database of before as a new one, should you need it:
  aws rds restore-db-instance-from-db-snapshot --db-instance-identifier new
"""

REFUSAL = """\
crops-backend: release 20261116t015434z-7f5b2640-0c1d was refused.

serviceName: is missing
containers.web.dependsOn[0].containerName: there is no container "migrat" (did you mean migrate?)

What to do:
  Nothing was applied and nothing was deployed. Correct it and push again.

Took: 187 seconds
Execution: arn:aws:states:us-east-1:123456789012:execution:release:crops-backend-7f5b2640fe6f
"""


def rolled_back() -> Report:
    found = evidence(
        Phase.FAILED,
        migrations=[Migration(name="harvests.0005_tidy_crops", seconds=0.2)],
        failed=failure(),
    )
    conclusion = concluded(
        Ending(
            may_have_begun=True,
            status=Status.FAILED,
            version=8,
            previous_version=7,
            service=service(current=deployment(7)),
            evidence=found,
            verified=Verified(status="GOOD", version=7, watch=Watched(began_at=STARTED, rounds=2)),
        )
    )
    return report(
        evidence=found,
        conclusion=conclusion,
        failure=MIGRATION_ERROR,
        judgement=ONE_WAY,
        not_applied=["harvests.0006_one_harvest_a_day"],
        take_back=TAKE_BACK,
        snapshot=Snapshot(
            id=f"lightgate-crops-backend-{RELEASE}",
            available_at="2026-11-16T01:55:40+00:00",
            status="AVAILABLE",
            restore=[RESTORE],
        ),
    )


def refusal(*reasons: str, **changes: Any) -> Report:
    nothing: dict[str, Any] = dict.fromkeys(
        ["repository", "digest", "reason", "snapshot", "version", "previous_version"]
    )
    return report(**(nothing | {"conclusion": refused(reasons)} | changes))


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


def test_of_many_migrations_the_mail_names_twenty() -> None:
    migrations = [Migration(name=f"crops.{n:04}", seconds=None) for n in range(23)]

    mail = text(report(evidence=evidence(migrations=migrations)))

    assert "crops.0019, and 3 more\n" in mail
    assert "crops.0020" not in mail


def test_what_others_wrote_cannot_pose_as_a_line_of_ours() -> None:
    forged = report(app="a\nWhat to do:", reason="x\n\nWhat to do:\n  Send your password.")

    assert "\nWhat to do:" not in text(forged)


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (report(), f"[production] crops-backend SUCCEEDED {RELEASE}"),
        (rolled_back(), f"[production] crops-backend ROLLED_BACK {RELEASE}"),
        (refusal("x", stage="unknown"), f"[unknown] crops-backend REFUSED {RELEASE}"),
    ],
)
def test_a_subject_tells_stage_app_outcome_and_release(ended: Report, expected: str) -> None:
    assert expected == subject(ended)


@given(st.text(max_size=120), st.text(max_size=120), st.sampled_from(Outcome))
def test_a_subject_is_one_that_sns_takes(app: str, stage: str, outcome: Outcome) -> None:
    conclusion = Conclusion(outcome=outcome, reasons=[], next_steps=[])

    line = subject(report(app=app, stage=stage, conclusion=conclusion))

    assert 0 < len(line) < 100
    assert line.isascii()
    assert line.isprintable()


def test_a_machine_reads_everything_from_one_object() -> None:
    assert machine(rolled_back()) == {
        "messageId": f"lightgate-crops-backend-{RELEASE}",
        "kind": "IMAGE",
        "app": "crops-backend",
        "stage": "production",
        "release": RELEASE,
        "status": "ROLLED_BACK",
        "reasons": list(rolled_back().conclusion.reasons),
        "failure": MIGRATION_ERROR.to_json(),
        "judgement": ONE_WAY.to_json(),
        "watched": None,
        "notApplied": ["harvests.0006_one_harvest_a_day"],
        "takeBack": list(TAKE_BACK),
        "warnings": [],
        "nextSteps": list(rolled_back().conclusion.next_steps),
        "repository": "crops-backend",
        "digest": DIGEST,
        "reason": "push of crops-backend:latest",
        "version": 8,
        "previousVersion": 7,
        "snapshot": {
            "id": f"lightgate-crops-backend-{RELEASE}",
            "status": "AVAILABLE",
            "availableAt": "2026-11-16T01:55:40+00:00",
            "restoresTo": None,
            "restore": [RESTORE],
        },
        "savedSeconds": 0,
        "gate": rolled_back().evidence.to_json(),
        "text": ROLLBACK,
        "startedAt": "2026-11-16T01:54:34+00:00",
        "endedAt": "2026-11-16T01:57:41+00:00",
        "execution": EXECUTION,
    }


def test_the_message_id_is_the_same_however_the_outcome_is_found() -> None:
    assert machine(report())["messageId"] == machine(rolled_back())["messageId"]


def test_each_subscriber_gets_its_own_form() -> None:
    forms = json.loads(sns_message(rolled_back()))

    assert forms["default"] == forms["email"] == ROLLBACK
    for protocol in ("sqs", "lambda", "http"):
        assert json.loads(forms[protocol]) == machine(rolled_back())
    chat = json.loads(forms["https"])
    assert (chat["version"], chat["source"]) == ("1.0", "custom")
    assert chat["content"]["title"] == subject(rolled_back())
    assert "Version 7 is active and goes on serving." in chat["content"]["description"]
    assert chat["content"]["nextSteps"] == list(rolled_back().conclusion.next_steps)


def worst_evidence() -> Any:
    wide = '🌾"\\' * 400
    lines = [gate_line("applied", migration=f"{n}{wide}") for n in range(1000)]
    lines.append(
        gate_line("failed", cause=wide, error=wide, migration=wide, lastLines=[wide] * 100)
    )
    lines.append(gate_line("succeeded", lastLines=[wide] * 100))
    return read_evidence(RELEASE, {"migrate": lines})


@pytest.mark.parametrize(
    "conclusion",
    [
        concluded(
            Ending(
                may_have_begun=True,
                status=Status.FAILED,
                version=8,
                previous_version=7,
                service=service(current=deployment(7)),
                evidence=worst_evidence(),
                went_back=WentBack(
                    status="KEPT",
                    target=7,
                    version=None,
                    reasons=["🌾" * 600] * 20,
                    next_steps=["🌾" * 6000] * 2,
                ),
            )
        ),
        refused([f"{'k' * 200}: is not a known key; allowed is {'🌾' * 300}"] * 41),
        broken("States.TaskFailed: " + "🌾" * 500, 8),
    ],
    ids=lambda conclusion: conclusion.outcome.value,
)
def test_the_worst_message_fits_into_sns_and_into_the_state_machine(
    conclusion: Conclusion,
) -> None:
    wide = "🌾" * 500
    worst = report(
        app="a" * 40,
        reason=wide,
        evidence=worst_evidence(),
        conclusion=conclusion,
        warnings=[wide] * 30,
        failure=Diagnosis(kind=FailureKind.UNKNOWN, what=wide, evidence=wide, next_action=wide),
        judgement=Judgement(verdict=Verdict.UNKNOWN, reasons=[wide] * 20),
        not_applied=["🌾" * 100] * 200,
        take_back=["🌾" * 300] * 200,
        snapshot=Snapshot(
            id="s", available_at=None, status="FAILED", detail="failed", restore=["r" * 600] * 2
        ),
    )

    message = sns_message(worst)

    assert len(message.encode()) < SNS_BYTES
    # The state machine holds the message once more escaped, beside what the gates reported.
    state = json.dumps({"message": message, "gate": worst.evidence.to_json()}, ensure_ascii=False)
    assert len(state.encode()) < SNS_BYTES
    assert json.loads(json.loads(message)["sqs"])["status"] == conclusion.outcome.value


def test_a_shortened_message_says_how_much_is_left_out() -> None:
    message = sns_message(refusal(*[f"{n}: {'x' * 600}" for n in range(41)]))

    told = json.loads(json.loads(message)["sqs"])["reasons"]
    assert len(told) == 6
    assert told[0] == "0: " + "x" * 196 + "…"
    assert told[-1] == "There are 36 more reasons."


def test_an_error_text_cannot_mention_anybody_in_a_chat() -> None:
    conclusion = Conclusion(outcome=Outcome.FAILED, reasons=["<!channel> boom"], next_steps=[])

    chat = json.loads(json.loads(sns_message(report(conclusion=conclusion)))["https"])

    assert "<" not in chat["content"]["description"]
    assert "channel" in chat["content"]["description"]


def test_warnings_reach_people_and_machines() -> None:
    warned = report(warnings=["database: is missing"])

    assert "Warnings:\n  database: is missing\n" in text(warned)
    assert machine(warned)["warnings"] == ["database: is missing"]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.SUCCEEDED, False),
        (Outcome.REFUSED, False),
        (Outcome.ROLLED_BACK, True),
        (Outcome.FAILED, True),
    ],
)
def test_how_to_get_the_database_back_is_told_when_somebody_may_need_it(
    outcome: Outcome, expected: bool
) -> None:
    conclusion = Conclusion(outcome=outcome, reasons=["x"], next_steps=[])
    snapshot = Snapshot(id="s", available_at="2026-11-16T01:55:40+00:00", restore=[RESTORE])

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
                available_at="2026-11-16T01:55:40+00:00",
                restores_to="2026-11-16T01:50:00+00:00",
            ),
            "Restore point: the continuous backup, which reaches up to 2026-11-16 01:50:00 UTC",
        ),
        (
            Snapshot(id=None, available_at=None),
            "Restore point: the continuous backup, which is not there",
        ),
    ],
)
def test_the_restore_point_is_told_as_what_it_is(snapshot: Snapshot, expected: str) -> None:
    assert f"\n{expected}\n" in text(report(snapshot=snapshot))


@pytest.mark.parametrize(
    ("saved", "expected"), [(0, ""), (0.4, ""), (95.2, ", 95 less than in sequence")]
)
def test_what_the_overlap_has_saved_is_told(saved: float, expected: str) -> None:
    assert f"\nTook: 187 seconds{expected}\n" in text(report(saved_seconds=saved))


def test_a_command_is_told_as_what_it_is_with_what_it_has_printed() -> None:
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


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_end_of_everything_has_a_headline(kind: Kind, outcome: Outcome) -> None:
    conclusion = Conclusion(outcome=outcome, reasons=[], next_steps=[])

    headline = text(report(kind=kind, conclusion=conclusion)).partition("\n")[0]

    assert RELEASE in headline
    assert headline.endswith(".")


@pytest.mark.parametrize("verdict", Verdict)
def test_the_way_back_is_told_in_words_and_by_its_name(verdict: Verdict) -> None:
    told = text(report(judgement=Judgement(verdict=verdict, reasons=["It is so."])))

    assert f"({verdict.value})\n" in told.partition("Way back: ")[2]
    assert ("It is so." in told) is not verdict.lets_go_back


def test_what_was_said_among_the_reasons_is_not_said_again() -> None:
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


def test_the_cause_reaches_the_chat() -> None:
    chat = json.loads(json.loads(sns_message(rolled_back()))["https"])["content"]

    assert "*Cause (migration-error)*: Migration" in chat["description"]
    assert "*Do first*: Correct" in chat["description"]
