"""`lightgate explain`: each answer, by the facts that lead to it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lightgate.image.tags import TaggedImage
from lightgate.records.release_record import ReadableRecord
from lightgate.release.lock import Pause, QueueRehearsal
from lightgate_cli import explain
from lightgate_cli.reading.explaining import Answer, PushFacts, explain_push
from tests.cli import releases
from tests.cli.golden import PIPE, TERMINAL, assert_fits_a_terminal, assert_golden
from tests.cli.releases import APP, BACK, NOW, V2, V3, V21, record
from tests.support.builders import app_spec

V4 = "20261129t091250z-5d5d5d5d-aaaa"
V5 = "20261129t091400z-6e6e6e6e-bbbb"
SPEC = app_spec(repository=APP, tags=["v*"])
PAUSE = Pause(by="arn:aws:iam::123456789012:user/ann", reason="migration window", at=NOW)
OLD = NOW - timedelta(hours=2)


def image(tag: str, digest: str = "sha256:" + "e" * 64, **changes: Any) -> TaggedImage:
    return TaggedImage(**{"digest": digest, "tags": (tag,), "pushed_at": OLD, **changes})


def facts(asked: str, *found: ReadableRecord, **changes: Any) -> PushFacts:
    """After the demo, in which v2.1 is live again."""
    demo = releases.demo()
    told: dict[str, Any] = {
        "app": APP,
        "asked": asked,
        "now": NOW,
        "spec": SPEC,
        "releases": found,
        "others": [*found, *demo],
        "live": BACK,
        "live_record": releases.back(),
        "reconciled_at": NOW - timedelta(minutes=4),
    }
    return PushFacts(**told | changes)


def waits(**changes: Any) -> PushFacts:
    lock = releases.lock(waiting=releases.waiting(V5, "v5"), **changes)
    return facts("v5", record(V5, "v5", "QUEUED"), lock=lock)


def ended(tag: str, status: str, **changes: Any) -> PushFacts:
    return facts(tag, record(V4, tag, status, **changes))


REHEARSAL = QueueRehearsal(name="rehearse", push=f"{APP}-next", request={})
running = record(V4, "v4", "RELEASING")
CASES: dict[str, tuple[PushFacts, Answer, str | None]] = {
    "live": (facts("v2.1", releases.v21()), Answer.LIVE, None),
    "live-by-its-own-release": (
        facts("v2", releases.v2(), live=V2, live_record=releases.v2()),
        Answer.LIVE,
        None,
    ),
    "replaced": (facts("v2", releases.v2()), Answer.REPLACED, V21),
    "in-progress": (
        facts("v4", running, lock=releases.lock(holder=releases.holder(V4))),
        Answer.IN_PROGRESS,
        None,
    ),
    "in-progress-and-serving": (
        facts(
            "v4",
            running,
            lock=releases.lock(holder=releases.holder(V4)),
            live=V4,
            live_record=running,
        ),
        Answer.IN_PROGRESS,
        None,
    ),
    "live-and-released-again": (
        facts(
            "v2.1",
            releases.v21(),
            lock=releases.lock(holder=releases.holder(V21)),
        ),
        Answer.LIVE,
        None,
    ),
    "abandoned": (ended("v4", "ABANDONED"), Answer.ABANDONED, None),
    "waiting": (
        replace(waits(holder=releases.holder(V4)), others=[running]),
        Answer.WAITING,
        V4,
    ),
    "about-to-start": (waits(), Answer.WAITING, None),
    "rehearsing": (
        waits(to_rehearse=f"{APP}-next", rehearsal=REHEARSAL),
        Answer.REHEARSING,
        None,
    ),
    "about-to-be-rehearsed": (waits(to_rehearse=f"{APP}-next"), Answer.REHEARSING, None),
    "paused": (waits(paused=PAUSE), Answer.PAUSED, None),
    "waiting-in-a-paused-app": (
        waits(holder=releases.holder(V4), paused=PAUSE),
        Answer.WAITING,
        V4,
    ),
    "superseded": (
        ended("v4", "SUPERSEDED", superseded_by=V3, reasons=[f"Release {V3} is for a newer push."]),
        Answer.SUPERSEDED,
        V3,
    ),
    "superseded-in-the-queue": (ended("v4", "QUEUED"), Answer.SUPERSEDED, None),
    "duplicate": (
        ended("v4", "DUPLICATE", reasons=["A release of this image is live already."]),
        Answer.DUPLICATE,
        None,
    ),
    "refused": (
        ended(
            "v4",
            "REFUSED",
            failure_code="secret",
            reasons=["the secret crops/db does not exist"],
            next_steps=["Create the secret, then release v4 again."],
        ),
        Answer.REFUSED,
        None,
    ),
    "failed": (
        ended("v4", "FAILED", failure_code="stopped", summary="The release was stopped."),
        Answer.FAILED,
        None,
    ),
    "an-unknown-status": (ended("v4", "LOST", reasons=["It lost its lock."]), Answer.FAILED, None),
    "rolled-back": (facts("v3", releases.v3()), Answer.ROLLED_BACK, None),
    "unhealthy": (facts("v2.2", releases.v22()), Answer.ROLLED_BACK, None),
    "ignored": (facts("latest", image=image("latest")), Answer.IGNORED, None),
    "ignored-digest": (
        facts("sha256:" + "e" * 64, image=image("latest", tags=())),
        Answer.IGNORED,
        None,
    ),
    "own-tag": (facts("lightgate-1a2b", image=image("lightgate-1a2b")), Answer.IGNORED, None),
    "no-image": (
        facts("v9", image=image("v9"), artifact="application/vnd.cncf.helm.config.v1+json"),
        Answer.NO_IMAGE,
        None,
    ),
    "spec-broken": (
        facts("v9", spec=None, spec_problem="stage: is missing"),
        Answer.SPEC_BROKEN,
        None,
    ),
    "no-app": (facts("v9", spec=None), Answer.NO_APP, None),
    "not-in-the-repository": (facts("v9"), Answer.NOT_IN_REPOSITORY, None),
    "repository-unread": (
        facts("v9", image_unread="ECR answers AccessDeniedException"),
        Answer.NEVER_SEEN,
        None,
    ),
    "before-watch": (facts("v9", image=image("v9"), is_baseline=True), Answer.BEFORE_WATCH, None),
    "event-expected": (
        facts("v9", image=image("v9", pushed_at=NOW - timedelta(seconds=40))),
        Answer.EVENT_EXPECTED,
        None,
    ),
    "reconcile-off": (
        facts("v9", image=image("v9"), reconciles=False),
        Answer.RECONCILE_OFF,
        None,
    ),
    "never-seen": (facts("v9", image=image("v9")), Answer.NEVER_SEEN, None),
    "pushed-again": (
        facts("v3", releases.v3(), image=image("v3", pushed_at=NOW - timedelta(seconds=9))),
        Answer.EVENT_EXPECTED,
        None,
    ),
    "the-same-image-pushed-again": (
        facts("v3", releases.v3(), image=image("v3", releases.digest(V3), pushed_at=NOW)),
        Answer.ROLLED_BACK,
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_push_has_its_answer(name: str) -> None:
    found, answer, by = CASES[name]

    explained = explain_push(found)

    assert (explained.answer, explained.by) == (answer, by)
    assert explained.text.endswith(".")


def test_there_is_a_push_for_each_answer() -> None:
    assert {answer for _, answer, _ in CASES.values()} == set(Answer)


@pytest.mark.parametrize("width", [TERMINAL, PIPE], ids=["terminal", "pipe"])
def test_the_answers_read_as_their_golden_file(width: int | None) -> None:
    told = {
        name: explain.lines(explain_push(found), width=width)
        for name, (found, _, _) in CASES.items()
    }

    lines = [each for name, shown in told.items() for each in ("", f"[{name}]", *shown)]
    assert_golden(f"explain-{'pipe' if width is PIPE else 'terminal'}", lines)
    if width is not PIPE:
        assert_fits_a_terminal(
            [each for shown in told.values() for each in shown], but=("sha256:",)
        )


def test_the_example_of_the_documentation() -> None:
    lines = explain.lines(explain_push(CASES["rolled-back"][0]), width=PIPE)

    assert_golden("explain-example-pipe", lines)


def test_an_image_that_a_rollback_has_deployed_again_is_live_since_then() -> None:
    assert explain_push(facts("v2.1", releases.v21())).since == releases.back().ended_at
