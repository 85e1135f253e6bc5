"""Whatever gates say, what a step hands on has its bounds."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lightgate.codec import encode
from lightgate.deployment.status import Status
from lightgate.diagnosis.gate_waits import read_wait
from lightgate.gate.report_reader import read_gate_report
from lightgate.migrations.compatibility import judge_plan, together
from lightgate.migrations.plan import read_plans
from lightgate.operations.payload_limit import LARGEST_ANSWER_BYTES, shortened
from lightgate.state import DeploymentProgress
from tests.support.builders import progress

RELEASE = "20261122t154106z-87ae2d53-5d93"
LONG = st.sampled_from(["x", "\U0001f980" * 700, "crops.0002_change", "é" * 250])
NUMBERS = st.sampled_from([0, 3, 10**4000])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "error": LONG,
    "cause": LONG,
    "hash": LONG,
    "why": LONG,
    "for": st.just(["lock"]),
    "count": st.sampled_from([1, 9999, None]),
    "class": st.sampled_from(["data", "breaking", "unknown"]),
    "database": LONG,
    "lastLines": st.lists(LONG, max_size=5).map(lambda lines: lines * 10),
    "migrationsApplied": LONG.map(lambda name: [f"{n} {name}" for n in range(300)]),
    "migrations": LONG.map(
        lambda name: [{"name": name, "operations": [["data", f"{n} {name}"]]} for n in range(60)]
    ),
    "holder": NUMBERS.map(lambda pid: [{"pid": pid, "application": "a", "seconds": pid}] * 9),
    "ahead": LONG.map(lambda name: {"class": "breaking", "names": [name] * 30}),
}
EVENTS = st.builds(
    lambda kind, fields: {"event": kind, **fields},
    st.sampled_from(["plan", "waiting", "failed", "succeeded", "applying"]),
    st.fixed_dictionaries({}, optional=FIELDS),
)


def answer(gates: dict[str, list[Any]]) -> DeploymentProgress:
    """What CheckDeployment makes of what the gates have said."""
    head = {
        "lightgate": 1,
        "release": RELEASE,
        "at": datetime(2026, 11, 22, tzinfo=UTC).isoformat(),
    }
    lines = {
        gate: [json.dumps({**head, "container": gate, **event}) for event in said]
        for gate, said in gates.items()
    }
    plans = {gate: read_plans(RELEASE, gate, lines[gate]) for gate in lines}
    told = {gate: together(map(judge_plan, plans[gate])) for gate in lines}
    waits = [read_wait(RELEASE, gate, lines[gate]) for gate in lines]
    return progress(
        status=Status.ACTIVATING,
        notes=tuple(str(plan.ahead) for gate in lines for plan in plans[gate] if plan.ahead),
        judgements=told,
        judgement=together(told.values()),
        waits=tuple(wait for wait in waits if wait is not None),
        gate=read_gate_report(RELEASE, lines),
    )


@settings(max_examples=settings.default.max_examples // 2)
@given(st.dictionaries(st.sampled_from("abcdefghijkl"), st.lists(EVENTS, max_size=8)))
def test_any_gate_report_fits_and_the_decision_stays(
    gates: dict[str, list[Any]],
) -> None:
    whole = answer(gates)

    found = shortened(whole)

    assert len(json.dumps(encode(found), ensure_ascii=False).encode()) <= LARGEST_ANSWER_BYTES
    before, after = whole.gate, found.gate
    assert before is not None
    assert after is not None
    assert (before.phase, before.atomic, before.changed) == (
        after.phase,
        after.atomic,
        after.changed,
    )
    verdicts = [
        [judgement.verdict for judgement in one.judgements.values()] for one in (whole, found)
    ]
    assert verdicts[0] == verdicts[1]


def test_a_small_answer_is_not_shortened() -> None:
    whole = answer({"migrate": [{"event": "plan", "hash": "p", "count": 1, "class": "data"}]})

    assert shortened(whole) == whole
