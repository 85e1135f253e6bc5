"""The stack and its account: the version, other stacks, and how many functions may run at once."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lightgate.checks.finding import Check, Finding, failure, ok, unknown, warning

# A release runs one function at a time. ReceivePush and Reconcile come beside it, and CleanUp.
_BESIDE_RELEASES = 3
_CONCURRENCY_QUOTA = "L-B99A9384"
_USUAL_CONCURRENCY = 1000


def version(deployed: str | None, own: str, stack: str) -> Finding:
    """`deployed` is the version of the stack, None for one that does not name it yet."""
    update = (
        "sam build && sam deploy in a checkout of the newer one, or install the command of the "
        "stack's version"
    )
    if deployed is None:
        return failure(
            Check.VERSION,
            f"the stack {stack} is older than this command, which is version {own}: it does not "
            "name its version",
            update,
        )
    if _number(deployed) != _number(own):
        return failure(
            Check.VERSION,
            f"the stack {stack} has version {deployed}, and this command version {own}",
            update,
        )
    return ok(Check.VERSION, f"stack and command have version {own}")


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def other_stacks(stack: str, apps_path: str, stacks: Iterable[Mapping[str, Any]]) -> Finding:
    """`stacks` are those that DescribeStacks lists."""
    others = [
        one["StackName"]
        for one in stacks
        if one["StackName"] != stack
        and any(
            each["OutputKey"] == "AppsPath" and each["OutputValue"] == apps_path
            for each in one.get("Outputs", ())
        )
    ]
    if others:
        return failure(
            Check.STACKS,
            f"the stack {', '.join(others)} serves the apps below {apps_path} too, and releases "
            "each push as well",
            "Decide which stack serves the apps, and delete the other one.",
        )
    return ok(Check.STACKS, f"no other stack of this Region serves the apps below {apps_path}")


def concurrency(settings: Mapping[str, Any], apps: int) -> Finding:
    """`settings` is the answer of Lambda's GetAccountSettings."""
    limit = settings["AccountLimit"]
    free, most = limit["UnreservedConcurrentExecutions"], limit["ConcurrentExecutions"]
    if not isinstance(free, int) or not isinstance(most, int):
        return unknown(Check.CONCURRENCY, "Lambda does not say how many functions may run at once")
    needs = apps + _BESIDE_RELEASES
    them = "1 app needs" if apps == 1 else f"{apps} apps need"
    text = f"{free} functions of the account may run at once; {them} {needs}"
    if free < needs:
        return warning(
            Check.CONCURRENCY,
            f"{text}, and releases would be throttled",
            "aws service-quotas request-service-quota-increase --service-code lambda "
            f"--quota-code {_CONCURRENCY_QUOTA} --desired-value {_USUAL_CONCURRENCY}",
        )
    return ok(Check.CONCURRENCY, text)
