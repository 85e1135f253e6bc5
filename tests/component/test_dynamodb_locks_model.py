"""Any number of releases of one app, in any order, cut off anywhere: over the real table.

What a release is here: an execution that asks for its turn, creates its deployment, and
hands over; or that dies on the way, and somebody cleans up after it. At any moment somebody pauses
or resumes the app.
"""

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lightgate.aws.dynamodb_locks import Locks
from lightgate.aws.dynamodb_releases import Releases
from lightgate.errors import RefusedError
from lightgate.release.lock import HeldLock, Lock, LockAnswer, LockRequest, LockStatus, Pause
from lightgate.release.lock_rules import (
    abandon_lock,
    acquire_lock,
    begin_creating,
    end_creating,
    next_to_start,
    objection,
    release_lock,
)
from lightgate.release.pause import pause_app, resume_app
from tests.component import table
from tests.component.cloud import Cloud
from tests.component.lock_requests import START, lock_request
from tests.support.builders import IMAGE, admission

ADMITTED = admission(IMAGE)

WRITE = "dynamodb.TransactWriteItems"
PAUSE = Pause(by="ada", reason="maintenance", at=START)
_APPS = itertools.count()


@dataclass
class Execution:
    """One execution. `asked` is None until it has got an answer."""

    lock_request: LockRequest
    asked: LockAnswer | None = None
    is_over: bool = False
    is_dead: bool = False

    @property
    def held(self) -> HeldLock:
        assert self.asked is not None
        assert self.asked.holder is not None
        return HeldLock(execution=self.lock_request.execution, fence=self.asked.holder.fence)

    @property
    def has_turn(self) -> bool:
        return self.asked is not None and self.asked.holder is not None


@dataclass
class Seen:
    """The events of an image: the latest request for it must be among them."""

    released: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class OneApp(RuleBasedStateMachine):
    cloud: Cloud
    made: table.Table

    def __init__(self) -> None:
        super().__init__()
        self.app = f"app-{next(_APPS)}"
        self.locks, self.records = Locks(self.made), Releases(self.made)
        self.executions: dict[str, Execution] = {}
        self.names = itertools.count()
        self.fence = 0
        self.live_fingerprint: str | None = None
        self.latest: LockRequest | None = None
        self.seen = Seen()

    # The actions of others between a read and its write.
    @rule(
        digest=st.sampled_from("ABC"),
        at=st.integers(0, 6),
        pushed=st.booleans(),
        loses_answer=st.booleans(),
        meanwhile=st.sampled_from(["nothing", "push", "hand over", "die", "pause", "resume"]),
    )
    def push(self, digest: str, at: int, pushed: bool, loses_answer: bool, meanwhile: str) -> None:
        asked = self._wish(digest, at, pushed=pushed)
        events: dict[str, Callable[[], object]] = {
            "nothing": lambda: None,
            "push": lambda: self._ask(self._wish("ABC"[at % 3], at, pushed=True)),
            "hand over": self._hand_over_somebody,
            "die": self._clean_up_somebody,
            "pause": self._pause,
            "resume": self._resume,
        }
        self._ask(asked, loses_answer=loses_answer, meanwhile=events[meanwhile])

    @precondition(lambda self: self._going())
    @rule(data=st.data())
    def create(self, data: st.DataObject) -> None:
        execution = data.draw(st.sampled_from(self._going()))
        start = self.locks.change(self.app, lambda lock: begin_creating(lock, execution.held))
        if start.objection is not None:
            assert start.objection.status is LockStatus.SUPERSEDED
            self._hand_over(execution)

    @precondition(lambda self: self._going())
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        self._finish(data.draw(st.sampled_from(self._going())))

    @precondition(lambda self: self._running())
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        execution = data.draw(st.sampled_from(self._running()))
        execution.is_over = execution.is_dead = True
        self.seen.refused.append(execution.lock_request.digest)

    @rule()
    def pause(self) -> None:
        self._pause()

    @rule()
    def resume(self) -> None:
        self._resume()

    @rule()
    def clean_up(self) -> None:
        self._clean_up()

    @rule()
    def start(self) -> None:
        self._start_next()

    @rule(fence=st.integers(0, 9))
    def a_stranger_acts(self, fence: int) -> None:
        before = self.locks.read(self.app)
        stranger = lock_request("stranger").execution
        held = HeldLock(execution=stranger, fence=min(fence, before.fence))

        def strange(lock: Lock) -> tuple[Lock, None]:
            lock, start = begin_creating(lock, held)
            assert start.objection is not None
            return abandon_lock(release_lock(end_creating(lock, held), stranger), stranger), None

        self.locks.change(self.app, strange)
        assert self.locks.read(self.app) == before

    @invariant()
    def the_fence_only_grows(self) -> None:
        fence = self.locks.read(self.app).fence
        assert fence >= self.fence
        self.fence = fence

    @invariant()
    def there_are_never_two_holders(self) -> None:
        lock = self.locks.read(self.app)
        allowed = [
            execution
            for execution in self.executions.values()
            if execution.has_turn and execution.held.is_of(lock.holder)
        ]
        assert len(allowed) == (lock.holder is not None)
        assert len(self._going()) <= 1
        for execution in self._going():
            assert execution in allowed

    def teardown(self) -> None:
        """In the end the app has the image of the latest request, or that was refused.

        While it is paused, a release by hand leaves the push that waits the latest request.
        """
        self._resume()
        for _ in range(len(self.executions) + 5):
            self._clean_up()
            for execution in self._running():
                if not execution.has_turn:
                    self._ask(execution.lock_request)
            for execution in self._going():
                self._finish(execution)
            self._start_next()
            if not self._running():
                break
        lock = self.locks.read(self.app)
        assert (lock.holder, lock.waiting) == (None, None)
        if self.latest is not None:
            ended_on = self.seen.released[-1:] + self.seen.refused
            assert self.latest.digest in ended_on, (self.latest, self.seen)
        for execution in self.executions.values():
            record = self.records.find(self.app, execution.lock_request.release)
            assert record is not None or execution.is_dead
        table.empty(self.cloud)

    def _wish(self, digest: str, at: int, *, pushed: bool) -> LockRequest:
        live_fingerprint = self.live_fingerprint if pushed else None
        wish = lock_request(
            f"{self.app}-{next(self.names)}",
            digest,
            at,
            pushed=pushed,
            live_fingerprint=live_fingerprint,
        )
        self.executions[wish.execution] = Execution(wish)
        return wish

    def _ask(
        self,
        wish: LockRequest,
        *,
        loses_answer: bool = False,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        events = [meanwhile]
        found: list[Lock] = []

        def asking(lock: Lock) -> tuple[Lock, LockAnswer]:
            is_first = bool(events)
            while events:
                events.pop()()
            found.append(lock)
            answered = acquire_lock(lock, wish)
            if is_first and loses_answer:
                self.cloud.faults.lose_answer(WRITE)
            return answered

        def ask() -> LockAnswer:
            return self.locks.change(
                self.app,
                asking,
                lambda answer: self.records.following(self.app, wish, answer, ADMITTED),
            )

        if loses_answer:
            with contextlib.suppress(ReadTimeoutError, RefusedError):
                ask()
        is_answered = self.records.find(self.app, wish.release) is not None
        decided = found[-1] if is_answered and found else None
        execution = self.executions[wish.execution]
        try:
            answer = ask()
        except RefusedError:
            assert self._keeps(found[-1], wish)
            assert found[-1].holder is not None
            execution.is_over = execution.is_dead = True
            return
        execution.asked = answer
        execution.is_over = answer.holder is None
        before = decided or found[-1]
        if answer.holder is not None:
            assert before.paused is None or not wish.pushed
        latest = self.latest
        if (latest is None or wish.at >= latest.at) and not self._keeps(before, wish):
            self.latest = wish

    def _keeps(self, lock: Lock, wish: LockRequest) -> bool:
        """Whether the request leaves the push that waits in its place."""
        waiting = lock.waiting
        if wish.pushed or lock.paused is None or waiting is None:
            return False
        return waiting.pushed and waiting.digest != wish.digest

    def _pause(self) -> None:
        self.locks.change(self.app, lambda lock: pause_app(lock, PAUSE))

    def _resume(self) -> None:
        self.locks.change(self.app, resume_app)
        self._start_next()

    def _running(self) -> list[Execution]:
        return [execution for execution in self.executions.values() if not execution.is_over]

    def _going(self) -> list[Execution]:
        return [execution for execution in self._running() if execution.has_turn]

    def _finish(self, execution: Execution) -> None:
        lock = self.locks.read(self.app)
        if objection(lock, execution.held) is None:
            self.live_fingerprint = execution.lock_request.digest
            self.seen.released.append(execution.lock_request.digest)
        self._hand_over(execution)

    def _hand_over(self, execution: Execution) -> None:
        execution.is_over = True
        arn = execution.lock_request.execution
        self.locks.change(self.app, lambda lock: (release_lock(lock, arn), None))
        self._start_next()

    def _hand_over_somebody(self) -> None:
        for execution in self._going()[:1]:
            self._finish(execution)

    def _clean_up_somebody(self) -> None:
        for execution in self._going()[:1]:
            execution.is_over = execution.is_dead = True
            self.seen.refused.append(execution.lock_request.digest)
        self._clean_up()

    def _clean_up(self) -> None:
        for execution in self.executions.values():
            if execution.is_dead:
                arn = execution.lock_request.execution
                self.locks.change(self.app, partial(_abandoned, arn))

    def _start_next(self) -> None:
        waiting = next_to_start(self.locks.read(self.app))
        if waiting is None:
            return
        first = next(
            e.lock_request
            for e in self.executions.values()
            if e.lock_request.release == waiting.release
        )
        live_fingerprint = self.live_fingerprint if first.pushed else None
        wish = lock_request(
            waiting.name, waiting.digest, pushed=first.pushed, live_fingerprint=live_fingerprint
        )
        wish = replace(wish, at=waiting.at)
        if wish.execution not in self.executions:
            self.executions[wish.execution] = Execution(wish)


def _abandoned(execution: str, lock: Lock) -> tuple[Lock, None]:
    return abandon_lock(lock, execution), None


@pytest.mark.hypothesis
def test_one_release_holds_the_lock_and_the_latest_request_is_released(
    cloud: Cloud,
) -> None:
    class Machine(OneApp):
        pass

    Machine.cloud, Machine.made = cloud, table.create(cloud)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=settings.default.max_examples // 2,
            stateful_step_count=15,
            deadline=None,
            # Making a failure smaller takes minutes over this engine: print the whole of it.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
