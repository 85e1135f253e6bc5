"""The stages of a release, from the history of its execution."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

# A stage includes the waits between its polls.
_STAGES = {
    "Admit": "Admit",
    "TakeSnapshot": "TakeSnapshot",
    "WaitForInstance": "TakeSnapshot",
    "WaitForSnapshot": "TakeSnapshot",
    "CheckSnapshot": "TakeSnapshot",
    "Deploy": "Deploy",
    "WaitForService": "Deploy",
    "WaitForDeployment": "CheckDeployment",
    "CheckDeployment": "CheckDeployment",
    "VerifyRelease": "VerifyRelease",
    "WaitForAnswers": "VerifyRelease",
    "RollBack": "RollBack",
    "WaitForRollback": "RollBack",
    "Settle": "Settle",
    "PublishOutcome": "PublishOutcome",
    "MarkMessageSent": "PublishOutcome",
    "PublishUnsettled": "PublishOutcome",
    "PruneSnapshots": "PruneSnapshots",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`ended` is None while the stage is in progress."""

    name: str
    began: datetime
    ended: datetime | None

    @property
    def seconds(self) -> float:
        return (self.ended - self.began).total_seconds() if self.ended else 0.0


def stages(history: Iterable[Mapping[str, Any]]) -> list[Stage]:
    """The stages in order. A state without a stage of its own belongs to the previous stage."""
    found: list[Stage] = []
    for event in history:
        if event["type"].endswith("StateEntered"):
            name = _STAGES.get(event["stateEnteredEventDetails"]["name"])
        elif event["type"].startswith("Execution") and event["type"] != "ExecutionStarted":
            name = ""
        else:
            continue
        last = found[-1] if found and found[-1].ended is None else None
        if name is None or (last and last.name == name):
            continue
        if last:
            found[-1] = replace(last, ended=event["timestamp"])
        if name:
            found.append(Stage(name=name, began=event["timestamp"], ended=None))
    return found
