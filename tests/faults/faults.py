"""What can go wrong with one call of AWS, and with one state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random

from botocore.awsrequest import AWSResponse

from tests.faults.wire import Answer, Call, Fault, Killed, refusal, response, unanswered, unreached
from tests.faults.world import World

_LONG = timedelta(minutes=2)
_SKEW = timedelta(minutes=5)


@dataclass(slots=True)
class _Aim:
    """Strikes the call that it meets first, and those like it for as long as it lasts."""

    world: World
    strikes: Callable[[Call, Answer], AWSResponse]
    lasts: Callable[["_Aim"], bool]
    began: datetime | None = None
    struck: Call | None = None

    def __call__(self, call: Call, answer: Answer) -> AWSResponse:
        if self.struck is None:
            self.struck, self.began = call, self.world.clock.now()
            return self.strikes(call, answer)
        same = (call.caller, call.name) == (self.struck.caller, self.struck.name)
        return self.strikes(call, answer) if same and self.lasts(self) else answer()


def _once(_: _Aim) -> bool:
    return False


def _for_minutes(aim: _Aim) -> bool:
    assert aim.began is not None
    return aim.world.clock.now() - aim.began < _LONG


def _for_this_call(aim: _Aim) -> bool:
    """As long as the client tries again by itself."""
    assert aim.began is not None
    return aim.world.clock.now() - aim.began < timedelta(seconds=1)


def _until_it_is_over(aim: _Aim) -> bool:
    return not aim.world.is_over


def _throttle(call: Call, _: Answer) -> AWSResponse:
    if call.service == "s3":
        return refusal(call, 503, "SlowDown", "Please reduce your request rate.")
    return refusal(call, 400, "ThrottlingException", "Rate exceeded")


def _deny(call: Call, _: Answer) -> AWSResponse:
    code = "AccessDenied" if call.service in ("s3", "sts", "rds") else "AccessDeniedException"
    return refusal(call, 403 if call.service == "s3" else 400, code, "not authorized")


def _break(call: Call, _: Answer) -> AWSResponse:
    return refusal(call, 500, "InternalServerError", "We encountered an internal error.")


def _do_not_reach(call: Call, _: Answer) -> AWSResponse:
    raise unreached(call)


def _lose_answer(call: Call, answer: Answer) -> AWSResponse:
    answer()
    raise unanswered(call)


def _empty(call: Call, answer: Answer) -> AWSResponse:
    """After its effect: an answer with nothing in it."""
    answer()
    is_json = call.service not in ("s3", "sts", "rds", "sns")
    return response(call, 200, b"{}" if is_json else b"")


def _garble(call: Call, answer: Answer) -> AWSResponse:
    answer()
    return response(call, 200, b"<<not {what it should be")


def _kill_before(_call: Call, _: Answer) -> AWSResponse:
    raise Killed


def _kill_after(_call: Call, answer: Answer) -> AWSResponse:
    answer()
    raise Killed


_CALL_FAULTS: dict[str, tuple[Callable[[Call, Answer], AWSResponse], Callable[[_Aim], bool]]] = {
    "throttled once": (_throttle, _once),
    "throttled for two minutes": (_throttle, _for_minutes),
    "denied": (_deny, _once),
    "denied to the end": (_deny, _until_it_is_over),
    "server error": (_break, _for_this_call),
    "not reached": (_do_not_reach, _for_this_call),
    "answer lost": (_lose_answer, _once),
    "empty answer": (_empty, _once),
    "malformed answer": (_garble, _once),
    "killed before": (_kill_before, _once),
    "killed after": (_kill_after, _once),
}
CALL_FAULTS = tuple(_CALL_FAULTS)
# Step Functions is not killed.
OF_FUNCTIONS_ONLY = ("killed before", "killed after")
STATE_FAULTS = ("delivered twice", "stopped", "stopped unheard", "timed out")
_PASSING = (
    *(name for name in CALL_FAULTS if name != "denied to the end"),
    "delivered twice",
    "timed out",
)
# Whoever may not read a secret is told at once, while nothing has begun.
_TOLD_AT_ONCE = (
    ("DeployFunction", "secrets-manager.GetSecretValue"),
    ("DeployFunction", "ssm.GetParameter"),
)
OF_TASKS_ONLY = ("delivered twice", "timed out")
_RUN_FAULTS: dict[str, Callable[[World], None]] = {
    "event lost": lambda world: setattr(world, "deliveries", 0),
    "event twice": lambda world: setattr(world, "deliveries", 2),
    "event a day late": lambda world: setattr(world, "delay", timedelta(days=1)),
    "clocks ahead": lambda world: setattr(world.clock, "skew", _SKEW),
    "clocks behind": lambda world: setattr(world.clock, "skew", -_SKEW),
}
RUN_FAULTS = tuple(_RUN_FAULTS)


class Weather:
    """Strikes a share of all calls, each with a fault that passes.

    That is every fault of a call but one that stays to the end, which is no matter of chance.
    """

    def __init__(self, world: World, random: Random, share: float) -> None:
        self._world, self._random, self._share = world, random, share
        self._aims: list[_Aim] = []
        self.struck: list[str] = []

    def __call__(self, call: Call, answer: Answer) -> AWSResponse:
        now = self._world.clock.now()
        self._aims = [aim for aim in self._aims if aim.began is None or now - aim.began < _LONG]
        if self._random.random() < self._share:
            name = self._random.choice([name for name in _PASSING if name in self._possible(call)])
            self.struck.append(f"{call.caller}: {call.name}: {name}")
            self._aims.append(_aim(name, self._world))
        for aim in self._aims:
            answer = partial(aim, call, answer)
        return answer()

    @staticmethod
    def _possible(call: Call) -> Sequence[str]:
        is_function = call.caller.endswith("Function")
        return [n for n in CALL_FAULTS if is_function or n not in OF_FUNCTIONS_ONLY]


def strike(name: str, world: World) -> None:
    """Let the whole run be struck."""
    _RUN_FAULTS[name](world)


def passes(name: str, caller: str, call: str) -> bool:
    """Whether a release has to end after this fault as it would have without it."""
    return name in _PASSING and not (name == "denied" and (caller, call) in _TOLD_AT_ONCE)


def fault(name: str, world: World) -> Fault:
    return _aim(name, world)


def _aim(name: str, world: World) -> _Aim:
    strikes, lasts = _CALL_FAULTS[name]
    return _Aim(world, strikes, lasts)
