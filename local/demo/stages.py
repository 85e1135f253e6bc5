"""The stages of a release, as people count them, from the history of its execution."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# A stage goes on while the state machine waits and looks again.
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
    for name, at in _entries(history):
        if found and found[-1].ended is None:
            if name == found[-1].name:
                continue
            found[-1] = Stage(name=found[-1].name, began=found[-1].began, ended=at)
        if name:
            found.append(Stage(name=name, began=at, ended=None))
    return found


def _entries(history: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, datetime]]:
    """The stage of each state and the time at which it began, then an empty name at the end."""
    for event in history:
        if event["type"].endswith("StateEntered"):
            stage = _STAGES.get(event["stateEnteredEventDetails"]["name"])
            if stage is not None:
                yield stage, event["timestamp"]
        elif event["type"].startswith("Execution") and event["type"] != "ExecutionStarted":
            yield "", event["timestamp"]
