"""What is decided does not depend on our own sentences: each may be reworded."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.codec import decode, encode
from lightgate.diagnosis.diagnose import diagnose
from lightgate.errors import RefusalCode
from lightgate.gate.gate_report import Detail, GateReport, Phase
from lightgate.migrations.permit import VoidCause, pending
from tests.support.builders import evidence, failure
from tests.support.failed_release import symptoms

WORDS = st.text(alphabet="abc :.-", min_size=1, max_size=40)
# The causes whose words are Lightgate's own; those of a command or of a driver are quoted.
OWN = ["lock", "database", "attempt", "signal", "permit", "mailbox", "refused", "schema", "timeout"]


@given(
    cause=st.sampled_from(OWN),
    detail=st.none() | st.sampled_from(Detail),
    void=st.none() | st.sampled_from(VoidCause),
    words=WORDS,
    others=WORDS,
)
def test_the_class_of_a_gates_failure_does_not_depend_on_its_words(
    cause: str, detail: Detail | None, void: VoidCause | None, words: str, others: str
) -> None:
    def kind(text: str) -> str:
        told = failure(cause=cause, detail=detail, error=text, last_lines=())
        permit = None if void is None else pending("r1").voided(void, text)
        return diagnose(
            symptoms(evidence=evidence(Phase.FAILED, failed=told), no_permit=permit)
        ).kind

    assert kind(words) == kind(others)


@pytest.mark.parametrize("code", RefusalCode)
@given(words=WORDS, others=WORDS)
def test_the_class_of_a_refusal_does_not_depend_on_its_words(
    code: RefusalCode, words: str, others: str
) -> None:
    kinds = {diagnose(symptoms(error=text, refusal=code)).kind for text in (words, others)}

    assert len(kinds) == 1


@given(st.sampled_from(Detail))
def test_what_a_failure_is_about_travels_with_the_state(detail: Detail) -> None:
    told = failure(detail=detail)
    seen = replace(evidence(Phase.FAILED), failure=told)

    assert encode(decode(GateReport, encode(seen)).failure) == encode(told)
