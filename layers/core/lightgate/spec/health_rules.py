"""What the spec asks of a version that serves: the probes, and how many failures are too many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from lightgate.spec.keys import AppSpec, EndpointHealthCheck, Verification, Write


# What for_release fills in, in this order.
PLACEHOLDERS = ("{release}", "{digest}")


# The window has this many checks for each failed check in a row that is still allowed.
CHECKS_PER_FAILURE = 5


# Time after the period for the last checks in a row, which may be far apart.
EXTENSION = timedelta(seconds=60)


_CHANCES = 3


_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(seconds=30)


_PAUSES_IN_A_PERIOD = 12


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
        """The probe with `{release}` and `{digest}` filled in.

        An expectation that names a value that is unknown for this version is dropped.
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
class HealthRules:
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
        """How many of the last checks decide whether the app flaps."""
        return CHECKS_PER_FAILURE * self.failures_in_a_row

    @property
    def chances(self) -> int:
        """How many checks a version needs to become good after the worst allowed start.

        At least a whole window: after it no more than a fifth of the checks have failed.
        """
        return max(_CHANCES * self.answers_needed, self.window)


def health_rules(spec: AppSpec) -> HealthRules:
    """What the spec asks of a version, and of the health check what it leaves out."""
    asked, endpoint = spec.verification, spec.public_endpoint
    return HealthRules(
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


def check_interval(rules: HealthRules) -> timedelta:
    """The time between two health checks, in whole seconds.

    About a twelfth of the period: enough checks to distinguish an app that flaps from one lost
    answer. Each check takes nine of the 25,000 events of an execution, so their number must not
    grow with the period. Never more than 30 seconds, because a failure is noticed only after
    several checks, and users meet it meanwhile. Never less than 5, so that the checks are
    independent observations.
    """
    twelfth = timedelta(seconds=round(rules.period.total_seconds() / _PAUSES_IN_A_PERIOD))
    return min(max(twelfth, _SHORTEST_PAUSE), _LONGEST_PAUSE)


def most_checks(rules: HealthRules) -> int:
    """The largest number of checks in a watch period, if none comes early."""
    return max(math.ceil((rules.period + EXTENSION) / check_interval(rules)) + 1, rules.chances)
