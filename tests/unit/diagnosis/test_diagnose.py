"""What stopped a release, and what is said where nothing explains it."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.codec import decode, encode
from lightgate.diagnosis.diagnose import diagnose
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.symptoms import Diagnosis
from lightgate.errors import RefusalCode, RefusedError
from lightgate.gate.gate_report import NO_GATE_REPORT, GateCause, Phase
from lightgate.image.config import INDEX_TYPES, Manifest, parse_config, platform_digest
from lightgate.migrations.permit import VoidCause, pending
from tests.support.builders import evidence, failure
from tests.support.failed_release import BAD_HOST, NO_MODULE, NO_VARIABLE, app, symptoms

Kind = FailureClass


@pytest.mark.parametrize(
    "error",
    [
        "ThrottlingException: Rate exceeded",
        "The maximum API request rate has been exceeded for your account.",
    ],
)
def test_a_busy_platform_is_not_blamed_on_the_app(error: str) -> None:
    found = diagnose(symptoms(evidence=NO_GATE_REPORT, error=error))

    assert (found.kind, found.evidence) == (Kind.PLATFORM_BUSY, error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (RefusalCode.SERVICE_BUSY, Kind.PLATFORM_BUSY),
        (RefusalCode.ARCHITECTURE, Kind.ARCHITECTURE),
        (RefusalCode.SPEC, Kind.UNKNOWN),
    ],
)
def test_a_refusal_is_known_by_its_code(code: RefusalCode, kind: FailureClass) -> None:
    for words in ("in whatever words", "Please wait for it to complete before trying again."):
        found = diagnose(symptoms(evidence=NO_GATE_REPORT, error=words, refusal=code))

        assert found.kind is kind


@pytest.mark.parametrize(
    "refuse",
    [
        lambda: parse_config(json.dumps({"architecture": "arm64"})),
        lambda: platform_digest(
            Manifest(digest="d", media_type=INDEX_TYPES[0], text='{"manifests": []}')
        ),
    ],
)
def test_an_image_for_another_architecture_is_refused_with_its_code(
    refuse: Callable[[], object],
) -> None:
    with pytest.raises(RefusedError) as caught:
        refuse()

    assert caught.value.code is RefusalCode.ARCHITECTURE


def test_what_failed_in_the_watch_period_is_not_taken_for_a_crash_on_start() -> None:
    found = diagnose(symptoms(logs=app(*NO_MODULE), watch="GET / answered 500, not 200"))

    assert (found.kind, found.evidence) == (Kind.WATCH_FAILED, "GET / answered 500, not 200")


def test_the_next_step_for_a_disabled_service_is_to_enable_it() -> None:
    found = diagnose(symptoms(watch="the container service is disabled", is_disabled=True))

    assert found.kind is Kind.WATCH_FAILED
    assert found.next_action.startswith("Enable the container service crops-backend in the ")


def test_without_anything_to_go_by_nothing_is_claimed() -> None:
    found = diagnose(symptoms(evidence=NO_GATE_REPORT))

    assert found.kind is Kind.UNKNOWN
    assert found.evidence is None
    assert found.what.endswith("Could not be read: the log of migrate, the log of web.")
    assert "aws lightsail get-container-log" in found.next_action


def test_unread_sources_are_reported_beside_every_cause() -> None:
    stop = "ThrottlingException: Rate exceeded"

    found = diagnose(symptoms(error=stop, logs={}, unread=["the policy of the repository"]))

    assert found.kind is Kind.PLATFORM_BUSY
    assert found.what.endswith("Could not be read: the policy of the repository.")


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (VoidCause.TOO_LATE, Kind.NO_PERMIT),
        (VoidCause.LOST, Kind.NO_PERMIT),
        (VoidCause.POLICY, Kind.MIGRATION_REFUSED),
    ],
)
def test_a_gate_that_could_not_say_why_it_got_no_permit_is_spoken_for(
    cause: VoidCause, kind: FailureClass
) -> None:
    permit = pending("r1").voided(cause, "These are its words.")

    found = diagnose(symptoms(evidence=evidence(Phase.WAITING), no_permit=permit))

    assert (found.kind, found.evidence) == (kind, "These are its words.")


TOO_LATE = pending("r1").voided(VoidCause.TOO_LATE, "It came too late.")


def test_a_gate_that_never_spoke_has_not_failed_for_want_of_a_permit() -> None:
    found = diagnose(symptoms(evidence=NO_GATE_REPORT, no_permit=TOO_LATE))

    assert found.kind is Kind.UNKNOWN


def test_what_a_gate_says_itself_counts_for_more_than_the_permit() -> None:
    failed = evidence(Phase.FAILED, failed=failure(cause="timeout"))

    found = diagnose(symptoms(evidence=failed, no_permit=TOO_LATE))

    assert found.kind is Kind.TIME_LIMIT


TEXT = st.text(max_size=30) | st.sampled_from([*NO_MODULE, *NO_VARIABLE, BAD_HOST])


@given(
    phase=st.sampled_from(Phase),
    cause=st.none() | st.sampled_from(GateCause),
    error=TEXT,
    lines=st.lists(TEXT, max_size=6),
    system=st.lists(st.sampled_from(["Canceled", "Started 1 new node", "?"]), max_size=4),
    starts=st.integers(0, 3),
    stop=st.none() | TEXT,
)
def test_whatever_was_observed_there_is_one_diagnosis_with_an_action(
    phase: Phase,
    cause: GateCause | None,
    error: str,
    lines: list[str],
    system: list[str],
    starts: int,
    stop: str | None,
) -> None:
    failed = failure(cause=cause, error=error, last_lines=lines) if cause is not None else None
    found = diagnose(
        symptoms(
            evidence=evidence(phase, failed=failed),
            logs=app(*lines, system=tuple(system), starts=starts),
            error=stop,
        )
    )

    assert found.what
    assert found.next_action
    assert decode(Diagnosis, json.loads(json.dumps(encode(found)))) == found
