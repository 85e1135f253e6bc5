"""A watch period of two minutes: what it asks, and what a good answer is."""

from dataclasses import replace
from typing import Any

from lightgate.spec.health_rules import HealthRules, Probe
from lightgate.verification.health import HttpAnswer
from tests.support.builders import seconds

READ = Probe(
    method="GET",
    path="/healthz",
    success_codes="200",
    latency=seconds(5),
    headers={},
    body=None,
    expected_header=None,
    expected_text=None,
)
WRITE = replace(READ, method="POST", path="/", success_codes="201", body="{}")
RULES = HealthRules(
    period=seconds(120), read=READ, write=None, answers_needed=3, failures_in_a_row=3
)


def good(**changes: Any) -> HttpAnswer:
    values = {"status": 200, "headers": {"x-release": "v2"}, "body": b"ok", "took": seconds(0.1)}
    return HttpAnswer(**(values | changes))
