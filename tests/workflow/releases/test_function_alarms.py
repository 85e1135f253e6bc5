"""The alarms on AWS's own metrics, judged by the invocations that have run here.

Lambda and SQS count them on AWS, and no function writes a line of them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.stack.transformed import transformed
from tests.workflow.queue.missed import look
from tests.workflow.queue.test_receive_push import push_of
from tests.workflow.releases.test_failed import crash
from tests.workflow.releases.test_metrics import COMPARE
from tests.workflow.reporting_gates import told_plan
from tests.workflow.world import World, succeeded

EVERY = timedelta(minutes=15)
# Lambda tries an event again after one minute and after two more, then gives it up.
DELAYS = (timedelta(minutes=1), timedelta(minutes=2))
FILLED = re.compile(r"FILL\((\w+), 0\)")


class Account:
    """The world, and the dead-letter queue of its events."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.letters: list[datetime] = []

    def deliver(self, function: str, event: Mapping[str, Any]) -> None:
        """Invoke the function for an event, as Lambda does it."""
        for delay in (*DELAYS, None):
            try:
                self.world.functions.call(function, dict(event))
            except Exception:  # noqa: BLE001 - as Lambda does
                if delay is None:
                    self.letters.append(self.world.clock.now())
                else:
                    self.world.clock.sleep(delay.total_seconds())
            else:
                return

    def goes_off(self, alarm: str) -> bool:
        """Whether the alarm is in alarm now: each of its last periods is beyond the threshold."""
        found = transformed()[alarm]["Properties"]
        queries = found.get("Metrics") or [{"Id": "only", "MetricStat": _alone(found)}]
        length = timedelta(seconds=_period(queries))
        now = self.world.clock.now()
        return all(
            self._is_breached(found, queries, now - length * (past + 1), now - length * past)
            for past in range(found["EvaluationPeriods"])
        )

    def _is_breached(
        self, alarm: Mapping[str, Any], queries: Sequence[Any], begin: datetime, end: datetime
    ) -> bool:
        values = {
            each["Id"]: self._value(each["MetricStat"], begin, end)
            for each in queries
            if "MetricStat" in each
        }
        expressions = [each["Expression"] for each in queries if "Expression" in each]
        [value] = [_sum(each, values) for each in expressions] or values.values()
        if value is None:
            return bool(alarm["TreatMissingData"] == "breaching")
        return COMPARE[alarm["ComparisonOperator"]](value, alarm["Threshold"])

    def _value(self, stat: Mapping[str, Any], begin: datetime, end: datetime) -> float | None:
        """The value of a metric in the period; None without a point."""
        metric = stat["Metric"]
        [dimension] = metric["Dimensions"]
        match metric["Namespace"], metric["MetricName"], dimension["Name"], stat["Stat"]:
            case "AWS/Lambda", "Invocations" | "Errors" as name, "FunctionName", "Sum":
                ran = [
                    each
                    for each in self.world.functions.invocations
                    if each.function == _folder(dimension["Value"]) and begin < each.at <= end
                ]
                told = [name == "Invocations" or each.failed for each in ran]
                return sum(told) if ran else None
            case "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "Maximum":
                queue = dimension["Value"]
                assert queue == {"Fn::GetAtt": ["PushDeadLetters", "QueueName"]}
                return len([at for at in self.letters if at <= end])
        raise AssertionError(metric)


def _alone(alarm: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"Metric": alarm, "Period": alarm["Period"], "Stat": alarm["Statistic"]}


def _period(queries: Sequence[Any]) -> int:
    [period] = {each["MetricStat"]["Period"] for each in queries if "MetricStat" in each}
    return int(period)


def _sum(expression: str, values: Mapping[str, float | None]) -> float:
    terms = expression.split(" + ")
    names = [found[1] for term in terms if (found := FILLED.fullmatch(term))]
    assert len(names) == len(terms)
    assert {*names} == {*values}
    return sum(values[name] or 0 for name in names)


def _folder(reference: Mapping[str, str]) -> str:
    place: str = transformed()[reference["Ref"]]["Properties"]["Code"]["S3Key"]
    return place.removeprefix("functions/")


@pytest.fixture
def account(world: World) -> Account:
    return Account(world)


def _reconcile_for(account: Account, time: timedelta) -> None:
    for _ in range(time // EVERY):
        account.world.clock.sleep(EVERY.total_seconds())
        account.deliver("reconcile", {})


def test_good_and_bad_releases_set_off_no_alarm_on_functions(account: Account) -> None:
    account.world.lightsail.courses.append(succeeded("crops.0002"))
    account.deliver("receive_push", push_of(account.world))
    account.world.release(course=crash(told_plan("a.0003", effect="breaking"), "a.0003"))
    _reconcile_for(account, timedelta(hours=2))

    assert account.world.statuses()
    assert account.letters == []
    assert not account.goes_off("ErrorAlarm")
    assert not account.goes_off("NoReconcileAlarm")


def test_reconcile_that_has_not_run_for_two_hours_sets_off_its_alarm(account: Account) -> None:
    _reconcile_for(account, timedelta(hours=2))
    account.world.clock.sleep(timedelta(hours=1).total_seconds())
    assert not account.goes_off("NoReconcileAlarm")

    account.world.clock.sleep(timedelta(hours=1).total_seconds())
    assert account.goes_off("NoReconcileAlarm")

    look(account.world)
    assert not account.goes_off("NoReconcileAlarm")


@pytest.mark.parametrize("function", ["receive_push", "clean_up", "reconcile"])
def test_a_function_of_events_that_fails_sets_off_the_alarm(
    account: Account, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    _reconcile_for(account, timedelta(hours=2))
    assert not account.goes_off("ErrorAlarm")

    with monkeypatch.context() as patch:
        patch.setattr(f"functions.{function}.app.handler", _fail)
        account.deliver(function, {})

    assert account.goes_off("ErrorAlarm")
    assert not account.goes_off("NoReconcileAlarm")
    assert len(account.letters) == 1
    # The event is lost until somebody acts, so the alarm stays.
    _reconcile_for(account, timedelta(hours=1))
    assert account.goes_off("ErrorAlarm")
    account.letters.clear()
    assert not account.goes_off("ErrorAlarm")


def _fail(*_: object) -> None:
    raise RuntimeError("out of order")


def test_an_event_that_succeeds_when_it_is_tried_again_leaves_no_letter(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functions.reconcile import app

    answers: Iterator[Callable[..., object]] = iter([_fail, app.handler])
    monkeypatch.setattr(app, "handler", lambda *given: next(answers)(*given))
    account.deliver("reconcile", {})

    assert account.letters == []
    assert account.goes_off("ErrorAlarm")
    account.world.clock.sleep(EVERY.total_seconds())
    assert not account.goes_off("ErrorAlarm")


def test_the_alarm_has_each_function_that_events_call() -> None:
    metrics = transformed()["ErrorAlarm"]["Properties"]["Metrics"]
    watched = [
        each["MetricStat"]["Metric"]["Dimensions"][0]["Value"].get("Ref")
        for each in metrics
        if "MetricStat" in each
    ]
    called = [
        each["Properties"]["FunctionName"]["Ref"]
        for each in transformed().values()
        if each["Type"] == "AWS::Lambda::Permission"
        and each["Properties"]["Principal"] == "events.amazonaws.com"
    ]

    assert called
    assert {*called, "ReconcileFunction"} == {*watched} - {None}
