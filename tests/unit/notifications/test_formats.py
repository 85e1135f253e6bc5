"""The final message: its subject, its form for each subscriber, and what SNS takes."""

import dataclasses
import inspect
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate import VERSION
from lightgate.codec import encode
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.errors import RefusalCode, sentence
from lightgate.gate.report_reader import read_gate_report
from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.notifications import email
from lightgate.notifications.email import next_steps, text
from lightgate.notifications.formats import machine, sns_message, subject, subject_line
from lightgate.notifications.report import Report, Snapshot
from lightgate.outcome.conclude import conclude
from lightgate.outcome.outcome import Conclusion, Outcome, broken, refused
from lightgate.state import RollbackResult, RollbackStatus
from tests.support.builders import DIGEST, EXECUTION, RELEASE, ending, gate_line, report
from tests.support.ended_releases import (
    MIGRATION_ERROR,
    RESTORE,
    SAFE,
    TAKE_BACK,
    refusal,
    rolled_back,
)

SNS_BYTES = 256 * 1024


@pytest.mark.parametrize("length", [1, 40, 64, 128])
def test_a_long_subject_loses_its_middle_and_keeps_what_is_live(length: int) -> None:
    line = subject_line("production", "crops-backend", "ROLLED_BACK", f"{'v' * length}, x is live")

    assert len(line) < 100
    assert line.startswith("[production] crops-backend ROLLED_BACK v")
    assert line.endswith(", x is live")
    assert ("..." in line) == (length > 48)


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (report(), "[production] crops-backend SUCCEEDED 7f5b2640fe6f is live"),
        (rolled_back(), "[production] crops-backend ROLLED_BACK 7f5b2640fe6f"),
        (refusal("x", stage="unknown"), f"[unknown] crops-backend REFUSED {RELEASE}"),
    ],
)
def test_a_subject_has_stage_app_outcome_and_release(ended: Report, expected: str) -> None:
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
        "schemaVersion": 1,
        "event": "release-ended",
        "lightgateVersion": VERSION,
        "messageId": f"lightgate-crops-backend-{RELEASE}",
        "kind": "IMAGE",
        "app": "crops-backend",
        "stage": "production",
        "release": RELEASE,
        "tag": None,
        "status": "ROLLED_BACK",
        "code": None,
        "reasons": list(rolled_back().conclusion.reasons),
        "failure": encode(MIGRATION_ERROR),
        "judgement": encode(SAFE),
        "watched": None,
        "notApplied": ["harvests.0006_one_harvest_a_day"],
        "unlisted": 0,
        "reversed": [],
        "takeBack": list(map(json.dumps, TAKE_BACK)),
        "warnings": [],
        "nextSteps": list(next_steps(rolled_back())),
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
            "ageSeconds": None,
            "restore": [RESTORE],
            "pointTheApp": [],
        },
        "noRestorePoint": None,
        "savedSeconds": 0,
        "cost": None,
        "paused": None,
        "prediction": None,
        "gate": encode(rolled_back().evidence, complete=True),
        "text": text(rolled_back()),
        "startedAt": "2026-11-16T01:54:34+00:00",
        "endedAt": "2026-11-16T01:57:41+00:00",
        "execution": EXECUTION,
        "links": {"page": None, "execution": None, "log": None, "snapshot": None},
    }


def test_the_message_id_is_the_same_however_the_outcome_is_found() -> None:
    assert machine(report())["messageId"] == machine(rolled_back())["messageId"]


def test_each_subscriber_gets_its_own_form() -> None:
    forms = json.loads(sns_message(rolled_back()))

    assert forms["default"] == forms["email"] == text(rolled_back())
    for protocol in ("sqs", "lambda", "http"):
        assert json.loads(forms[protocol]) == machine(rolled_back())
    chat = json.loads(forms["https"])
    assert (chat["version"], chat["source"]) == ("1.0", "custom")
    assert chat["content"]["title"] == subject(rolled_back())
    assert "Version 7 is healthy" in chat["content"]["description"]
    assert chat["content"]["nextSteps"] == list(next_steps(rolled_back()))


def worst_evidence() -> Any:
    wide = '🌾"\\' * 400
    lines = [gate_line("applied", migration=f"{n}{wide}") for n in range(1000)]
    lines.append(
        gate_line("failed", cause=wide, error=wide, migration=wide, lastLines=[wide] * 100)
    )
    lines.append(gate_line("succeeded", lastLines=[wide] * 100))
    return read_gate_report(RELEASE, {"migrate": lines})


@pytest.mark.parametrize(
    "conclusion",
    [
        conclude(
            ending(
                evidence=worst_evidence(),
                rollback_result=RollbackResult(
                    status=RollbackStatus.KEPT,
                    target=7,
                    version=None,
                    reasons=["🌾" * 600] * 20,
                    next_steps=["🌾" * 6000] * 2,
                ),
            )
        ),
        refused(
            [f"{'k' * 200}: is not a known key; allowed is {'🌾' * 300}"] * 41,
            code=RefusalCode.SPEC,
        ),
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
        failure=Diagnosis(kind=FailureClass.UNKNOWN, what=wide, evidence=wide, next_action=wide),
        judgement=Judgement(verdict=Verdict.UNKNOWN, reasons=[wide] * 20),
        not_applied=["🌾" * 100] * 200,
        take_back=[{"app": "a", "digest": "d", "command": ["🌾" * 300]}] * 200,
        snapshot=Snapshot(
            id="s", available_at=None, status="FAILED", detail="failed", restore=["r" * 600] * 2
        ),
    )

    message = sns_message(worst)

    assert len(message.encode()) < SNS_BYTES
    # The state machine holds the message once more escaped, beside what the gates reported.
    state = json.dumps({"message": message, "gate": encode(worst.evidence)}, ensure_ascii=False)
    assert len(state.encode()) < SNS_BYTES
    assert json.loads(json.loads(message)["sqs"])["status"] == conclusion.outcome.value


def test_a_shortened_message_says_how_much_is_left_out() -> None:
    message = sns_message(refusal(*[f"{n}: {'x' * 600}" for n in range(41)]))

    told = json.loads(json.loads(message)["sqs"])["reasons"]
    assert len(told) == 6
    assert told[0] == "0: " + "x" * 196 + "…"
    assert told[-1] == "There are 36 more reasons."


def chat_of(ended: Report) -> Any:
    return json.loads(json.loads(sns_message(ended))["https"])["content"]


def told_in_chat(said: str) -> str:
    steps = [said, sentence(said)]
    conclusion = Conclusion(outcome=Outcome.FAILED, reasons=[said], next_steps=steps)
    chat = chat_of(report(conclusion=conclusion))
    step, reason = chat["nextSteps"]
    assert chat["description"].split("\n")[1] == reason
    return str(step)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Version 7 is active, in 12 s (3 of 3).", "Version 7 is active, in 12 s (3 of 3)."),
        ("crops.0005_price_per_kg: [1, 2] ab@c", "crops.0005_price_per_kg: [1, 2] ab@c"),
        ('{"command": ["migrate", "0005_a"]}', '{"command": ["migrate", "0005_a"]}'),
        ("<!channel> boom", "`(!channel) boom`"),
        (
            "/x [Restore here](https://evil.example/a)",
            "`/x [Restore here](https://evil.example/a)`",
        ),
        ("[a][b]", "`[a][b]`"),
        ("see https://evil.example/a", "`see https://evil.example/a`"),
        ("now *bold* `code` ~gone~", "`now *bold* 'code' ~gone~`"),
        ("_quiet_ words", "`_quiet_ words`"),
        ("@channel all", "`@channel all`"),
        ("&lt;!here&gt;", "`&lt;!here&gt;`"),
        ("- item", "`- item`"),
        ("so :skull: much", "`so :skull: much`"),
        ("a\u202eb\nc\x1b[31m", "a b c [31m"),
    ],
)
def test_a_chat_shows_letter_by_letter_what_was_written(said: str, shown: str) -> None:
    assert told_in_chat(said) == shown


@given(st.text(alphabet="ab <>!*_~`[]()@:/&;\\\n\u202e-#1."))
def test_no_text_gets_out_of_its_span_in_a_chat(said: str) -> None:
    shown = told_in_chat(said)

    assert shown.isprintable()
    assert not set("<>") & set(shown)
    if set("*~`\\") & set(shown):
        assert (shown[0], shown[-1], shown.count("`")) == ("`", "`", 2)


def test_no_line_of_others_looks_like_one_of_ours_in_an_e_mail() -> None:
    said = "boom\n\nNext       \n  drop the database\u202e"
    conclusion = Conclusion(outcome=Outcome.FAILED, reasons=[said], next_steps=[said])
    failure = replace(MIGRATION_ERROR, what=said, evidence=said, next_action=said)

    mail = text(report(conclusion=conclusion, failure=failure, warnings=[said], reason=said))

    assert mail.count("drop the database") == 5
    assert not any(line.strip() == "drop the database" for line in mail.splitlines())
    assert "\u202e" not in mail


def test_warnings_are_in_every_form_of_the_message() -> None:
    warned = report(warnings=["database: is missing"])

    assert "Warning    database: is missing\n" in text(warned)
    assert machine(warned)["warnings"] == ["database: is missing"]


def test_the_cause_reaches_the_chat() -> None:
    chat = json.loads(json.loads(sns_message(rolled_back()))["https"])["content"]

    assert "*Cause*: Migration" in chat["description"]
    assert chat["nextSteps"][0].startswith("Correct")


# These facts are in the text of the message and in its other keys.
ONLY_IN_THE_TEXT = {
    "applied_nothing",
    "command",
    "is_down",
    "live",
    "requested_digest",
    "rollback_to",
    "why_not_back",
}


def test_every_field_of_the_report_is_in_the_json_object_or_in_the_text() -> None:
    fields = {field.name for field in dataclasses.fields(Report)}
    in_json = set(re.findall(r"\breport\.(\w+)", inspect.getsource(machine)))
    in_text = set(re.findall(r"\breport\.(\w+)", inspect.getsource(email)))

    assert fields - in_json == ONLY_IN_THE_TEXT
    assert ONLY_IN_THE_TEXT - in_text - {"requested_digest"} == set()
