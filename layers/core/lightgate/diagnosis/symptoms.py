"""What is known of a release that failed, and what follows: its diagnosis."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightgate.deployment.status import Endpoint
from lightgate.diagnosis.app_log import AppLog
from lightgate.diagnosis.failure_class import FailureClass
from lightgate.diagnosis.gate_waits import Wait
from lightgate.diagnosis.log_search import LogWindow, log_command
from lightgate.diagnosis.puller import Puller
from lightgate.errors import RefusalCode
from lightgate.gate.gate_report import GateReport
from lightgate.migrations.permit import Permit, VoidCause
from lightgate.release.lightgate_command import how_to_start


class Remedy(enum.Enum):
    """What has to change before another attempt: it decides how that is started."""

    IMAGE = "the image"
    SAME_IMAGE = "the spec, a secret, the database or the service"
    EITHER = "either of these"


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptoms:
    """All that a diagnosis rests on.

    `may_have_changed` says that a gate has changed a database, or may have. `gates` are the
    containers that others wait for. `logs` has each container of the deployment,
    None where its log was not read. `endpoint` is None for a service without one, `puller` where
    nobody has looked. `error` is what stopped a release that has no deployment, or kept a step
    from going on, and `refusal` what kind of refusal that is, if it is one. `watch` is what failed
    last in the watch period. `no_permit` is the permit of a gate that was withdrawn from it, and
    `refusal_cause` why a gate had to be refused. `is_disabled` is about the service. `unread` names
    what could not be looked at. `rollback_to` and `command` are what a person asked for. `window`
    is the time of the deployment, None without one.
    """

    app: str
    execution: str
    service: str
    repository: str
    digest: str | None
    rollback_to: int | None = None
    command: Sequence[str] | None = None
    evidence: GateReport
    may_have_changed: bool = False
    gates: Sequence[str] = ()
    wait: Wait | None = None
    logs: Mapping[str, AppLog | None]
    nodes: int = 1
    endpoint: Endpoint | None = None
    puller: Puller | None = None
    error: str | None = None
    refusal: RefusalCode | None = None
    watch: str | None = None
    no_permit: Permit | None = None
    refusal_cause: VoidCause | None = None
    is_disabled: bool = False
    unread: Sequence[str] = ()
    window: LogWindow | None = None

    @property
    def system_lines(self) -> Sequence[str]:
        """The lines of Lightsail itself, which may be in the log of any container, or of each."""
        said = [log.system for log in self.logs.values() if log is not None]
        return max(said, key=len, default=())

    def log_command(self, container: str, *evidence: str) -> str | None:
        """The command that prints the lines of the evidence; None without a deployment.

        Without any words of these lines it prints the whole log of the release.
        """
        if self.window is None:
            return None
        log = self.logs.get(container)
        known = log.phrases if log is not None else {}
        found = (known.get(line) or _longest_in(line, known.values()) for line in evidence)
        return log_command(self.service, container, self.window, [one for one in found if one])

    @property
    def start_again(self) -> str:
        """The command that starts the same release again."""
        return how_to_start(self.execution, self._input)

    def then(self, action: str, remedy: Remedy | None) -> str:
        """The action, and how to start the next attempt; without a remedy the action alone.

        `action` is an order without a full stop.
        """
        is_image = self.rollback_to is None and self.command is None
        match remedy:
            case None:
                return f"{action}."
            case Remedy.IMAGE if self.command is not None:
                return f"{action}. Then push, and run the command again with the new image."
            case Remedy.IMAGE if self.rollback_to is not None:
                return f"{action}. Then push the correction as a new image."
            case Remedy.IMAGE:
                return f"{action}. Then push again."
            case Remedy.EITHER if is_image:
                with_it = "or start the release again if the image stays the same"
                return f"{action}. Then push again, {with_it}: {self.start_again}"
            case _:
                what = "the release" if is_image else "it"
                return f"{action}. Then start {what} again: {self.start_again}"

    @property
    def start_anyway(self) -> str:
        """The command that starts it although it may break the live version."""
        return how_to_start(self.execution, {**self._input, "allowDestructive": True})

    @property
    def _input(self) -> Mapping[str, Any]:
        if self.rollback_to is not None:
            return {"app": self.app, "rollbackTo": self.rollback_to}
        asked = {"digest": self.digest, "command": self.command and list(self.command)}
        return {"app": self.app, **{key: value for key, value in asked.items() if value}}


def _longest_in(text: str, phrases: Iterable[str]) -> str | None:
    return max((one for one in phrases if one in text), key=len, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Why a release failed: `what` is only what is known, and says so where it is a guess.

    `evidence` is the line that shows it, word for word; None without one.
    `next_action` is the one thing to do first.
    """

    kind: FailureClass
    what: str
    evidence: str | None
    next_action: str
