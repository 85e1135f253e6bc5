"""What is decided does not depend on our own sentences: each may be reworded."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lightgate
from lightgate.codec import decode, encode
from lightgate.diagnosis.diagnose import diagnose
from lightgate.errors import RefusalCode
from lightgate.gate.gate_report import Detail, GateCause, GateReport, Phase
from lightgate.migrations.permit import VoidCause, pending
from tests.support.builders import evidence, failure
from tests.support.failed_release import symptoms

PRODUCT = Path(lightgate.__file__).parent
# These rules read the words of Django, of a driver or of AWS, so they quote them.
READERS = (
    *("app_failure.py", "app_log.py", "database_advice.py", "database_trouble.py", "diagnose.py"),
    *("command_failure.py", "evidence.py", "log_causes.py", "log_patterns.py"),
    *("start_causes.py", "app_causes.py", "migration_causes.py", "weak_causes.py"),
)


@cache
def sentences() -> list[str]:
    """Every text of the product that has several words, as it stands in its code."""
    return sorted(set(_read_sentences()))


def _read_sentences() -> Iterator[str]:
    for file in PRODUCT.rglob("*.py"):
        if file.name not in READERS:
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    text = " ".join(node.value.split())
                    if " " in text and len(text) < 300:
                        yield text


WORDS = st.deferred(lambda: st.sampled_from(sentences()))
# The causes whose words are Lightgate's own; those of a command or of a driver are quoted.
OWN = [
    GateCause.LOCK,
    GateCause.DATABASE,
    GateCause.ATTEMPT,
    GateCause.SIGNAL,
    GateCause.PERMIT,
    GateCause.MAILBOX,
    GateCause.REFUSED,
    GateCause.SCHEMA,
    GateCause.TIMEOUT,
]


@given(
    cause=st.sampled_from(OWN),
    detail=st.none() | st.sampled_from(Detail),
    void=st.none() | st.sampled_from(VoidCause),
    words=WORDS,
    others=WORDS,
)
def test_the_class_of_a_gates_failure_does_not_depend_on_its_words(
    cause: GateCause, detail: Detail | None, void: VoidCause | None, words: str, others: str
) -> None:
    def kind(text: str) -> str:
        told = failure(cause=cause, detail=detail, error=text, last_lines=())
        permit = None if void is None else pending("r1").voided(void, text)
        return diagnose(
            symptoms(evidence=evidence(Phase.FAILED, failed=told), no_permit=permit)
        ).kind

    assert kind(words) == kind(others)


@pytest.mark.parametrize("cause", OWN)
def test_no_sentence_of_lightgate_decides_the_class_of_a_gates_failure(cause: GateCause) -> None:
    def kind(text: str) -> str:
        told = failure(cause=cause, error=text, last_lines=())
        return diagnose(symptoms(evidence=evidence(Phase.FAILED, failed=told))).kind

    assert len({kind(text) for text in sentences()}) == 1


@pytest.mark.parametrize("code", RefusalCode)
@given(words=WORDS, others=WORDS)
def test_the_class_of_a_refusal_does_not_depend_on_its_words(
    code: RefusalCode, words: str, others: str
) -> None:
    kinds = {diagnose(symptoms(error=text, refusal=code)).kind for text in (words, others)}

    assert len(kinds) == 1


def test_the_sentences_of_the_gate_programs_are_among_the_words() -> None:
    assert {"the helper does not answer any more", "the permit has expired"} <= set(sentences())


@given(st.sampled_from(Detail))
def test_what_a_failure_is_about_travels_with_the_state(detail: Detail) -> None:
    told = failure(detail=detail)
    seen = replace(evidence(Phase.FAILED), failure=told)

    assert encode(decode(GateReport, encode(seen)).failure) == encode(told)
