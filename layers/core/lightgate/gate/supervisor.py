"""Runs a command after other containers have got somewhere, and tells the rest how it went.

    python3 -I -S -c SOURCE CONFIG [HELPER] [COURIER] COMMAND [ARGUMENT ...]

CONFIG is JSON, see read_config. HELPER is the source of the Django helper, if CONFIG has `django`,
COURIER that of the courier, if it has `mailbox`: then nothing pending is applied without a permit.
Whoever connects to its loopback port gets a line for each fact reached:
`lightgate <release> <container> <FACT>`, with START, HEALTHY, COMPLETE, SUCCESS, FAILED.
Stdout gets the command's output and our events. Standard library only, Python 3.8 and later.

With LIGHTGATE_ROLLBACK in the environment the deployment goes back to an old release, whose CONFIG
this still is: it is called LIGHTGATE_RELEASE now, and what is pending for it is not applied, but
keeps the gate shut. A command that cannot tell whether anything is, is run at every start as ever.
"""

from __future__ import annotations

import errno
import json
import os
import re
import select
import signal
import socket
import sys
import time
from collections import deque
from time import monotonic

TYPE_CHECKING = False  # type checkers take it for True; importing typing would cost memory
if TYPE_CHECKING:
    from typing import Any, Callable

LINE_LIMIT = 512  # of a peer's line or a reported one
EVENT_LIMIT = 8000  # bytes
QUIET = 0.1  # seconds until an unfinished line is passed on as it is
BACKLOG = 65536  # bytes of output that nobody took, until the command has to wait
# What an event is shortened by, the last of it only where there is very much.
LISTS = ("lastLines", "migrationsApplied", "operations", "migrations", "leaves", "schema", "holder")
CLIENTS = 100  # held at a time
SILENCE = 15  # seconds without a sign of life from whoever holds the lock
START_UP = 60  # seconds that an app may take to load
RETRIES = 3  # after a lock time-out
DELIVERY = 5  # seconds at the end for letters that are still to be brought
EVENT = b'{"lightgate"'  # how our events begin, and no line of a child
NONSENSE = (LookupError, TypeError, ValueError, RecursionError, AttributeError)
LETTERS = {"plan": "plan", "succeeded": "result", "failed": "result"}  # all others: status


def main() -> int:
    # A pipe or socket of ours must not get the number of a standard stream that was closed.
    while os.open(os.devnull, os.O_RDWR) <= 2:
        pass
    forget_coerced_locale()
    try:
        # The URLs are secrets, which no child may inherit.
        urls = os.environ.pop("LIGHTGATE_MAILBOX", "{}")
        gate = Gate(read_config(sys.argv[1], sys.argv[2:], urls))
    except NONSENSE as error:
        gate = Gate({})
        why = f"configuration: {type(error).__name__}: {error}"
        gate.tell("failed", cause="config", error=why[:LINE_LIMIT])
        gate.drain()
        return 2
    code = supervise(gate, gate.config)
    gate.deliver()
    gate.drain()
    return code


def supervise(gate: Gate, config: dict[str, Any]) -> int:
    try:
        gate.listen()
        gate.wait_for_dependencies()
        if config["mode"] == "service":
            return serve(gate, config)
        preflight(gate, config["healthCheck"])
        perform(gate, config)
    except Stopped:
        if not gate.began:
            gate.tell("stopped")  # silence would leave open whether it had begun something
        return 128 + signal.SIGTERM
    except Failed as failure:
        gate.report(failure)
        # Whoever relaunches us must find on record what was tried, or it would be tried again.
        may_exit = config["afterFailure"] == "exit" and failure.more.get("recorded", True)
        if gate.stopping or failure.cause == "port" or may_exit:
            return failure.code
    while not gate.stopping:
        gate.turn(None)
    return 0


def preflight(gate: Gate, check: dict[str, Any] | None) -> None:
    """The health check of a task: while it fails, the command is not run."""
    left = check["retries"] if check else 0
    while check and (problem := probe(gate, check)):
        if left < 1:
            raise Failed("preflight", f"health check: {problem.error}", 1, problem.child)
        left -= 1
        gate.wait(never, check["interval"])


def perform(gate: Gate, config: dict[str, Any]) -> None:
    """What a task has to do, if there is anything, and the facts about its end."""
    began = monotonic()
    helper = Helper(gate, config) if config["django"] else None
    try:
        if is_pending(gate, config, helper):
            apply(gate, config, helper)
        else:
            gate.announce("START")
        gate.announce("COMPLETE")
        seconds = round(monotonic() - began, 3)
        gate.tell("succeeded", seconds=seconds, migrations=gate.applied, **gate.result)
        gate.announce("SUCCESS")
    finally:
        if helper:
            helper.leave()


def is_pending(gate: Gate, config: dict[str, Any], helper: Helper | None) -> bool:
    """Whether there is anything to do; if so, it is permitted. Without a way to ask, there is."""
    if helper:
        return helper.prepare()
    if config["rollback"] and config["pending"]:
        return False  # it was to be run once, beside an app that has gates of its own
    if config["pendingCommand"]:
        child = gate.start(config["pendingCommand"], is_probe=True)
        try:
            if not gate.wait(child.has_ended, config["timeoutSeconds"]):
                why = f"pendingCommand: not finished after {config['timeoutSeconds']} s"
                raise Failed("timeout", why, 124, child)
        finally:
            gate.end(child, 0)
        if child.code == 0:
            return False
        if config["rollback"]:
            why = "pendingCommand: something is pending"
            if config["rollback"] != "unchecked":
                raise refusal("schema", why)
            gate.result["overridden"] = [why]
            return False
    if config["mailbox"]:
        plan: dict[str, Any] = {
            "hash": "unknown",
            "count": None,
            "class": "unknown",
            "atomic": False,
            "migrations": [],
        }
        if config["pending"]:
            # Of this very process, so that the permit is for it alone: it is for no other node's,
            # and for none that comes after it.
            what = [["unknown", " ".join(config["command"])[:LINE_LIMIT]]]
            plan.update(hash=os.urandom(16).hex(), count=1, once=True)
            plan["migrations"] = [{"name": "command", "operations": what}]
        gate.tell("plan", **plan)
        if not permitted(gate, plan["hash"]):
            gate.wait(never)
    return True


def permitted(gate: Gate, plan: str, helper: Helper | None = None) -> float | None:
    """Wait for the permit of this very plan, and return the seconds within which to begin.

    Only the mailbox can give it. Until it does or says no, or our patience is at its end,
    whatever it says is nothing yet. None: nobody has to be asked; or, of what is run once, another
    node has the permit.
    """
    box = gate.config["mailbox"]
    if box is None:
        return None
    told = {"for": ["permit"], "hash": plan}
    gate.tell("waiting", **told)
    began = reached = monotonic()
    cause, why = "mailbox", "no answer"
    gate.is_asking, gate.next_errand = True, 0.0
    try:
        while True:
            gate.wait(lambda: bool(gate.looks), 0.5)
            if helper and helper.is_lost():
                raise helper.loss()
            if helper and helper.answers:
                return None  # it has another plan by now
            now = monotonic()
            if gate.looks:
                look = gate.looks.popleft()
                reached = now if "status" in look else reached
                before = why
                seconds, cause, why, what = read_permit(look, gate.config["release"], plan)
                if seconds:
                    gate.tell("permitted", hash=plan, seconds=round(now - began, 3))
                    return seconds
                if what == FINAL:
                    raise refusal(cause, why)
                if gate.config["pending"] and what == ANOTHER_PLAN:
                    return None
                if why != before:
                    gate.tell("waiting", why=why, **told)
            if now - reached > box["reachSeconds"]:
                raise refusal("mailbox", f"out of reach for {box['reachSeconds']} s: {why}")
            if now - began > box["patienceSeconds"]:
                raise refusal(cause, f"no permit within {box['patienceSeconds']} s: {why}")
    finally:
        gate.is_asking = False
        gate.dismiss()


def refusal(cause: str, why: str) -> Failed:
    return Failed(cause, why, 1, database="unchanged")


FINAL, ANOTHER_PLAN = "final", "another plan"


def read_permit(
    look: dict[str, Any], release: str, plan: str
) -> tuple[float | None, str, str, str]:
    """The seconds within which the plan may begin, by the mailbox's own clock.

    Or none, with the cause, why, and FINAL or ANOTHER_PLAN, if it is one of these. Without the
    right to list, a missing object is a 403; a request that has expired is one too, and will not
    be any other any more.
    """
    if "status" not in look:
        return None, "mailbox", look["error"], FINAL if "final" in look else ""
    if look["status"] != 200:
        said = re.findall("<(?:Code|Message)>([^<]{1,200})", look["body"])
        why = " ".join([str(look["status"]), *said])[:LINE_LIMIT]
        if "expired" in why:
            return None, "mailbox", why, FINAL
        return None, "permit" if look["status"] in (403, 404) else "mailbox", why, ""
    try:
        permit = json.loads(look["body"])
        state, reason = permit["state"], str(permit.get("reason"))[:LINE_LIMIT]
        is_ours, is_it = permit["release"] == release, permit["plan"] == plan
        seconds = permit["until"] - look["now"] if state == "granted" else 0
    except NONSENSE:
        return None, "permit", "what the mailbox holds is no permit", ""
    if not is_ours:
        return None, "permit", "the permit is for another release", FINAL
    if state == "void":
        return None, "permit", f"the permit is void: {reason}", FINAL
    if state != "granted":
        return None, "permit", "the permit is not granted", ""
    if not is_it:
        return None, "permit", "the permit is for another plan", ANOTHER_PLAN
    if not seconds > 0:
        return None, "permit", "the permit has expired", FINAL
    return seconds, "", "", ""


def apply(gate: Gate, config: dict[str, Any], helper: Helper | None) -> None:
    """Run the commands one after the other, all within one time limit."""
    limit = config["timeoutSeconds"]
    end = monotonic() + (10**7 if limit is None else limit)
    commands = [*config["before"], config["command"], *config["then"]]
    try:
        for index, argv in enumerate(commands):
            is_main, tries = index == len(config["before"]), 1
            while not run(gate, argv, end, helper, is_main, tries):
                gate.wait(never, 2 ** (tries - 1))
                tries += 1
    except (Failed, Stopped) as problem:
        failure = problem if isinstance(problem, Failed) else stopped()
        if gate.facts:
            gate.announce("COMPLETE")
        if helper:
            failure.more.update(helper.conclude(failure))
        raise failure from None
    if helper:
        gate.result = helper.conclude(None)


def run(
    gate: Gate,
    argv: list[str],
    end: float,
    helper: Helper | None,
    is_main: bool,
    tries: int,
) -> bool:
    """Run one command; False: it may be run again, because only a lock was in its way."""
    config = gate.config
    if helper and helper.is_lost():
        raise helper.loss()
    child = gate.start(argv, is_probe=False, extra=helper.environment(is_main) if helper else {})
    if is_main and not gate.facts:
        gate.tell("applying")
        gate.announce("START")
    try:
        while not gate.wait(
            lambda: child.has_ended() or (helper is not None and helper.is_lost()),
            max(0, min(SILENCE, end - monotonic())),
        ):
            if monotonic() >= end:
                break
    except Stopped:
        gate.end(child, config["graceSeconds"])
        # Its exit code would not tell whether a command that was told to stop had finished.
        raise stopped(child) from None
    has_ended = child.has_ended()
    gate.end(child, 0 if has_ended else config["graceSeconds"])
    if not has_ended:
        if helper and helper.is_lost():
            failure = helper.loss()
            failure.child = child
            raise failure
        raise Failed("timeout", f"not finished after {config['timeoutSeconds']} s", 124, child)
    if child.code:
        met_lock = any("LockNotAvailable" in line for line in child.raised)
        if helper and is_main and met_lock and helper.may_retry and tries <= RETRIES:
            helper.say(do="again", **{"try": tries})
            return False
        raise child.failure()
    child.migration_ends(None)
    if config["pending"]:
        gate.result["lastLines"] = child.told()
    return True


def stopped(child: Child | None = None) -> Failed:
    code = 128 + signal.SIGTERM
    return Failed("signal", "stopped by SIGTERM", code, child, detail="stopped")


def serve(gate: Gate, config: dict[str, Any]) -> int:
    """The command of a service, probed beside it. Its exit code is ours."""
    child = gate.start(config["command"], is_probe=False)
    gate.announce("START")
    try:
        await_health(gate, config["healthCheck"], child)
        gate.wait(child.has_ended)
        gate.end(child, 0)
        if child.code:
            gate.report(child.failure())
    except Stopped:
        gate.end(child, config["graceSeconds"])
    return child.exit_code()


def await_health(gate: Gate, check: dict[str, Any] | None, child: Child) -> None:
    """Probe until the first success: nobody waits for what comes after it."""
    began, failures = monotonic(), 0
    while check and not child.has_ended():
        problem = probe(gate, check)
        if not problem:
            gate.tell("succeeded", seconds=round(monotonic() - began, 3), migrations=[])
            return gate.announce("HEALTHY")
        failures += monotonic() - began >= check["startPeriod"]
        if failures > check["retries"]:
            why = f"health check: {problem.error}"
            return gate.report(Failed("healthCheck", why, 1, problem.child))
        gate.wait(child.has_ended, check["interval"])
    return None


def probe(gate: Gate, check: dict[str, Any]) -> Failed | None:
    """Run the health check once and return what is wrong."""
    child = gate.start(check["command"], is_probe=True)
    try:
        in_time = gate.wait(child.has_ended, check["timeout"])
    finally:
        gate.end(child, 0)
    if not in_time:
        return Failed("timeout", f"no answer within {check['timeout']} s", 1, child)
    return child.failure() if child.code else None


class Stopped(Exception):  # noqa: N818
    """We were told to stop."""


class Failed(Exception):  # noqa: N818
    """What others wait for cannot be reached any more; `code` is what we exit with, if we do."""

    def __init__(
        self,
        cause: str,
        error: str,
        code: int,
        child: Child | None = None,
        **more: Any,  # noqa: ANN401
    ) -> None:
        self.cause, self.error, self.code, self.child = cause, error, code, child
        self.more = more


class Gate:
    """The loop: signals, those who wait for us, the commands' output, and time."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.facts: list[str] = []
        self.clients: list[socket.socket] = []
        self.applied: list[str] = []
        self.result: dict[str, Any] = {}  # what else is told of a success
        self.began: dict[bool, str] = {}  # when the command and, more to the point, a migration did
        self.letters: dict[str, str] = {}  # for the mailbox
        self.looks: deque[dict[str, Any]] = deque()  # what it said when asked for the permit
        self.courier: Courier | None = None
        self.is_asking, self.next_errand, self.losses = False, 0.0, 0
        self.children: list[Child] = []  # the command, and after it probe or helper
        self.stopping = False
        self.pending = bytearray()  # what stdout has not yet taken
        self.unfinished: Child | None = None  # who wrote a line without its end
        self.listener = socket.socket()
        self.signals, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        for name in ("CHLD", "TERM", "INT", "HUP", "QUIT", "USR1", "USR2"):
            signal.signal(getattr(signal, "SIG" + name), lambda *_: None)

    def listen(self) -> None:
        self.listener.setblocking(False)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.listener.bind(("127.0.0.1", self.config["port"]))
            self.listener.listen(64)
        except OSError as error:
            why = f"cannot listen on port {self.config['port']}: {error.strerror}"
            raise Failed("port", why, 1) from None

    def wait(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Go on until `done` or until the time is up; return whether it is done."""
        end = None if seconds is None else monotonic() + seconds
        while not done():
            if self.stopping:
                raise Stopped
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                return False
            self.turn(left)
        return True

    def turn(self, seconds: float | None, peer: socket.socket | None = None) -> None:
        """Sleep until something happens, and deal with it."""
        self.post()
        readers: dict[int, Callable[[], object]] = {
            self.signals: self.take_signals,
            self.listener.fileno(): self.accept,
        }
        for client in self.clients:
            # They have nothing to say: one that does is gone, or is not one of ours.
            readers[client.fileno()] = lambda client=client: self.drop(client)  # type: ignore[misc]
        for child in self.children:
            if child.pipe is not None and len(self.pending) < BACKLOG:
                readers[child.pipe] = child.read
            if child.channel is not None:
                readers[child.channel.fileno()] = child.listen
        if peer:
            readers[peer.fileno()] = never
        poll = select.poll()
        for fd in readers:
            poll.register(fd, select.POLLIN)
        if self.pending:
            readers[1] = self.write_some
            poll.register(1, select.POLLOUT)
        if any(child.unsent for child in self.children):
            seconds = QUIET if seconds is None else min(seconds, QUIET)
        for fd, _ in poll.poll(None if seconds is None else int(min(seconds, 3600) * 1000) + 1):
            readers[fd]()
        for child in self.children:
            if monotonic() >= child.heard_at + QUIET:
                child.flush()

    def take_signals(self) -> None:
        for number in os.read(self.signals, 512):
            if number == signal.SIGCHLD:
                self.reap()
            elif number == signal.SIGTERM:
                self.stopping = True  # whoever waits then ends the command, by `end`
            elif self.children and not self.children[0].is_probe:
                self.children[0].kill(number)
            elif number in (signal.SIGINT, signal.SIGQUIT):
                self.stopping = True

    def reap(self) -> None:
        """Note the end of each of our children; as PID 1 we get those of others too."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                for child in self.children:
                    if child.pid == pid:
                        killed = os.WIFSIGNALED(status)
                        child.code = -os.WTERMSIG(status) if killed else os.WEXITSTATUS(status)
        except ChildProcessError:
            return

    def start(self, argv: list[str], is_probe: bool, extra: dict[str, str] | None = None) -> Child:
        child = Child(self, is_probe)
        child.start(argv, extra or {})
        return child

    def end(self, child: Child, grace: float) -> None:
        """Leave nothing of the child's process group: TERM, a grace period, KILL."""
        end = monotonic() + grace
        child.kill(signal.SIGTERM)
        while child.kill(0) and monotonic() < end:
            self.turn(0.02)
        child.kill(signal.SIGKILL)
        while not child.has_ended():
            self.turn(None)
        child.close()
        self.children.remove(child)

    # Those who wait for us, and those for whom we wait

    def accept(self) -> None:
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        client.setblocking(False)
        if len(self.clients) >= CLIENTS:
            self.drop(self.clients[0])
        self.clients.append(client)
        self.send(client, "".join(self.facts))

    def announce(self, fact: str) -> None:
        self.facts.append(f"{self.prefix(self.config)}{fact}\n")
        for client in self.clients[:]:
            self.send(client, self.facts[-1])

    def send(self, client: socket.socket, text: str) -> None:
        try:
            client.sendall(text.encode())
        except OSError:
            self.drop(client)

    def drop(self, client: socket.socket) -> None:
        if client in self.clients:  # one turn may find two reasons
            self.clients.remove(client)
            client.close()

    def prefix(self, container: dict[str, Any]) -> str:
        return f"lightgate {self.config['release']} {container['container']} "

    def wait_for_dependencies(self) -> None:
        after = self.config["after"]
        if after:
            self.tell("waiting", **{"for": [one["container"] for one in after]})
        # One after the other: a fact once reached stays reached, so the order cannot matter.
        for dependency in after:
            pause = 0.05
            while not self.hear(dependency):
                self.wait(never, pause)
                pause = min(pause * 2, 1)

    def hear(self, dependency: dict[str, Any]) -> bool:
        """Whether the connection brought the fact. Who says anything else is not listened to."""
        ours, heard = self.prefix(dependency).encode(), b""
        with socket.socket() as peer:
            try:
                # With nobody on an ephemeral port, TCP may connect a socket to itself. That is no
                # answer, and must not keep the port from the one who is to listen on it.
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                peer.settimeout(1)
                peer.connect(("127.0.0.1", dependency["port"]))
                peer.setblocking(False)
                while peer.getsockname() != peer.getpeername():
                    try:
                        data = peer.recv(LINE_LIMIT)
                    except BlockingIOError:
                        self.turn(None, peer)
                        if self.stopping:
                            raise Stopped from None
                        continue
                    *lines, heard = (heard + data).split(b"\n")
                    for line in lines:
                        if line == ours + dependency["condition"].encode():
                            return True
                        if line == ours + b"FAILED":
                            raise Failed("dependency", f"{dependency['container']} failed", 1)
                        if not line.startswith(ours):
                            return False
                    if not data or len(heard) > LINE_LIMIT:
                        return False
            except OSError:
                pass  # not there yet, or gone: the caller tries again
        return False

    # The mailbox

    def post(self) -> None:
        """Send a courier if there is anything to bring or to ask, and none is on its way."""
        if self.courier and self.courier.has_ended():
            left = self.courier.return_letters()
            self.courier = None
            self.losses = self.losses + 1 if left else 0
            if self.losses < RETRIES:
                self.letters = {**left, **self.letters}
        is_urgent = self.letters.keys() - {"status"}
        is_time = (self.letters or self.is_asking) and monotonic() >= self.next_errand
        if not self.courier and (is_urgent or is_time):
            letters, self.letters = self.letters, {}
            self.next_errand = monotonic() + self.config["mailbox"]["pollSeconds"]
            try:
                self.courier = Courier(self, letters)
            except Failed as failure:
                self.looks.append({"error": failure.error})

    def dismiss(self) -> None:
        """Let go of a courier that waits; what it has not brought is brought by the next."""
        self.looks.clear()
        if self.courier:
            self.courier.kill(signal.SIGKILL)

    def deliver(self) -> None:
        end, self.next_errand = monotonic() + DELIVERY, 0.0
        while (self.letters or self.courier) and monotonic() < end:
            self.turn(0.1)
        self.dismiss()

    # What we print

    def report(self, failure: Failed) -> None:
        """Say what failed, once: a second failure only follows from the first."""
        if any(fact.endswith(" FAILED\n") for fact in self.facts):
            return
        fields: dict[str, Any] = {"cause": failure.cause, "error": failure.error}
        child = failure.child
        if child:
            fields["migration"] = child.migration
            fields["exitCode"] = failure.code if failure.cause in ("exit", "signal") else None
            fields["migrationsApplied"] = self.applied
            lines = child.told()
            # An exception that led to others may stand far above them.
            fields["lastLines"] = [one for one in child.raised if one not in lines] + lines
        fields.update(failure.more)
        self.tell("failed", **{key: value for key, value in fields.items() if value is not None})
        self.announce("FAILED")

    def tell(self, event: str, **fields: Any) -> None:  # noqa: ANN401
        now = time.time()
        at = time.strftime(f"%FT%T.{int(now % 1 * 1000):03}Z", time.gmtime(now))
        who = {"release": self.config.get("release"), "container": self.config.get("container")}
        if event == "applying":
            self.began.setdefault("migration" in fields, at)
        elif event in ("succeeded", "failed") and self.began:
            # The last letter says all that matters: the log may lag behind it.
            fields["beganAt"] = self.began.get(True) or self.began[False]
        # The app chooses names, and can put anything into them.
        fields = mask(fields, self.config.get("secrets", []))
        told = {"lightgate": 1, **who, "event": event, "at": at, **fields}
        for key in LISTS:
            while told.get(key) and len(json.dumps(told)) > EVENT_LIMIT:
                told[key] = told[key][1:]
        line = json.dumps(told)
        self.write(line.encode() + b"\n", None)
        if self.config.get("mailbox"):
            self.letters[LETTERS.get(event, "status")] = line

    def write(self, data: bytes, writer: Child | None) -> None:
        if not data:
            return
        if self.unfinished and self.unfinished is not writer:
            self.pending += b"\n"
        self.pending += data
        self.unfinished = None if data.endswith(b"\n") else writer

    def write_some(self) -> None:
        """Only what a pipe that polls as writable takes: a slow reader must not stop the loop."""
        try:
            del self.pending[: os.write(1, self.pending[: select.PIPE_BUF])]
        except BlockingIOError:
            pass
        except OSError:
            self.pending.clear()  # nobody reads us any more; the command matters more

    def drain(self) -> None:
        while self.pending and select.select([], [1], [], 1)[1]:
            self.write_some()


class Child:
    """A process group of its own, and the reader of what it prints."""

    def __init__(self, gate: Gate, is_probe: bool) -> None:
        self.gate = gate
        self.is_probe = is_probe
        self.channel: socket.socket | None = None  # where it listens and answers, if it does
        self.stdin: int | None = None
        self.code: int | None = None  # negative: the signal that ended it
        self.secrets: list[str] = gate.config["secrets"]
        # Where a line is cut within a secret, what is left of it would not be known as one.
        self.margin = len(self.secrets[0]) if self.secrets else 0
        self.longest = 4 * (LINE_LIMIT + self.margin)
        self.line = b""  # the beginning of the current line
        self.line_was_read = False  # a migration's begin was seen in it
        self.unsent = b""  # the end of it, not yet passed on
        self.heard_at = 0.0
        self.last_lines: deque[tuple[str, bool]] = deque(maxlen=20)  # and whether an exception
        self.raised: deque[str] = deque(maxlen=10)
        self.in_traceback = False
        self.migration: str | None = None  # the one being applied
        self.pipe: int | None = None

    def start(self, argv: list[str], extra: dict[str, str]) -> None:
        # One pipe for both streams keeps their order, as a terminal would.
        pipe, theirs = os.pipe()
        os.set_blocking(pipe, False)
        nothing = os.open(os.devnull, os.O_RDONLY)
        streams = (nothing if self.stdin is None else self.stdin, theirs, theirs)
        try:
            self.pid = os.posix_spawnp(
                argv[0],
                argv,
                {**os.environ, **extra},
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate(streams)],
                setpgroup=0,
                # Python ignores these two, and programs do not expect to inherit that.
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except OSError as error:
            os.close(pipe)
            number = error.errno or 0
            why = f"cannot run {argv[0]!r}: {error.strerror} ({errno.errorcode.get(number)})"
            raise Failed("exec", why, 127 if number == errno.ENOENT else 126) from None
        finally:
            os.close(theirs)
            os.close(nothing)
        self.pipe = pipe
        # The command is the first: it is the one that gets the signals.
        self.gate.children.insert(len(self.gate.children) if self.is_probe else 0, self)

    def has_ended(self) -> bool:
        return self.code is not None

    def exit_code(self) -> int:
        code = self.code or 0
        return code if code >= 0 else 128 - code

    def failure(self) -> Failed:
        code = self.exit_code()
        if self.code and self.code < 0:
            why = f"ended by signal {-self.code} ({signal.strsignal(-self.code)})"
            return Failed("signal", why, code, self)
        said = [line for line in self.told() if line.strip()]
        raised = [line for line, is_exception in self.last_lines if is_exception]
        return Failed("exit", (raised or said or [f"exit code {code}"])[-1], code, self)

    def listen(self) -> None:
        """Take what came over the channel."""

    def kill(self, number: int) -> bool:
        """Signal the whole group, and return whether there is any of it; 0 only asks."""
        try:
            os.killpg(self.pid, number)
        except OSError as error:
            return error.errno != errno.ESRCH
        return True

    def read(self) -> bool:
        """Pass on what there is, and return whether there may be more."""
        try:
            data = os.read(self.pipe, 65536) if self.pipe is not None else b""
        except BlockingIOError:
            return False
        if not data and self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None
        *lines, rest = data.split(b"\n")
        for line in lines:
            self.take(line + b"\n")
        if rest:
            self.take(rest)
        return bool(data)

    def take(self, piece: bytes) -> None:
        """Pass a piece of a line on, an event before the line that began something or after it."""
        self.heard_at = monotonic()
        is_whole = piece.endswith(b"\n")
        self.line = (self.line + piece)[: self.longest]
        self.unsent += piece
        begun, ended, seconds = read_progress(self.text())
        if begun and not self.line_was_read and not self.is_probe:
            self.line_was_read = True
            self.migration_ends(None)
            self.migration, self.migration_began = begun, self.heard_at
            self.gate.tell("applying", migration=begun)
        if is_whole or len(self.unsent) > BACKLOG:
            self.flush()
        if is_whole:
            if ended and " FAKED" in self.text():
                self.migration = None  # nothing was applied
            elif ended:
                self.migration_ends(seconds)
            self.line_ends()

    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;]*m", "", self.line.decode("utf-8", "replace")).rstrip("\r\n")

    def migration_ends(self, seconds: float | None) -> None:
        if self.migration:
            if seconds is None:
                seconds = round(monotonic() - self.migration_began, 3)
            self.gate.tell("applied", migration=self.migration, seconds=seconds)
            self.gate.applied.append(self.migration)
            self.migration = None

    def line_ends(self) -> None:
        """Remember the line; the first one of a traceback that is not indented says why."""
        text, is_cut = self.text(), len(self.line) == self.longest
        self.line, self.line_was_read = b"", False
        is_exception = self.in_traceback and text[:1].strip() != ""
        self.in_traceback = text.endswith("Traceback (most recent call last):") or (
            self.in_traceback and not is_exception
        )
        text = mask(text, self.secrets)
        text = text[: max(0, len(text) - self.margin) if is_cut else None][:500]
        self.last_lines.append((text, is_exception))
        if is_exception:
            self.raised.append(text)

    def told(self) -> list[str]:
        return [line for line, _ in self.last_lines]

    def flush(self) -> None:
        """Pass on what came, except a beginning of an imitated event, which waits for more.

        An imitated event gets a line of its own, with a mark before it. A log splits lines that are
        too long for it, and must not split one right behind the mark.
        """
        data = self.unsent
        end = data.rfind(EVENT[:1])
        if not EVENT.startswith(data[end:]):
            end = len(data)
        self.unsent = data[end:]
        self.gate.write(data[:end].replace(EVENT, b"\n|" + EVENT), self)

    def close(self) -> None:
        """Pass on what the pipe still holds: at most 1 MiB, so that this comes to an end."""
        for _ in range(17):
            self.read()
        if self.pipe is not None:
            os.close(self.pipe)
        self.flush()
        self.gate.write(self.unsent, self)
        if self.line:
            self.line_ends()


class Partner(Child):
    """A child with a socket as its standard input: JSON lines, both ways."""

    def __init__(self, gate: Gate, argv: list[str]) -> None:
        super().__init__(gate, is_probe=True)
        self.heard = b""
        self.channel, theirs = socket.socketpair()
        self.channel.setblocking(False)
        self.stdin = theirs.fileno()
        with theirs:
            self.start(argv, {})

    def say(self, **message: Any) -> None:  # noqa: ANN401
        try:
            if self.channel:
                self.channel.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return  # it has gone, which shows when the answer is missing

    def listen(self) -> None:
        try:
            data = self.channel.recv(65536) if self.channel else b""
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.hang_up()
        *lines, self.heard = (self.heard + data).split(b"\n")
        for line in lines:
            try:
                self.hear_of(dict(json.loads(line)))
            except NONSENSE:
                continue  # the app itself has written there

    def hear_of(self, message: dict[str, Any]) -> None:
        """Take what it says."""

    def hang_up(self) -> None:
        if self.channel:
            self.channel.close()
            self.channel = None


class Courier(Partner):
    """Brings letters to the mailbox, and looks for the permit while that is asked for."""

    def __init__(self, gate: Gate, letters: dict[str, str]) -> None:
        self.letters = letters
        box = gate.config["mailbox"]
        # `python3` as it was found: a path of the user's may lead to another one.
        super().__init__(gate, [sys.executable, "-I", "-S", "-c", gate.config["courier"]])
        self.say(letters=letters, ask=gate.is_asking, **box)

    def hear_of(self, message: dict[str, Any]) -> None:
        if "sent" not in message:
            self.gate.looks.append(message)
        elif message.get("final") or 200 <= message.get("status", 0) < 500:
            self.letters.pop(message["sent"], None)

    def take(self, piece: bytes) -> None:
        """Drop it: a traceback may show a URL, and URLs are secrets."""

    def return_letters(self) -> dict[str, str]:
        """Leave, and say what was not delivered."""
        for _ in range(9):
            self.listen()
        self.hang_up()
        self.close()
        self.gate.children.remove(self)
        return self.letters


class Helper(Partner):
    """The Django helper: it reads the plan, and holds the lock beside the command."""

    def __init__(self, gate: Gate, config: dict[str, Any]) -> None:
        self.answers: deque[dict[str, Any]] = deque()
        self.heard_of_it = monotonic()
        self.patience: float = START_UP + config["django"]["databaseTimeoutSeconds"]
        self.order: dict[str, Any] = {}
        self.ran = self.may_retry = False
        manage, command = config["django"]["manage"], config["command"]
        argv = [*manage, "shell", "-v", "0", *settings_options(command)]
        super().__init__(gate, [*argv, "-c", config["helper"]])
        who = {key: config[key] for key in ("release", "container", "command", "code", "rollback")}
        self.say(**config["django"], **who, waitSeconds=config["timeoutSeconds"])

    def hear_of(self, message: dict[str, Any]) -> None:
        self.heard_of_it = monotonic()
        if "event" in message:
            self.gate.tell(message.pop("event"), **message)
        elif "do" in message:
            self.answers.append(message)

    def is_lost(self) -> bool:
        """Gone, silent, or at its own word no longer fit to go on."""
        silent = monotonic() - self.heard_of_it > self.patience
        given_up = any(one["do"] == "fail" for one in self.answers)
        return silent or given_up or self.channel is None or self.has_ended()

    def hear(self) -> dict[str, Any]:
        while not self.answers:
            if self.is_lost():
                self.listen()
                if not self.answers:
                    raise self.loss()
                break
            self.gate.wait(lambda: bool(self.answers) or self.is_lost(), 1)
        if self.answers[0]["do"] == "fail":
            raise self.loss()
        return self.answers.popleft()

    def loss(self) -> Failed:
        """Why it is of no more use."""
        self.listen()
        for said in self.answers:
            if said.pop("do") == "fail":
                self.answers.clear()
                return Failed(code=1, **said)
        end = monotonic() + 2
        while self.channel is None and not self.has_ended() and monotonic() < end:
            self.gate.turn(0.1)
        why = self.failure().error if self.code else "the helper does not answer any more"
        return Failed("lock" if self.order else "django", why, 1, self)

    def prepare(self) -> bool:
        """Return whether the command is to be run: it has the lock then, and is on record."""
        while True:
            answer = self.hear()
            if answer["do"] == "permit":
                plan = answer["hash"]
                seconds = permitted(self.gate, plan, self)
                if not self.answers:
                    self.say(permitted=plan, seconds=seconds)
            elif answer["do"] == "run":
                self.order, self.patience = answer, SILENCE
                self.may_retry = answer["retry"]
                return True
            else:
                del answer["do"]
                self.gate.result = answer
                return False

    def environment(self, is_main: bool) -> dict[str, str]:
        self.ran = self.ran or is_main
        return {**self.order["environment"], **(self.order["options"] if is_main else {})}

    def conclude(self, failure: Failed | None) -> dict[str, Any]:
        """Put the end on record, and return what it has come to."""
        unknown = {"database": "not known", "recorded": False}
        if self.gate.stopping:
            return unknown  # there is no time; the next one judges the attempt
        self.patience = START_UP + self.gate.config["django"]["databaseTimeoutSeconds"]
        error, child = failure and failure.error, failure and failure.child
        migration = child and child.migration
        self.say(do="end", ok=not failure, ran=self.ran, error=error, migration=migration)
        try:
            answer = self.hear()
        except (Failed, Stopped) as problem:
            if failure:
                return unknown
            failure = problem if isinstance(problem, Failed) else stopped()
            failure.more.update(unknown)
            raise failure from None
        del answer["do"]
        error = answer.pop("error")
        if error and not failure:
            raise Failed("pending", error, 1, **answer)
        if not failure:
            del answer["database"]
        return answer

    def leave(self) -> None:
        self.hang_up()
        if self in self.gate.children:
            self.gate.end(self, 0)


def settings_options(words: list[str]) -> list[str]:
    """The options of a manage.py command that say which settings it uses."""
    found = []
    for index, word in enumerate(words):
        if word.startswith(("--settings", "--pythonpath")):
            found += words[index : index + (1 if "=" in word else 2)]
    return found


def parts(secrets: list[str]) -> list[str]:
    """What must not be shown of these values, the longest first: the one place that knows it.

    That is the whole, its lines, what is in it if it is JSON, who logs in and the password in a
    URL, also percent-decoded, and what it assigns to the name of a secret; and all of that as
    Python and JSON write it. What is shorter than SHORTEST is part of usual words and numbers:
    without `crops`, `true` and `5432` nobody could read what is left.
    """
    found = list(secrets)
    for secret in secrets:
        try:
            json.loads(secret, object_hook=lambda inner: found.extend(map(str, inner.values())))
        except NONSENSE:
            continue  # it is no JSON
    found += [line for one in found for line in one.splitlines()]
    for one in found[:]:
        for user in re.findall(r"://([^\s/]+)@", one):
            found += [user, user.partition(":")[2]]
        found += [match[3] or match[4] for match in re.finditer(ASSIGNED, one)]
    found += [percent_decoded(one) for one in found]
    forms = {form for one in found for form in (one, repr(one)[1:-1], json.dumps(one)[1:-1])}
    return sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)


def percent_decoded(text: str) -> str:
    data = text.encode("utf-8", "replace")
    data = re.sub(b"%([0-9a-fA-F]{2})", lambda code: bytes([int(code[1], 16)]), data)
    return data.decode("utf-8", "replace")


def mask(value: Any, secrets: list[str]) -> Any:  # noqa: ANN401
    """Every text in the value without these parts, and without what looks like a password."""
    if isinstance(value, list):
        return [mask(one, secrets) for one in value]
    if isinstance(value, dict):
        return {key: mask(one, secrets) for key, one in value.items()}
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
        value = re.sub(r"(://[^\s:/@]*):[^\s/\"']+@", r"\1:***@", value)
        value = re.sub(ASSIGNED, r"\1\2***", value)
    return value


SHORTEST = 6
ASSIGNED = (
    r"(?i)((?:password|passwd|pwd|secret|token|(?:api|access|private)_?key|credentials?)\w{0,40}[\"']?"
    r"\s*[=:]\s*)(?:([\"'])((?:\\.|(?!\2).)*)|([^\s\"',;&]+))"
)


def read_progress(line: str) -> tuple[str | None, bool, float | None]:
    """What a line of Django's migrate says: a migration begun, whether one ended, its seconds.

    Django prints `  Applying crops.0003_price...` and, when it is done, ` OK` behind it, or on a
    line of its own if the migration itself has printed something.
    """
    begun = re.match(r"  Applying (\S+?)\.\.\.", line)
    end = r"(?:  Applying \S+?\.\.\.)? (?:OK|FAKED)(?: \((\d+\.\d+)s\))?"
    ended = re.fullmatch(end, line)
    seconds = float(ended[1]) if ended and ended[1] else None
    return (begun[1][:200] if begun else None), ended is not None, seconds


def read_config(text: str, command: list[str], urls: str) -> dict[str, Any]:
    config: dict[str, Any] = dict.fromkeys(("django", "mailbox", "pendingCommand", "pending"))
    config.update({"before": [], "then": []}, **json.loads(text))
    after, check, limit = config["after"], config["healthCheck"], config["timeoutSeconds"]
    django = config["django"]
    if django is not None:
        config["helper"], command = command[0], command[1:]
    if config["mailbox"] is not None:
        config["courier"], command = command[0], command[1:]
    # `unchecked` if a person has overridden the check.
    config["code"], config["rollback"] = config["release"], os.environ.get("LIGHTGATE_ROLLBACK")
    if config["rollback"]:  # the URLs, if there are any, have expired
        config.update(release=os.environ["LIGHTGATE_RELEASE"], mailbox=None)
    box = config["mailbox"]
    if box is not None:
        box.update(json.loads(urls))
    commands = [command, *config["before"], *config["then"]]
    numbers, flags = [config["graceSeconds"], 0 if limit is None else limit], []
    if config["pendingCommand"] is not None:
        commands.append(config["pendingCommand"])
    if box is not None:
        numbers += [box[key] for key in ("pollSeconds", "patienceSeconds", "reachSeconds")]
        signatures = [box["signatures"][name] for name in ("permit", "status", "plan", "result")]
    if django is not None:
        commands.append(django["manage"])
        numbers += [django["lockTimeoutSeconds"], django["databaseTimeoutSeconds"]]
        flags = [django["allowDestructive"], django["requireLock"], bool(django["database"] + "")]
    if check is not None:
        commands.append(check["command"])
        numbers += [check[key] for key in ("interval", "timeout", "retries", "startPeriod")]
    everyone = [config, *after]
    names = [config["release"], *(one["container"] for one in everyone)]
    ports = [one["port"] for one in everyone]
    conditions = ("START", "HEALTHY", "COMPLETE", "SUCCESS")
    for what, is_right in (
        ("after", isinstance(after, list)),
        ("name", all(re.fullmatch(r"[A-Za-z0-9._-]{1,128}", name) for name in names)),
        ("port", all(type(port) is int and 0 < port < 65536 for port in ports)),
        ("condition", all(one["condition"] in conditions for one in after)),
        ("mode", config["mode"] in ("task", "service")),
        ("afterFailure", config["afterFailure"] in ("hold", "exit")),
        ("policy", django is None or django["policy"] in ("allow", "warn", "block")),
        ("django", all(type(one) is bool for one in flags)),
        ("pending", not config["pending"] or box is not None or config["rollback"]),
        ("mailbox", box is None or all(type(one) is str for one in [box["url"], *signatures])),
        ("number", all(type(n) in (int, float) and 0 <= n <= 10**7 for n in numbers)),
        ("command", all(is_argv(argv) for argv in commands)),
    ):
        if not is_right:
            raise ValueError(f"{what} is missing or wrong")
    config["command"] = command
    config["secrets"] = parts([os.environ.get(name, "") for name in config.get("secretNames", [])])
    return config


def is_argv(value: object) -> bool:
    return (
        isinstance(value, list) and value != [] and b"\0" not in b"".join(map(os.fsencode, value))
    )


def never() -> bool:
    return False


def forget_coerced_locale() -> None:
    """Drop the LC_CTYPE that Python puts into its own environment when the locale is C."""
    try:
        with open("/proc/self/environ", "rb") as given:  # noqa: PTH123
            if b"\0LC_CTYPE=" not in b"\0" + given.read():
                os.environ.pop("LC_CTYPE", None)
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())
