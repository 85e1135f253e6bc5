"""The watch period: whether a version that became active really does its work.

Every round asks the app, and looks whether the service still runs this version. What decides:

- Good, once the period is over, if the last `answers_needed` rounds in a row were good, and no
  more than a fifth of the last rounds were bad.
- Failed, at any time, after `failures_in_a_row` bad rounds in a row, or if there were more bad ones
  than that among the last five times as many: the app flaps. And if the period is over, and a
  little more has not made it good.
- Replaced, if another deployment has taken its place: then it is not this release's any more.

Only the last rounds count: however long an app did well, it has to do well at the end; and what
went wrong at the start of a long period is forgotten.

A round is bad if an answer is wrong, missing or slower than the bound. So one slow answer, or one
that was lost, fails nothing. A write is asked for until it was good once, and has to be by then:
each leaves something behind in the app. A version without a public URL is good as long as it is
current and active, and is started again no more than once, as when a node is replaced.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lightgate.deployment.status import Endpoint, Service
from lightgate.gate.log_lines import plain_text
from lightgate.outage import Checks
from lightgate.spec.health_rules import (
    _EXTENSION,
    _ROUNDS_PER_FAILURE,
    HealthRules,
    Probe,
)
from lightgate.spec.success_codes import accepts

# What is left of an answer after that is not looked at.
LARGEST_BODY_BYTES = 64 * 1024
_GOOD, _BAD = "+", "-"
# In the whole watch, whatever the rhythm of the rounds: Lightsail replaces a single node now and
# then; an app that ends by itself is started again and again.
_MOST_RESTARTS = 1
_LONGEST_PROBLEM = 300


class WatchStatus(enum.StrEnum):
    """How the watch stands. Only the first of these is worth another round.

    SKIPPED: there is nothing to watch, so nothing is verified.
    """

    WATCHING = "WATCHING"
    GOOD = "GOOD"
    FAILED = "FAILED"
    REPLACED = "REPLACED"
    SKIPPED = "SKIPPED"


def of_a_stranger(rules: HealthRules, endpoint: Endpoint | None) -> HealthRules:
    """The rules for a version whose own spec is not known: it has to answer its health check."""
    read = rules.read
    if endpoint is None or read is None:
        return replace(rules, read=None, write=None)
    asked = replace(
        read,
        path=endpoint.path,
        success_codes=endpoint.success_codes,
        expected_header=None,
        expected_text=None,
    )
    return replace(rules, read=asked, write=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What a server answered, as far as it was read; or why there was no answer.

    `headers` has lower-case names.
    """

    status: int | None
    headers: Mapping[str, str]
    body: bytes
    took: timedelta
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the rounds so far have shown. It is small, and travels through the state machine.

    `recent` has the last rounds, `+` for a good and `-` for a bad one, `problem` is what was wrong
    in the last bad round, `restarts` how often the app was started again since the watch began,
    `written` whether a write was good. `checks` has the outages, which the period does not count.
    """

    began_at: datetime
    rounds: int = 0
    bad: int = 0
    recent: str = ""
    good_in_a_row: int = 0
    bad_in_a_row: int = 0
    restarts: int = 0
    slowest: timedelta = timedelta()
    problem: str | None = None
    written: bool = False
    replaced: bool = False
    checks: Checks = field(default_factory=Checks)


def probes_of(seen: Watched, rules: HealthRules) -> Mapping[str, Probe]:
    """What to ask in the next round: `read`, and `write` until that was good."""
    found = {"read": rules.read, "write": None if seen.written else rules.write}
    return {name: probe for name, probe in found.items() if probe is not None}


def problem_of(probe: Probe, answer: HttpAnswer) -> str | None:
    """What is wrong with the answer, in one line; None if it is good."""
    asked = f"{probe.method} {probe.path}"
    if answer.error is not None or answer.status is None:
        return f"{asked}: {answer.error or 'no answer'}"
    if not accepts(probe.success_codes, answer.status):
        return f"{asked} returned {answer.status} (expected {probe.success_codes})"
    if answer.took > probe.latency:
        took, bound = answer.took.total_seconds(), probe.latency.total_seconds()
        return f"{asked} took {took:.1f} s (at most {bound:g} s are allowed)"
    if probe.expected_header is not None:
        name, value = probe.expected_header
        found = answer.headers.get(name.lower())
        if found != value:
            return f"{asked} returned {name}: {found or '(nothing)'} (expected {value})"
    text = probe.expected_text
    if text is not None and text.encode() not in answer.body:
        return f"{asked} returned a page without the text {text!r}"
    return None


def watch_round(
    seen: Watched,
    rules: HealthRules,
    service: Service,
    *,
    version: int,
    marker: str | None,
    problems: Mapping[str, str | None],
    slowest: timedelta = timedelta(),
    restarts: int | None = None,
) -> Watched:
    """What is known after one more round.

    `problems` has, for each of probes_of, what was wrong with the answer. `restarts` are all since
    the watch began, None if nobody could count them. A service that shows neither this version
    nor a later one is read again: reads may lag.
    """
    if service.has_replaced(version, marker) or _has_another_one(service, version, marker):
        return replace(seen, replaced=True, problem="Another deployment has taken its place")
    restarts = max(seen.restarts, restarts or 0)
    found = [problem for problem in problems.values() if problem is not None]
    if rules.read is None and not service.serves_own(version, marker):
        found.append(f"The service does not show version {version} as live")
    if restarts > _MOST_RESTARTS:
        found.append(f"The app was restarted {restarts} times")
    is_bad = bool(found)
    return replace(
        seen,
        rounds=seen.rounds + 1,
        bad=seen.bad + is_bad,
        recent=(seen.recent + (_BAD if is_bad else _GOOD))[-rules.window :],
        good_in_a_row=0 if is_bad else seen.good_in_a_row + 1,
        bad_in_a_row=seen.bad_in_a_row + 1 if is_bad else 0,
        restarts=restarts,
        slowest=max(seen.slowest, slowest),
        problem=plain_text("; ".join(found), _LONGEST_PROBLEM) or seen.problem,
        written=seen.written or ("write" in problems and problems["write"] is None),
    )


def _has_another_one(service: Service, version: int, marker: str | None) -> bool:
    """Whether a later version serves, or one of the same number that is another deployment."""
    current = service.current
    if current is None or not service.serves(current.version):
        return False
    return current.version > version or (current.version == version and current.release != marker)


def judge_watch(seen: Watched, rules: HealthRules, now: datetime) -> WatchStatus:
    """How the watch stands after the rounds so far."""
    if seen.replaced:
        return WatchStatus.REPLACED
    bad = seen.recent.count(_BAD)
    if seen.bad_in_a_row >= rules.failures_in_a_row or bad > rules.failures_in_a_row:
        return WatchStatus.FAILED
    over = now - seen.began_at - seen.checks.outage - rules.period
    if over < timedelta():
        return WatchStatus.WATCHING
    is_mostly_good = bad * _ROUNDS_PER_FAILURE <= len(seen.recent)
    is_written = seen.written or rules.write is None
    if seen.good_in_a_row >= rules.answers_needed and is_mostly_good and is_written:
        return WatchStatus.GOOD
    has_had_its_chance = over >= _EXTENSION and seen.rounds >= rules.chances
    return WatchStatus.FAILED if has_had_its_chance else WatchStatus.WATCHING


def summary(seen: Watched) -> str:
    """What the watch has shown, in one sentence for people."""
    last = f" Last failure: {seen.problem}." if seen.problem else ""
    if seen.bad_in_a_row:
        return f"{seen.bad} of {seen.rounds} health checks failed.{last}"
    return f"{seen.rounds - seen.bad} of {seen.rounds} health checks passed.{last}"
