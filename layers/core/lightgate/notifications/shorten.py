"""A shorter report, for a message that would be too large."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lightgate.notifications.report import Report


@dataclass(frozen=True, slots=True)
class _Limits:
    """The longest list, in items, and the longest text, in characters.

    A step may be longer, because half of an execution input is useless.
    """

    items: int
    text: int
    step: int


LONGEST_TEXT = 500
_SHORTENINGS = (_Limits(5, 200, 1000), _Limits(3, 100, 500), _Limits(1, 50, 200))


_NO_ROOM = "the executions that reverse them are too long for this message"


def shorter_and_shorter(report: Report) -> Iterator[Report]:
    """The report again and again, with less in it each time."""
    return (_shortened(report, limits) for limits in _SHORTENINGS)


def _shortened(report: Report, limits: _Limits) -> Report:
    evidence, conclusion, judgement = report.evidence, report.conclusion, report.judgement
    failure, diagnosis, prediction = evidence.failure, report.failure, report.prediction
    # A part of the executions would reverse only a part of the migrations.
    is_short = len(json.dumps(report.take_back)) <= limits.step
    return replace(
        report,
        reason=report.reason and short(report.reason, limits.text),
        paused=report.paused
        and replace(report.paused, reason=short(report.paused.reason, limits.text)),
        warnings=_few(report.warnings, limits),
        evidence=replace(
            evidence,
            migrations=evidence.migrations[: limits.items],
            unlisted=evidence.unlisted + max(0, len(evidence.migrations) - limits.items),
            faked=evidence.faked[: limits.items],
            last_lines=_last(evidence.last_lines, limits),
            failure=failure
            and replace(
                failure,
                error=short(failure.error, limits.text),
                last_lines=_last(failure.last_lines, limits),
            ),
        ),
        conclusion=replace(
            conclusion,
            reasons=_few(conclusion.reasons, limits),
            next_steps=[short(step, limits.step) for step in conclusion.next_steps],
        ),
        failure=diagnosis
        and replace(
            diagnosis,
            what=short(diagnosis.what, limits.text),
            evidence=diagnosis.evidence and short(diagnosis.evidence, limits.text),
            next_action=short(diagnosis.next_action, limits.step),
        ),
        judgement=judgement and replace(judgement, reasons=_few(judgement.reasons, limits)),
        prediction=prediction
        and replace(
            prediction,
            summary=short(prediction.summary, limits.text),
            migrations=prediction.migrations[: limits.items],
        ),
        not_applied=report.not_applied[: limits.items],
        unlisted=report.unlisted + max(0, len(report.not_applied) - limits.items),
        take_back=report.take_back if is_short else (),
        why_not_back=report.why_not_back if is_short else _NO_ROOM,
    )


def _few(reasons: Sequence[str], limits: _Limits) -> list[str]:
    few = [short(reason, limits.text) for reason in reasons[: limits.items]]
    more = len(reasons) - len(few)
    return [*few, f"There are {more} more reasons."] if more else few


def _last(lines: Sequence[str], limits: _Limits) -> list[str]:
    return [short(line, limits.text) for line in lines[-limits.items :]]


def short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
