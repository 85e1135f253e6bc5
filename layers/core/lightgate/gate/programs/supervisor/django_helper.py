"""The Django helper, as the supervisor sees it."""

from __future__ import annotations

import signal
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

from lightgate.gate.programs.supervisor.child import FRAME, PACKAGE
from lightgate.gate.programs.supervisor.failures import Failed, Stopped, stopped
from lightgate.gate.programs.supervisor.helper import HelperProcess
from lightgate.gate.programs.supervisor.limits import HELPER_SILENCE, HELPER_WORK
from lightgate.gate.programs.supervisor.permit import await_permit, fetch_classifier
from lightgate.gate.programs.supervisor.shebang import find_python

if TYPE_CHECKING:
    from lightgate.gate.programs.supervisor.gate import Gate

# The launcher must not find a module of the app's own in the place of a standard one.
WITHOUT_APP = "import sys\nif sys.path[:1]==['']:del sys.path[0]\n"


class DjangoHelper(HelperProcess):
    """It reads the plan, and holds the lock beside the command."""

    def __init__(
        self, gate: Gate, config: dict[str, Any], seen: dict[str, Any] | None = None
    ) -> None:
        self.gate = gate
        self.answers: deque[dict[str, Any]] = deque()
        self.last_seen = monotonic()
        # At most. The app may take as long to load as its command may take in all.
        self.silence = max(config["timeoutSeconds"] or 10**7, self.patience())
        self.is_loading, self.place = True, ""  # the place in the app's code, if it is slow
        self.order: dict[str, Any] = {}  # its message to run the command
        self.ran = False
        django, words = config["django"], ["migrate", "--noinput"]
        manage, at = django["manage"], django["script"]
        python, script = (manage[:at], manage[at:]) if at else find_python(manage)
        if django["migrate"]:
            words = config["command"][django["migrate"] :]
        launcher, helper = config["helper"].split("\f")
        argv = [*python, "-c", WITHOUT_APP + launcher, helper, *script, *words]
        super().__init__(gate, argv)
        who = {key: config[key] for key in ("release", "container", "code", "rollback", "then")}
        who["before"] = bool(config["before"] or config["healthCheck"])
        who.update(seen=seen, waitSeconds=config["timeoutSeconds"])
        self.send(**django, **who)

    def handle(self, message: dict[str, Any]) -> None:
        self.last_seen = monotonic()
        if "loaded" in message:
            self.is_loading, self.silence = False, self.patience()
        elif "event" in message:
            self.gate.emit(message.pop("event"), **message)
        elif "do" in message:
            self.answers.append(message)

    def patience(self) -> float:
        """How long it may work without a sign of life."""
        return float(HELPER_WORK + self.gate.config["django"]["databaseTimeoutSeconds"])

    def line_ends(self) -> None:
        """Note the app's own place in a dump of its stack, or else the innermost one."""
        text = self.text()
        if text.endswith("(most recent call first):"):
            self.place = ""
        frame = text[:8] == FRAME and text[8:9] != "<" and ", in " not in text
        if frame and (not self.place or (PACKAGE.match(self.place) and not PACKAGE.match(text))):
            self.place = text
        super().line_ends()

    def is_lost(self) -> bool:
        """Whether it has ended, is silent, or has said that it cannot go on."""
        is_silent = monotonic() - self.last_seen > self.silence
        given_up = any(one["do"] == "fail" for one in self.answers)
        return is_silent or given_up or self.channel is None or self.has_ended()

    def answer(self) -> dict[str, Any]:
        while not self.answers:
            if self.is_lost():
                self.receive()
                if not self.answers:
                    raise self.loss()
                break
            self.gate.wait(lambda: bool(self.answers) or self.is_lost(), 1)
        if self.answers[0]["do"] == "fail":
            raise self.loss()
        answer = self.answers.popleft()
        if answer["do"] != "classifier":
            return answer
        self.send(classifier=fetch_classifier(self.gate, self))
        return self.answer()

    def loss(self) -> Failed:
        """Why it is lost."""
        self.receive()
        for said in self.answers:
            if said.pop("do") == "fail":
                self.answers.clear()
                return Failed(code=1, **said)
        end = monotonic() + 2
        while self.channel is None and not self.has_ended() and monotonic() < end:
            self.gate.poll(0.1)
        cause, why = "lock" if self.order else "django", "the helper does not answer any more"
        if self.has_ended():
            why = self.failure().error if self.code else "manage.py has ended without `migrate`"
        elif self.is_loading:
            self.kill(signal.SIGWINCH)  # the launcher has the stack printed then
            end = monotonic() + 2
            while not self.place and monotonic() < end:
                self.gate.poll(0.1)
            self.gate.poll(0.1)
            at = f"; it is at {self.place.strip()}" if self.place else ""
            why = f"the app has not loaded within {self.silence:g} s{at}"
            return Failed("slow-loading", why, 1, self, database="unchanged")
        return Failed(cause, why, 1, self)

    def prepare(self) -> bool:
        """Whether the command has to run. If so, the helper has the lock and has recorded that."""
        while True:
            answer = self.answer()
            if answer["do"] == "permit":
                plan = answer["hash"]
                seconds = await_permit(self.gate, plan, self)
                if not self.answers:
                    self.send(permitted=plan, seconds=seconds)
            elif answer["do"] == "run":
                self.order, self.silence = answer, HELPER_SILENCE
                return True
            else:
                del answer["do"]
                self.gate.result = answer
                return False

    def look(self) -> None:
        """Have the helper look at the database, after one command and before the next."""
        self.send(do="look")
        self.answer()

    def environment(self, is_main: bool) -> dict[str, str]:
        self.ran = self.ran or is_main
        return {**self.order["environment"], **(self.order["options"] if is_main else {})}

    def may_repeat(self, tries: int, trouble: str) -> bool:
        """Whether the command, which met passing trouble, has left nothing and may run again."""
        self.send(do="again", detail=trouble, **{"try": tries})
        return bool(self.answer()["may"])

    def record_end(self, failure: Failed | None) -> dict[str, Any]:
        """Have the helper record the end, and return what it reports of it."""
        unknown = {"database": "not known", "recorded": False}
        if self.gate.stopping:
            return unknown  # there is no time; the next one judges the attempt
        self.silence = self.patience()
        error, child = failure and failure.error, failure and failure.child
        migration = child and child.migration
        detail = failure and failure.more.get("detail")
        end: dict[str, Any] = {"ok": not failure, "ran": self.ran, "times": self.gate.times}
        end["began"] = self.gate.has_shown_a_migration
        self.send(do="end", error=error, migration=migration, detail=detail, **end)
        try:
            answer = self.answer()
        except (Failed, Stopped) as problem:
            if failure:
                return unknown
            failure = problem if isinstance(problem, Failed) else stopped(self.gate.stopping)
            failure.more.update(unknown)
            raise failure from None
        del answer["do"]
        error, cause = answer.pop("error"), answer.pop("cause")
        done = answer.pop("applied", [])  # the command may have printed nothing
        self.gate.applied += [name for name in done if name not in self.gate.applied]
        if error and not failure:
            raise Failed(cause, error, 1, **answer)
        if not failure:
            del answer["database"]
        return answer

    def stop(self) -> None:
        self.hang_up()
        if self in self.gate.children:
            self.gate.end(self, 0)
