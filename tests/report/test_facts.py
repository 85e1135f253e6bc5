"""Each fact of a record and of its evidence is on the page of the release."""

from dataclasses import fields, replace
from datetime import timedelta
from itertools import pairwise

import pytest

from lightgate.migrations.compatibility import Judgement, Verdict
from lightgate.records.release_evidence import Evidence
from lightgate.records.release_record import ReadableRecord, RecordKind, StageName, StartedBy
from lightgate_report.charts import bars_of, length_of
from lightgate_report.render import Frame, render_fragment
from tests.cli import releases
from tests.report.parsed import parsed
from tests.report.samples import demo_overview, demo_release, full_evidence, full_record, page_of

# The texts that show each field of `full_record`.
RECORD = {
    "app": ["app-named"],
    "release": ["20261129t091001z-7849e651-b597"],
    "kind": ["Rollback to"],
    "status": ["FAILED"],
    "started_at": ["2026-11-29 09:10:01 UTC"],
    "stage": ["stage-named"],
    "tag": ["tag-named"],
    "digest": ["sha256:" + "1" * 64],
    "pushed_digest": ["sha256:" + "2" * 64],
    "repository": ["repository-named"],
    "started_by": ["reconcile"],
    "who": ["who-named"],
    "reason": ["reason-given"],
    "command": ["python manage.py command-named"],
    "rollback_to": ["version 71"],
    "caused_by": ["20261128t000000z-11111111-caus"],
    "superseded_by": ["20261130t000000z-22222222-supe"],
    "begun_as": ["20261130t000000z-33333333-bega"],
    "ended_at": ["2026-11-29 09:10:40 UTC"],
    "execution": ["execution:lightgate-release:exec-named"],
    "failure_code": ["failure-code"],
    "summary": ["summary sentence."],
    "reasons": ["reason sentence."],
    "cause": ["cause sentence."],
    "evidence_line": ["evidence line"],
    "next_steps": ["next sentence.", "lightgate next-command"],
    "warnings": ["warning sentence."],
    "stages": [
        *("Admission", "Snapshot", "Node start", "Permit", "Migration", "Activation"),
        *("Health checks", "Rollback", "09:10:17", "why-rollback", "why-admission"),
    ],
    "migrations": [
        *("shop.0000_applied", "shop.0001_reversed", "shop.0002_recorded"),
        *("shop.0003_failed", "shop.0004_not-applied", "shop.0005_unknown"),
        *("compatible", "restricted", "breaking", "Operation0", "Operation3", "3.5 s"),
    ],
    "unlisted": ["83 more migrations"],
    "snapshot": [
        *("snapshot-named", "SNAPSHOT-STATUS", "snapshot-detail"),
        *("2026-11-29 10:11:12 UTC", "2026-11-29 10:11:13 UTC"),
    ],
    "no_snapshot": ["no-snapshot-reason"],
    "rollback": ["Not safe to roll back", "judged-reason", "judged-restriction"],
    "version": ["72"],
    "previous_version": ["73"],
    "live": ["live-tag, version 74", "sha256:" + "3" * 64],
    "is_down": ["nothing was live"],
    "health": ["version 75", "HEALTH-STATUS", "77 of 90 checks passed", "7.7 s", "health-problem"],
    "saved": ["57 s"],
    "cost": ["$0.0123", "641", "642", "643", "priced-there"],
    "evidence": ["evidence-key.json"],
    "take_back": ["take-back-app"],
    "spec_version": ["76"],
    "rehearsal": [
        *("on a copy of rehearsed-snapshot", "AccessExclusiveLock on locked-table for 79 s"),
        *("new-table of 81 rows was written anew", "82 rows of new-table were changed"),
        *("the times are upper bounds", "lightgate-rehearsal-named may still exist"),
    ],
    "prediction": [
        *("20261128t000000z-44444444-reha FAILED: predicted summary.", "on predicted-table"),
        *("shop.0009_predicted took 46 s on the copy, 47 s in this release", "at most 47 s"),
        "the times on the copy are upper bounds",
    ],
}
EVIDENCE = {
    "gates": ["gate-named", "gate-event", "gate-error"],
    "logs": ["container-named", "first log line", "last log line"],
    "health": ["11:00:01", "3.25 s", "bad-health"],
    "rollback_health": ["11:00:02", "4.25 s", "passed"],
    "decisions": ["11:00:03 decision", "decided-reason"],
    "unread": ["unread-thing"],
}
# These change others: one record cannot show all of its facts.
OTHERS = {
    "is_down": {"live": None, "is_down": True},
    "kind": {"kind": RecordKind.ROLLBACK},
    "rollback_to": {"kind": RecordKind.ROLLBACK, "started_by": StartedBy.PERSON},
}


def text_of(record: ReadableRecord, evidence: Evidence | None = None) -> str:
    return parsed(render_fragment(page_of(record, evidence), Frame())).text


def test_the_lists_of_this_test_have_every_field() -> None:
    """`schema_version` is for programs, and the evidence repeats three facts of the record."""
    assert {each.name for each in fields(ReadableRecord)} - {"schema_version"} == set(RECORD)
    of_evidence = {each.name for each in fields(Evidence)}
    assert of_evidence - {"schema_version", "app", "release", "status"} == set(EVIDENCE)


@pytest.mark.parametrize("field", RECORD)
def test_the_page_shows_each_fact_of_the_record(field: str) -> None:
    text = text_of(full_record(**OTHERS.get(field, {})))

    assert [each for each in RECORD[field] if each not in text] == []


@pytest.mark.parametrize("field", EVIDENCE)
def test_the_page_shows_each_fact_of_the_evidence(field: str) -> None:
    text = text_of(full_record(), full_evidence())

    assert [each for each in EVIDENCE[field] if each not in text] == []


@pytest.mark.parametrize("record", releases.demo(), ids=lambda record: record.release)
def test_a_page_has_no_heading_without_anything_below_it(record: ReadableRecord) -> None:
    html = render_fragment(page_of(record), Frame())

    names = [each.name for each in parsed(html).elements]
    headings = {"h1", "h2", "h3"}
    assert not [pair for pair in pairwise(names) if set(pair) <= headings]


def test_the_verdict_comes_first_then_the_cause_then_the_next_step() -> None:
    text = text_of(full_record(), full_evidence())

    places = [
        text.index(each)
        for each in (
            *("summary sentence.", "cause sentence.", "evidence line", "next sentence."),
            *("Stages", "shop.0000_applied", "Facts", "In the AWS console", "first log line"),
        )
    ]
    assert places == sorted(places)


def test_the_page_says_that_the_node_started_during_the_snapshot() -> None:
    page = demo_release()

    assert page.gantt is not None
    assert page.gantt.band is not None
    assert page.gantt.band.text == (
        "The node started during the snapshot, with an overlap of 2 s. This saved 2 s."
    )


def test_an_event_of_a_gate_is_shown_without_what_all_of_them_have_in_common() -> None:
    event = {"lightgate": 1, "release": "r-1", "container": "web", "event": "locked", "seconds": 2}
    odd = "no event"

    page = page_of(full_record(), replace(full_evidence(), gates={"web": [event, odd]}))

    assert page.gates[0].lines == ['{"event": "locked", "seconds": 2}', '"no event"']


def test_a_long_log_shows_its_end_and_says_how_much_is_missing() -> None:
    lines = [f"line-{number}." for number in range(700)]
    text = text_of(full_record(), replace(full_evidence(), logs={"web": lines}))

    assert "200 earlier lines are in the evidence file." in text
    assert "line-199." not in text
    assert "line-200." in text
    assert "line-699." in text


def test_a_release_without_evidence_links_to_no_log_and_no_snapshot_that_is_unknown() -> None:
    record = replace(releases.v21(), execution=None)

    html = render_fragment(page_of(record), Frame())

    assert "console.aws" not in html
    assert "<details>" not in html


def test_a_release_on_the_local_cloud_has_no_links_to_a_console() -> None:
    record = full_record()
    local = replace(record, execution=str(record.execution).replace("123456789012", "000000000000"))

    assert "aws.amazon.com" in render_fragment(page_of(record), Frame())
    assert "aws.amazon.com" not in render_fragment(page_of(local), Frame())


def test_a_safe_release_says_so() -> None:
    assert "Safe to roll back" in text_of(
        full_record(rollback=Judgement(verdict=Verdict.SAFE, restrictions=["one INSERT may fail"]))
    )


def test_the_overview_shows_what_is_live_and_each_release_with_its_stages() -> None:
    text = parsed(render_fragment(demo_overview(), Frame())).text

    assert "crops-backend (production)" in text
    assert "v2.1, version 5" in text
    assert "v3 ROLLED_BACK 4 min ago Migration harvests.0006_one_harvest_a_day failed." in text
    assert "Snapshot: 3 s, Node start: 2 s, Permit: 1 s" in text
    for record in releases.demo():
        assert record.release in text
    assert text.count("SUCCEEDED live") == 1


def test_the_bars_of_all_releases_have_one_scale() -> None:
    slow = replace(
        releases.v2(),
        ended_at=releases.v2().started_at + timedelta(minutes=1),
    )
    page = demo_overview()
    assert page.scale == "12 s"

    whole = length_of(slow, releases.NOW)
    assert whole == timedelta(minutes=1)
    [snapshot, node, *_] = bars_of(slow, whole, releases.NOW)
    assert (snapshot.stage, snapshot.width, snapshot.lane) == (StageName.SNAPSHOT, 5.0, 0)
    assert (node.stage, node.lane) == (StageName.NODE, 1)
    assert snapshot.left == node.left
