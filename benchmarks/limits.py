"""Which limit of an account many releases reach first: a simulation from the trace of one release.

All apps are pushed within one minute. Each of them repeats the measured requests, states and
running functions of one release. A limit is a bucket that AWS fills at a steady rate. A release
waits while the bucket is empty.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.crowd import ROUND_TRIP, Used

MOST_APPS = 10_000
_WITHIN = 60
# The pages of SSM, as lightgate.aws.ssm reads them.
_LISTED, _READ = 50, 10
_READERS = 2

type Trace = Mapping[int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`rate` a second, after `burst` at once. `trace` is what one release of so many needs."""

    name: str
    rate: float
    burst: float
    trace: Callable[[Used, int], Trace]
    answer: str

    def delay(self, one: Used, apps: int) -> float:
        """The longest wait in seconds if so many apps are pushed within a minute."""
        filled, backlog, longest = self.burst, 0.0, 0.0
        for wanted in _spread(self.trace(one, apps), apps):
            backlog += wanted
            used = min(backlog, filled)
            backlog, filled = backlog - used, min(self.burst, filled - used + self.rate)
            longest = max(longest, backlog / self.rate)
        return longest

    def first(self, one: Used) -> int | None:
        """The fewest apps that have to wait a second; None if not even the most have to."""
        low, high = 0, MOST_APPS
        if self.delay(one, high) < 1:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.delay(one, middle) >= 1 else (middle, high)
        return high


def _spread(trace: Trace, apps: int) -> Iterator[float]:
    """What all of them need in each second."""
    last = max(trace, default=0) + _WITHIN
    window = 0.0
    for second in range(last + 1):
        window += trace.get(second, 0) - trace.get(second - _WITHIN, 0)
        yield window * apps / _WITHIN


def _requests(*names: str) -> Callable[[Used, int], Trace]:
    def trace(one: Used, _apps: int) -> Trace:
        found: dict[int, float] = {}
        for name, seconds in one.requests.items():
            if name.startswith(names):
                for second, count in seconds.items():
                    found[second] = found.get(second, 0) + count
        return found

    return trace


def _spec_reads(one: Used, apps: int) -> Trace:
    """A new environment of ReceivePush or Admit reads the specs of all apps first."""
    reads, pages = -(-apps // _READ), -(-apps // _LISTED)
    takes = (reads + pages) * ROUND_TRIP.total_seconds()
    environments = min(apps, 1 + apps / _WITHIN * takes)
    found = dict(_requests("ssm.GetParameter")(one, apps))
    found[0] = found.get(0, 0) + _READERS * environments * reads / apps
    return found


_AGAIN = "The SDK and the state machine try again, for more than 350 s in all."
LIMITS: Sequence[Limit] = (
    Limit(
        name="SSM, reading parameters: 40 a second",
        rate=40,
        burst=40,
        trace=_spec_reads,
        answer="Ten specs are read with each call and kept. ReceivePush is repeated by Lambda, and "
        "Reconcile releases a push that was lost.",
    ),
    Limit(
        name="ECR, PutImage: 10 a second",
        rate=10,
        burst=10,
        trace=_requests("ecr.PutImage"),
        answer=_AGAIN,
    ),
    Limit(
        name="Lambda: 1,000 functions at once",
        rate=1000,
        burst=1000,
        trace=lambda one, _: one.running,
        answer=f"{_AGAIN} `lightgate doctor` warns of an account with fewer.",
    ),
    Limit(
        name="Step Functions, StartExecution: 1,300 at once, 300 a second",
        rate=300,
        burst=1300,
        trace=_requests("sfn.StartExecution"),
        answer="The SDK and Lambda try again.",
    ),
    Limit(
        name="Step Functions, states: 5,000 a second",
        rate=5000,
        burst=5000,
        trace=lambda one, _: one.entered,
        answer="Step Functions lets the execution wait.",
    ),
    Limit(
        name="DynamoDB, a new table on demand: 4,000 writes a second",
        rate=4000,
        burst=4000,
        trace=_requests(
            *("dynamodb.TransactWriteItems", "dynamodb.Put", "dynamodb.Update", "dynamodb.Delete")
        ),
        answer=_AGAIN,
    ),
)
