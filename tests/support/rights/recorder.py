"""Records which rights the functions use while tests run, and which they would need and lack."""

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import yaml
from botocore.model import OperationModel

from tests.support.rights.calls import needs
from tests.support.rights.exceptions import reason
from tests.support.rights.grants import STACK, Grant, Need, grants
from tests.support.rights.tags import exists, tags_of

TABLE = Path(__file__).with_name("used.yaml")
REWRITES = "REWRITE_GOLDEN"

# The rights that this process has seen in use, by function.
USED: dict[str, set[str]] = defaultdict(set)


class Recorder:
    """Sees every call that botocore prepares.

    `caller` is the logical id of the function that runs now, None if none does. `problems` are
    rights that a call needs and that the function lacks, and those that the table lacks.
    """

    def __init__(self, caller: Callable[[], str | None]) -> None:
        self._caller = caller
        self._known = known()
        self.problems: list[str] = []

    def see(
        self, params: Mapping[str, Any], model: OperationModel, context: Mapping[str, Any], **_: Any
    ) -> None:
        """For botocore's event `before-parameter-build`."""
        caller = self._caller()
        # A presigned address is used with the rights of the session that signs it.
        if caller is None or context.get("is_presign_request"):
            return
        # The rights are those of the tests' own stack.
        if os.environ.get("LIGHTGATE_STACK", STACK) != STACK:
            return
        # What a test does while a function waits is not a call of the function.
        if caller.endswith("Function") and not _is_of_function():
            return
        for need in needs(model.service_model.service_name, model.name, params):
            self._judge(caller, need)

    def _judge(self, caller: str, need: Need) -> None:
        found = [one for one in grants()[caller] if one.action == need.action]
        used = next((one for one in found if _allows(one, need)), None)
        # One that does not exist has no tag to ask for, and nothing to read.
        if used is None and found and not exists(need.resource):
            return
        if used is None:
            self._add(f"{caller} calls {need.action} on {need.resource} without the right to")
            return
        if reason(caller, used.text) is not None:
            return
        USED[caller].add(used.text)
        if used.text not in self._known.get(caller, ()) and REWRITES not in os.environ:
            self._add(
                f"{TABLE.name} lacks {used.text!r} of {caller}: "
                f"run {REWRITES}=1 make test ONLY=workflow"
            )

    def _add(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _is_of_function() -> bool:
    """Whether the adapters of Lightgate make the call, and not a test in the midst of one."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if "/lightgate/aws/" in file:
            return True
        if "/tests/workflow/" in file:
            return False
        frame = frame.f_back
    return False


def known() -> Mapping[str, frozenset[str]]:
    """The table: the rights that the functions use, by function."""
    document = yaml.safe_load(TABLE.read_text()) if TABLE.exists() else {}
    return {function: frozenset(rights) for function, rights in document.items()}


def write(used: Mapping[str, Collection[str]]) -> None:
    """Write the table anew."""
    document = {function: sorted(used[function]) for function in sorted(used)}
    head = (
        "# Written by a whole `REWRITE_GOLDEN=1 make test`: the rights that each function uses.\n"
    )
    TABLE.write_text(head + yaml.safe_dump(document, width=120))


def _allows(grant: Grant, need: Need) -> bool:
    if not grant.has_condition:
        return grant.allows(need)
    tagged = Need(
        action=need.action,
        resource=need.resource,
        request_tags=need.request_tags,
        resource_tags=tags_of(need.resource),
    )
    return grant.allows(tagged)
