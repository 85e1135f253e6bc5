"""The command of a task: whether it has anything to do, and running it to its end."""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, Any

from lightgate.gate.programs.supervisor.django_helper import DjangoHelper
from lightgate.gate.programs.supervisor.failures import Failed, Stopped, refusal, stopped
from lightgate.gate.programs.supervisor.gate import never
from lightgate.gate.programs.supervisor.limits import HELPER_SILENCE, LINE_LIMIT, RETRIES
from lightgate.gate.programs.supervisor.permit import await_permit
from lightgate.gate.programs.supervisor.preflight import preflight
from lightgate.gate.programs.supervisor.troubles import PASSING

if TYPE_CHECKING:
    from lightgate.gate.programs.supervisor.gate import Gate

# Commands of Django that change no rows, or whose changes are on record.
READING = {
    *("check", "makemigrations", "showmigrations", "collectstatic", "compilemessages", "migrate")
}


def perform(gate: Gate, config: dict[str, Any]) -> None:
    """Do the task if there is anything to do, and announce its end."""
    began = monotonic()
    left: float = config["timeoutSeconds"] or 10**7
    try:
        helper = DjangoHelper(gate, config) if config["django"] else None
        if not helper:
            preflight(gate, config["healthCheck"])
        elif config["before"] or config["healthCheck"]:
            helper, left = run_before(gate, config, helper, left)
        if is_pending(gate, config, helper):
            apply(gate, config, helper, monotonic() + left)
        else:
            gate.announce("START")
        gate.announce("COMPLETE")
        seconds = round(monotonic() - began, 3)
        gate.emit("succeeded", seconds=seconds, migrations=gate.applied, **gate.result)
        gate.announce("SUCCESS")
    finally:
        for child in gate.children[:]:
            if isinstance(child, DjangoHelper):
                child.stop()


def run_before(
    gate: Gate, config: dict[str, Any], helper: DjangoHelper, left: float
) -> tuple[DjangoHelper, float]:
    """Run what comes before `migrate`, and return a helper, and the seconds that are left.

    The commands run until the release has succeeded once, and never in a rollback; the health check
    always does. They may change the code, as makemigrations does, so another helper reads the plan.
    They must not change the schema.
    """
    seen = helper.answer()
    commands = [] if seen["done"] or config["rollback"] else config["before"]
    if commands or config["healthCheck"]:
        helper.stop()
        began, failure = monotonic(), None
        try:
            preflight(gate, config["healthCheck"])
            began = monotonic()
            for argv in commands:
                run(gate, argv, began + left, None, "before", 1)
        except Failed as problem:
            failure = problem
        left -= monotonic() - began
        try:
            helper = DjangoHelper(gate, config, seen)
            changed = helper.answer()["changed"]
        except (Failed, Stopped) as lost:
            raise failure or lost from None
        if changed:
            failure = failure or Failed("unplanned", "; ".join(changed)[:LINE_LIMIT], 1)
            failure.more.update(step="before", unplanned=changed)
        if failure:
            failure.more["database"] = "part-way" if changed else "unchanged"
            raise failure
    helper.send(go=True)
    return helper, left


def is_pending(gate: Gate, config: dict[str, Any], helper: DjangoHelper | None) -> bool:
    """Whether the command has to run; if so, it is permitted.

    It has to if nothing can show whether anything is pending.
    """
    if helper:
        return helper.prepare()
    if config["rollback"] and config["pending"]:
        return False  # it was to run once, beside an app that has gates of its own
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
            # The hash is of this very process, so that no other node, and no later process, can
            # use its permit.
            what = [["unknown", " ".join(config["command"])[:LINE_LIMIT]]]
            plan.update(hash=os.urandom(16).hex(), count=1, once=True)
            plan["migrations"] = [{"name": "command", "operations": what}]
        gate.emit("plan", **plan)
        if not await_permit(gate, plan["hash"]):
            gate.wait(never)
    return True


def apply(gate: Gate, config: dict[str, Any], helper: DjangoHelper | None, end: float) -> None:
    """Run the command, and then those that come after it."""
    steps = [("migrate", config["command"]), *(("then", argv) for argv in config["then"])]
    if helper and not helper.order["main"]:
        del steps[0]
        gate.announce("START")
    try:
        for step, argv in steps:
            tries = 1
            while not run(gate, argv, end, helper, step, tries):
                gate.wait(never, 2 ** (tries - 1))
                tries += 1
            if helper and step == "migrate" and config["then"]:
                helper.look()
    except (Failed, Stopped) as problem:
        failure = problem if isinstance(problem, Failed) else stopped(gate.stopping)
        if gate.facts:
            gate.announce("COMPLETE")
        if helper:
            failure.more.update(helper.record_end(failure))
        raise failure from None
    if helper:
        gate.result = helper.record_end(None)


def run(
    gate: Gate,
    argv: list[str],
    end: float,
    helper: DjangoHelper | None,
    step: str,
    tries: int,
) -> bool:
    """Run one command; False: it met passing trouble, has left nothing, and may run again."""
    config, is_main = gate.config, step == "migrate"
    if helper and helper.is_lost():
        raise helper.loss()
    gate.running = {} if is_main else {"step": step, "command": " ".join(argv)[:LINE_LIMIT]}
    if not is_main:
        gate.emit("running", **gate.running)
    if step == "before" and not READING & set(argv):
        gate.may_have_changed_rows = True
    child = gate.start(argv, is_probe=False, extra=helper.environment(is_main) if helper else {})
    if is_main and not gate.facts:
        if not helper or helper.order["pending"]:
            gate.emit("applying")
        gate.announce("START")
    try:
        while not gate.wait(
            lambda: child.has_ended() or (helper is not None and helper.is_lost()),
            max(0, min(HELPER_SILENCE, end - monotonic())),
        ):
            if monotonic() >= end:
                break
    except Stopped:
        gate.end(child, config["graceSeconds"])
        # After such a signal an exit code does not show whether the command had finished.
        raise stopped(gate.stopping, child) from None
    has_ended = child.has_ended()
    gate.end(child, 0 if has_ended else config["graceSeconds"])
    if not has_ended:
        if helper and helper.is_lost():
            failure = helper.loss()
            failure.child = child
            raise failure
        raise Failed("timeout", f"not finished after {config['timeoutSeconds']} s", 124, child)
    if child.code and gate.stopping:
        raise stopped(gate.stopping, child)
    if child.code:
        failure = child.failure()
        trouble = str(failure.more.get("detail"))
        passes = is_main and trouble in PASSING and tries <= RETRIES
        if helper and passes and helper.may_repeat(tries, trouble):
            return False
        raise failure
    child.migration_ends(None)
    gate.running = {}
    if config["pending"]:
        gate.result["lastLines"] = child.tail()
    return True
