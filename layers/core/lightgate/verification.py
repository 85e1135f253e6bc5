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
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

from lightgate.app_spec.spec import AppSpec, EndpointHealthCheck, Verification, Write
from lightgate.app_spec.success_codes import accepts
from lightgate.deployment import Endpoint, Service
from lightgate.gate_log import plain_text
from lightgate.outage import Checks

# What is left of an answer after that is not looked at.
LARGEST_BODY_BYTES = 64 * 1024
# What for_release fills in, in this order.
PLACEHOLDERS = ("{release}", "{digest}")
# Of this many rounds one may be bad, for each bad round in a row that is still not a failure.
_ROUNDS_PER_FAILURE = 5
_GOOD, _BAD = "+", "-"
# After the period, for the last answers in a row; rounds may be far apart.
_EXTENSION = timedelta(seconds=60)
_CHANCES = 3
_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(seconds=30)
_PAUSES_IN_A_PERIOD = 12
# In the whole watch, whatever the rhythm of the rounds: Lightsail replaces a single node now and
# then; an app that ends by itself is started again and again.
_MOST_RESTARTS = 1
_LONGEST_PROBLEM = 300


class WatchStatus(enum.StrEnum):
    """How the watch stands. Only the first of these is worth another round."""

    WATCHING = "WATCHING"
    GOOD = "GOOD"
    FAILED = "FAILED"
    REPLACED = "REPLACED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A request to the app, and what a good answer is. `latency` bounds the whole exchange.

    `header` is a name and the exact value that it must have, `text` stands in the body's
    beginning; each is None where nothing is expected.
    """

    method: str
    path: str
    success_codes: str
    latency: timedelta
    headers: Mapping[str, str]
    body: str | None
    expected_header: tuple[str, str] | None
    expected_text: str | None

    def for_release(self, release: str | None, digest: str | None) -> Self:
        """The probe with `{release}` and `{digest}` in what is expected filled in.

        What is expected of a version of which these are not known is not expected of it.
        """

        def filled(text: str | None) -> str | None:
            for name, value in zip(PLACEHOLDERS, (release, digest), strict=True):
                if text is not None and name in text:
                    text = text.replace(name, value) if value is not None else None
            return text

        header = self.expected_header
        value = filled(header[1]) if header is not None else None
        return replace(
            self,
            expected_header=(header[0], value) if header and value is not None else None,
            expected_text=filled(self.expected_text),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the spec asks of a version. Both probes are None without a public URL."""

    period: timedelta
    read: Probe | None
    write: Probe | None
    answers_needed: int
    failures_in_a_row: int

    def at_once(self) -> Self:
        """The same without a watch period, for a version that has served before."""
        return replace(self, period=timedelta())

    @property
    def window(self) -> int:
        """How many of the last rounds decide whether the app flaps."""
        return _ROUNDS_PER_FAILURE * self.failures_in_a_row

    @property
    def chances(self) -> int:
        """The rounds in which a version can become good that begins as badly as it may.

        A whole window is needed: after it no more than a fifth of the rounds are bad.
        """
        return max(_CHANCES * self.answers_needed, self.window)


def rules_of(spec: AppSpec) -> Rules:
    """What the spec asks of a version, and of the health check what it leaves out."""
    asked, endpoint = spec.verification, spec.public_endpoint
    return Rules(
        period=timedelta(seconds=asked.watch_seconds),
        read=_read(asked, endpoint.health_check) if endpoint else None,
        write=_write(asked, asked.write) if asked.write else None,
        answers_needed=asked.answers_needed,
        failures_in_a_row=asked.failures_in_a_row,
    )


def _read(asked: Verification, usual: EndpointHealthCheck) -> Probe:
    header = asked.expected_header
    return Probe(
        method="GET",
        path=asked.path or usual.path,
        success_codes=asked.success_codes or usual.success_codes,
        latency=timedelta(seconds=asked.latency_seconds),
        headers={},
        body=None,
        expected_header=(header.name, header.value) if header is not None else None,
        expected_text=asked.expected_text,
    )


def _write(asked: Verification, write: Write) -> Probe:
    return Probe(
        method=write.method,
        path=write.path,
        success_codes=write.success_codes,
        latency=timedelta(seconds=asked.latency_seconds),
        headers=write.headers,
        body=write.body,
        expected_header=None,
        expected_text=None,
    )


def of_a_stranger(rules: Rules, endpoint: Endpoint | None) -> Rules:
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


def pause(rules: Rules) -> timedelta:
    """How long to wait between two rounds, in whole seconds.

    About a twelfth of the period: enough rounds to tell an app that flaps from one that lost an
    answer, without a state machine that grows with the period, for every round is nine of the
    25,000 events that an execution keeps. Never more than 30 seconds, because a failure is noticed
    only after several rounds, and the app serves badly meanwhile; never less than 5, because
    answers that follow on each other's heels are one observation and not several.
    """
    twelfth = timedelta(seconds=round(rules.period.total_seconds() / _PAUSES_IN_A_PERIOD))
    return min(max(twelfth, _SHORTEST_PAUSE), _LONGEST_PAUSE)


def most_rounds(rules: Rules) -> int:
    """After how many rounds the watch has ended, whatever they show, if none comes too early."""
    return max(math.ceil((rules.period + _EXTENSION) / pause(rules)) + 1, rules.chances)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
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

    def to_json(self) -> dict[str, Any]:
        return {
            "beganAt": self.began_at.isoformat(),
            "rounds": self.rounds,
            "bad": self.bad,
            "recent": self.recent,
            "goodInARow": self.good_in_a_row,
            "badInARow": self.bad_in_a_row,
            "restarts": self.restarts,
            "slowestSeconds": self.slowest.total_seconds(),
            "problem": self.problem,
            "written": self.written,
            "replaced": self.replaced,
            **self.checks.to_json(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            began_at=datetime.fromisoformat(document["beganAt"]),
            rounds=document["rounds"],
            bad=document["bad"],
            recent=document["recent"],
            good_in_a_row=document["goodInARow"],
            bad_in_a_row=document["badInARow"],
            restarts=document["restarts"],
            slowest=timedelta(seconds=document["slowestSeconds"]),
            problem=document["problem"],
            written=document["written"],
            replaced=document["replaced"],
            checks=Checks.from_json(document),
        )


def probes_of(seen: Watched, rules: Rules) -> Mapping[str, Probe]:
    """What to ask in the next round: `read`, and `write` until that was good."""
    found = {"read": rules.read, "write": None if seen.written else rules.write}
    return {name: probe for name, probe in found.items() if probe is not None}


def problem_of(probe: Probe, answer: Answer) -> str | None:
    """What is wrong with the answer, in one line; None if it is good."""
    asked = f"{probe.method} {probe.path}"
    if answer.error is not None or answer.status is None:
        return f"{asked}: {answer.error or 'no answer'}"
    if not accepts(probe.success_codes, answer.status):
        return f"{asked} answered {answer.status}, and not {probe.success_codes}"
    if answer.took > probe.latency:
        took, bound = answer.took.total_seconds(), probe.latency.total_seconds()
        return f"{asked} took {took:.1f} s, and may take {bound:g} s"
    if probe.expected_header is not None:
        name, value = probe.expected_header
        found = answer.headers.get(name.lower())
        if found != value:
            return f"{asked} answered with {name}: {found or '(nothing)'}, and not {value}"
    text = probe.expected_text
    if text is not None and text.encode() not in answer.body:
        return f"{asked} answered without the text {text!r}"
    return None


def watch_round(
    seen: Watched,
    rules: Rules,
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
        found.append(f"Version {version} is not shown as current and active")
    if restarts > _MOST_RESTARTS:
        found.append(f"The app was started again {restarts} times")
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


def judge_watch(seen: Watched, rules: Rules, now: datetime) -> WatchStatus:
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
    good = seen.rounds - seen.bad
    last = f" Last failure: {seen.problem}." if seen.problem else ""
    return f"{good} of {seen.rounds} health checks passed.{last}"
