"""The watch period: whether a version that became active really does its work.

Every round asks the app, and looks whether the service still runs this version. What decides:

- Good, once the period is over, if the last `answers_needed` rounds in a row were good, and no
  more than a fifth of all rounds were bad.
- Failed after `failures_in_a_row` bad rounds in a row, at any time; or if the period is over, and
  a little more has not brought enough good rounds in a row.
- Replaced, if another deployment has taken its place: then it is not this release's any more.

A round is bad if an answer is wrong, missing or slower than the bound. So one slow answer, or one
that was lost, fails nothing. A write is asked for until it was good once, and has to be by then:
each leaves something behind in the app. A version without a public URL is good as long as it is
current and active, and is not started again more often than single nodes are replaced.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from lightgate.deployment import Service
from lightgate.gate_log import plain_text
from lightgate.success_codes import accepts

# What is left of an answer after that is not looked at.
LARGEST_BODY_BYTES = 64 * 1024
_LARGEST_SHARE_OF_BAD = 0.2
# After the period, for the last answers in a row; rounds may be far apart.
_EXTENSION = timedelta(seconds=60)
_CHANCES = 3
# Lightsail replaces single nodes; an app that ends by itself is started again and again.
_MOST_RESTARTS = 2
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
            for name, value in (("{release}", release), ("{digest}", digest)):
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

    `problem` is what was wrong in the last bad round, `restarts` how often the app was started
    again since the watch began, `written` whether a write was good.
    """

    began_at: datetime
    rounds: int = 0
    bad: int = 0
    good_in_a_row: int = 0
    bad_in_a_row: int = 0
    restarts: int = 0
    slowest: timedelta = timedelta()
    problem: str | None = None
    written: bool = False
    replaced: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "beganAt": self.began_at.isoformat(),
            "rounds": self.rounds,
            "bad": self.bad,
            "goodInARow": self.good_in_a_row,
            "badInARow": self.bad_in_a_row,
            "restarts": self.restarts,
            "slowestSeconds": self.slowest.total_seconds(),
            "problem": self.problem,
            "written": self.written,
            "replaced": self.replaced,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            began_at=datetime.fromisoformat(document["beganAt"]),
            rounds=document["rounds"],
            bad=document["bad"],
            good_in_a_row=document["goodInARow"],
            bad_in_a_row=document["badInARow"],
            restarts=document["restarts"],
            slowest=timedelta(seconds=document["slowestSeconds"]),
            problem=document["problem"],
            written=document["written"],
            replaced=document["replaced"],
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
    problems: Mapping[str, str | None],
    slowest: timedelta = timedelta(),
    restarts: int | None = None,
) -> Watched:
    """What is known after one more round.

    `problems` has, for each of probes_of, what was wrong with the answer. `restarts` are all since
    the watch began, None if nobody could count them. A service that shows neither this version
    nor a later one is read again: reads may lag.
    """
    if service.has_replaced(version) or _has_a_later_one(service, version):
        problem = "Another deployment has taken its place."
        return replace(seen, rounds=seen.rounds + 1, replaced=True, problem=problem)
    restarts = max(seen.restarts, restarts or 0)
    found = [problem for problem in problems.values() if problem is not None]
    if rules.read is None and not service.serves(version):
        found.append(f"Version {version} is not shown as current and active")
    if restarts > _MOST_RESTARTS and restarts > seen.restarts:
        found.append(f"The app was started again {restarts} times")
    is_bad = bool(found)
    return replace(
        seen,
        rounds=seen.rounds + 1,
        bad=seen.bad + is_bad,
        good_in_a_row=0 if is_bad else seen.good_in_a_row + 1,
        bad_in_a_row=seen.bad_in_a_row + 1 if is_bad else 0,
        restarts=restarts,
        slowest=max(seen.slowest, slowest),
        problem=plain_text("; ".join(found), _LONGEST_PROBLEM) or seen.problem,
        written=seen.written or ("write" in problems and problems["write"] is None),
    )


def _has_a_later_one(service: Service, version: int) -> bool:
    return service.current is not None and service.current.version > version


def judge_watch(seen: Watched, rules: Rules, now: datetime) -> WatchStatus:
    """How the watch stands after the rounds so far."""
    if seen.replaced:
        return WatchStatus.REPLACED
    if seen.bad_in_a_row >= rules.failures_in_a_row:
        return WatchStatus.FAILED
    over = now - seen.began_at - rules.period
    if over < timedelta():
        return WatchStatus.WATCHING
    is_mostly_good = seen.bad <= seen.rounds * _LARGEST_SHARE_OF_BAD
    is_written = seen.written or rules.write is None
    if seen.good_in_a_row >= rules.answers_needed and is_mostly_good and is_written:
        return WatchStatus.GOOD
    has_had_its_chance = over >= _EXTENSION and seen.rounds >= _CHANCES * rules.answers_needed
    return WatchStatus.FAILED if has_had_its_chance else WatchStatus.WATCHING


def summary(seen: Watched) -> str:
    """What the watch has shown, in one sentence for people."""
    good = seen.rounds - seen.bad
    last = f" The last problem: {seen.problem}." if seen.problem else ""
    return f"Of {seen.rounds} rounds {good} were good.{last}"
