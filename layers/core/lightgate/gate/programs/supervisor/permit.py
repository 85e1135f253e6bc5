"""The permit: waiting for it, and whether a reply of the mailbox gives it."""

from __future__ import annotations

import json
import re
from time import monotonic
from typing import TYPE_CHECKING, Any

from lightgate.gate.programs.supervisor.failures import MALFORMED, refusal
from lightgate.gate.programs.supervisor.limits import LINE_LIMIT

if TYPE_CHECKING:
    from lightgate.gate.programs.supervisor.django_helper import DjangoHelper
    from lightgate.gate.programs.supervisor.gate import Gate

FINAL, ANOTHER_PLAN = "final", "another plan"


def await_permit(gate: Gate, plan: str, helper: DjangoHelper | None = None) -> float | None:
    """Wait for the permit of this very plan, and return the seconds within which to begin.

    Only the mailbox can give it. Until it gives or refuses it, or the time limit is over, each of
    its replies counts as no reply yet. None: no permit is needed; or the command runs once, and
    another node has its permit.
    """
    limits = gate.config["mailbox"]
    if limits is None:
        return None
    fields = {"for": ["permit"], "hash": plan}
    gate.emit("waiting", **fields)
    began = reached = monotonic()
    cause, why = "mailbox", "no answer"
    mailbox = gate.mailbox
    mailbox.open("permit")
    try:
        while True:
            gate.wait(lambda: bool(mailbox.replies), 0.5)
            if helper and helper.is_lost():
                helper.receive()  # it may have answered, and ended then
                if not helper.answers:
                    raise helper.loss()
            if helper and helper.answers:
                return None  # it has another plan by now
            now = monotonic()
            if mailbox.replies:
                reply = mailbox.replies.popleft()
                reached = now if "status" in reply else reached
                before = why
                seconds, cause, why, what = read_permit(reply, gate.config["release"], plan)
                if seconds:
                    gate.emit("permitted", hash=plan, seconds=round(now - began, 3))
                    return seconds
                if what == FINAL:
                    raise refusal(cause, why)
                if gate.config["pending"] and what == ANOTHER_PLAN:
                    return None
                if why != before:
                    gate.emit("waiting", why=why, **fields)
            if now - reached > limits["reachSeconds"]:
                raise refusal("mailbox", f"out of reach for {limits['reachSeconds']} s: {why}")
            if now - began > limits["patienceSeconds"]:
                raise refusal(cause, f"no permit within {limits['patienceSeconds']} s: {why}")
    finally:
        mailbox.close()


def fetch_classifier(gate: Gate, helper: DjangoHelper) -> str:
    """The text that judges a plan: our argument, or an object in the mailbox."""
    if gate.config["classifier"]:
        return str(gate.config["classifier"])
    mailbox, limit = gate.mailbox, gate.config["mailbox"]["reachSeconds"]
    began, why = monotonic(), "no answer"
    mailbox.open("classifier")
    try:
        while monotonic() - began < limit:
            gate.wait(lambda: bool(mailbox.replies), 0.5)
            if helper.is_lost():
                raise helper.loss()
            reply = mailbox.replies.popleft() if mailbox.replies else {}
            if reply.get("status") == 200:
                return str(reply["body"])
            why = read_refusal(reply) if "status" in reply else reply.get("error", why)
            if "final" in reply or "expired" in why:
                raise refusal("mailbox", why)
    finally:
        mailbox.close()
    raise refusal("mailbox", f"out of reach for {limit} s: {why}")


def read_refusal(reply: dict[str, Any]) -> str:
    said = re.findall("<(?:Code|Message)>([^<]{1,200})", reply["body"])
    return " ".join([str(reply["status"]), *said])[:LINE_LIMIT]


def read_permit(
    reply: dict[str, Any],
    release: str,
    plan: str,
) -> tuple[float | None, str, str, str]:
    """The seconds within which the plan may begin, by the mailbox's own clock.

    Or none, with the cause, the reason, and FINAL or ANOTHER_PLAN if it is one of these. S3
    answers a missing object with 403 if the signer may not list. It answers an expired request
    with 403 as well, and that does not change any more.
    """
    if "status" not in reply:
        return None, "mailbox", reply["error"], FINAL if "final" in reply else ""
    if reply["status"] != 200:
        why = read_refusal(reply)
        if "expired" in why:
            return None, "mailbox", why, FINAL
        return None, "permit" if reply["status"] in (403, 404) else "mailbox", why, ""
    try:
        permit = json.loads(reply["body"])
        state, reason = permit["state"], str(permit.get("reason"))[:LINE_LIMIT]
        is_ours, is_it = permit["release"] == release, permit["plan"] == plan
        seconds = permit["until"] - reply["now"] if state == "granted" else 0
    except MALFORMED:
        return None, "permit", "permit.json is not a permit", ""
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
