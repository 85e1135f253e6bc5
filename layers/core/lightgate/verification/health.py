"""The watch period: whether an active version is healthy.

Each health check calls the app, and reads whether the service still runs this version. The result:

- GOOD, after the period, if the last `answers_needed` checks passed, and no more than a fifth of
  the last checks failed.
- FAILED, at any time, after `failures_in_a_row` failed checks in a row, or if more checks than that
  failed among the last five times as many: the app flaps. Also if the version is not good within
  an extension after the period.
- REPLACED, if another deployment has taken its place: the release must not act on it any more.

Only the last checks count. A version that was healthy for a long time must be healthy at the end,
and failures at the start of a long period are forgotten.

A check fails if an answer is wrong, missing or slower than the limit. A single failed check fails
no release. The write is repeated only until it passes once, because each one leaves data in the
app, and it must pass. A version without a public URL is good while it is current and active, and
has restarted at most once, as it does when Lightsail replaces a node.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lightgate.deployment.status import Endpoint, Service
from lightgate.gate.log_lines import plain_text
from lightgate.outage import Checks
from lightgate.spec.health_rules import (
    CHECKS_PER_FAILURE,
    EXTENSION,
    HealthRules,
    Probe,
)
from lightgate.spec.success_codes import accepts

# The rest of a longer answer is not read.
LARGEST_BODY_BYTES = 64 * 1024
_GOOD, _BAD = "+", "-"
# For the whole watch period: Lightsail replaces a node now and then, but an app that crashes
# restarts again and again.
_MOST_RESTARTS = 1
_LONGEST_PROBLEM = 300
# They travel through the state machine, which carries 256 KB.
_MOST_SAMPLES, _LONGEST_IN_A_SAMPLE = 120, 100


class WatchStatus(enum.StrEnum):
    """The state of the watch period. Only WATCHING leads to another check.

    SKIPPED: there is nothing to watch, so nothing is verified.
    """

    WATCHING = "WATCHING"
    GOOD = "GOOD"
    FAILED = "FAILED"
    REPLACED = "REPLACED"
    SKIPPED = "SKIPPED"


def rules_without_own_spec(rules: HealthRules, endpoint: Endpoint | None) -> HealthRules:
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
class HealthSample:
    """One health check: when it was made, how long the slowest answer took, and its problem."""

    at: datetime
    took: timedelta
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchProgress:
    """The health checks so far. It is small, and travels through the state machine.

    `total` checks were made, and `bad` of them failed. `recent` has the last ones, `+` for a passed
    and `-` for a failed check. `problem` is that of the last failed check. `restarts` counts the
    restarts of the app since `began_at`. `samples` are the last checks. `written`: a write has
    passed. `checks` has the outages, which the period does not count.
    """

    began_at: datetime
    total: int = 0
    bad: int = 0
    recent: str = ""
    good_in_a_row: int = 0
    bad_in_a_row: int = 0
    restarts: int = 0
    slowest: timedelta = timedelta()
    problem: str | None = None
    written: bool = False
    replaced: bool = False
    samples: Sequence[HealthSample] = ()
    checks: Checks = field(default_factory=Checks)


def probes_of(seen: WatchProgress, rules: HealthRules) -> Mapping[str, Probe]:
    """The probes of the next check: `read`, and `write` until that has passed."""
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


def add_check(
    seen: WatchProgress,
    rules: HealthRules,
    service: Service,
    *,
    version: int,
    marker: str | None,
    problems: Mapping[str, str | None],
    at: datetime,
    slowest: timedelta = timedelta(),
    restarts: int | None = None,
) -> WatchProgress:
    """The health checks with one more.

    `problems` has the problem of each probe of `probes_of`, None if it passed. `restarts` counts
    all since the watch period began, None if they could not be counted. If the service shows
    neither this version nor a later one, it counts as not replaced: its answers may lag.
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
    problem = plain_text("; ".join(found), _LONGEST_PROBLEM)
    short = plain_text(problem, _LONGEST_IN_A_SAMPLE)
    return replace(
        seen,
        total=seen.total + 1,
        bad=seen.bad + is_bad,
        recent=(seen.recent + (_BAD if is_bad else _GOOD))[-rules.window :],
        good_in_a_row=0 if is_bad else seen.good_in_a_row + 1,
        bad_in_a_row=seen.bad_in_a_row + 1 if is_bad else 0,
        restarts=restarts,
        slowest=max(seen.slowest, slowest),
        problem=problem or seen.problem,
        samples=(*seen.samples, HealthSample(at=at, took=slowest, problem=short))[-_MOST_SAMPLES:],
        written=seen.written or ("write" in problems and problems["write"] is None),
    )


def _has_another_one(service: Service, version: int, marker: str | None) -> bool:
    """Whether a later version serves, or one of the same number that is another deployment."""
    current = service.current
    if current is None or not service.serves(current.version):
        return False
    return current.version > version or (current.version == version and current.release != marker)


def judge_watch(seen: WatchProgress, rules: HealthRules, now: datetime) -> WatchStatus:
    """The state of the watch period after the checks so far."""
    if seen.replaced:
        return WatchStatus.REPLACED
    bad = seen.recent.count(_BAD)
    if seen.bad_in_a_row >= rules.failures_in_a_row or bad > rules.failures_in_a_row:
        return WatchStatus.FAILED
    over = now - seen.began_at - seen.checks.outage - rules.period
    if over < timedelta():
        return WatchStatus.WATCHING
    is_mostly_good = bad * CHECKS_PER_FAILURE <= len(seen.recent)
    is_written = seen.written or rules.write is None
    if seen.good_in_a_row >= rules.answers_needed and is_mostly_good and is_written:
        return WatchStatus.GOOD
    has_had_its_chance = over >= EXTENSION and seen.total >= rules.chances
    return WatchStatus.FAILED if has_had_its_chance else WatchStatus.WATCHING


def summary(seen: WatchProgress) -> str:
    """What the watch has shown, in one sentence for people."""
    last = f" Last failure: {seen.problem}." if seen.problem else ""
    if seen.bad_in_a_row:
        return f"{seen.bad} of {seen.total} health checks failed.{last}"
    return f"{seen.total - seen.bad} of {seen.total} health checks passed.{last}"
