"""Switches for behaviour of Lightsail that is unknown or varies (docs/lightsail.md).

The command line, the control endpoint and the settings of one service are generated from the class
`Switches`, so a new switch is one new field.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal, Self, get_args, get_origin, get_type_hints

from pydantic import Field, ValidationError
from pydantic.dataclasses import dataclass

type Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
type AtLeastOne = Annotated[int, Field(ge=1)]

_MOST_LAUNCHES = 200


def _switch(default: object, says: str) -> Any:  # noqa: ANN401 - a dataclass field of any type
    return field(default=default, metadata={"says": says})


class UnknownSwitchError(ValueError):
    """A switch that does not exist, or an invalid value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How the emulated Lightsail behaves. Times are in Lightsail's seconds, see `speed`."""

    speed: Annotated[float, Field(gt=0, allow_inf_nan=False)] = _switch(
        1.0, "how many times faster than Lightsail's the emulator's own durations pass"
    )
    exit_zero: Literal["tolerate", "restart", "fail"] = _switch(
        "restart", "a container that exits 0 is left, launched again, or fails its deployment"
    )
    exit_nonzero: Literal["restart", "fail"] = _switch(
        "restart", "a container that crashes is launched again, or fails its deployment"
    )
    exit_scope: Literal["container", "node"] = _switch(
        "node", "what is launched again after an exit: that container, or its whole node"
    )
    relaunch_limit: AtLeastOne = _switch(
        3, "launches of one node (or container) before a deployment is canceled"
    )
    relaunch_growth: Literal["scale", "none"] = _switch(
        "scale",
        "launches are counted over all nodes, and may be half as many as the scale says where that "
        "is more than relaunch_limit, as in ECS; or relaunch_limit holds for each node alone",
    )
    relaunch_delay: Seconds = _switch(5.0, "pause before something is launched again")
    unhealthy_node: Literal["keep", "relaunch"] = _switch(
        "keep",
        "a node that fails its health check while it is activated is waited for, or replaced",
    )
    unhealthy_active: Literal["keep", "relaunch"] = _switch(
        "relaunch", "the same for a node that was healthy, once the deployment is ACTIVE"
    )
    puller_policy: Literal["allows", "missing", "silent"] = _switch(
        "allows",
        "the policy of the ECR repository lets the service's puller role pull; or it does not, and "
        "the deployment fails as with an image that is not there, or without any line in a log",
    )
    activation_limit: Seconds = _switch(
        900.0, "how long a deployment may be in ACTIVATING before it took too long"
    )
    time_to_ready: Seconds = _switch(120.0, "how long a new service is PENDING")
    time_to_update: Seconds = _switch(60.0, "how long a service is UPDATING besides launching")
    time_to_launch: Seconds = _switch(
        0.0, "how long a new node takes before its containers are launched"
    )
    time_to_pull: Seconds = _switch(
        90.0, "how long a node takes to pull images that its service has not pulled before"
    )
    time_to_active: Seconds = _switch(
        60.0, "how long a steady deployment still takes until it is ACTIVE"
    )
    time_to_fail_exit: Seconds = _switch(
        0.0, "how long a deployment given up after exits still takes to be FAILED"
    )
    time_to_fail_pull: Seconds = _switch(0.0, "the same, where its image could not be pulled")
    time_to_fail_limit: Seconds = _switch(0.0, "the same, where activation_limit was reached")
    settle_time: Seconds = _switch(
        10.0, "how long containers must stay up to be steady, where no health check is made"
    )
    drain_limit: Seconds = _switch(
        300.0, "how long requests in progress may keep an old node alive"
    )
    stop_grace: Seconds = _switch(30.0, "time between TERM and KILL when a container is stopped")
    command_mode: Literal["cmd", "entrypoint"] = _switch(
        "cmd", "a command replaces the image's Cmd, or its Entrypoint as well"
    )
    container_credentials: Literal["role", "none"] = _switch(
        "role",
        "containers find credentials of a role that may do nothing, by the variables of ECS; or "
        "they have neither",
    )
    digest_images: Literal["accept", "refuse"] = _switch(
        "accept", "a private image named by its digest (repository@sha256:...)"
    )
    busy_error_text: Literal["minutes", "wait"] = _switch(
        "minutes",
        "the advice in a refusal while a service is PENDING, UPDATING or DELETING: try again in a "
        "few minutes, or wait for it to complete",
    )
    busy_delete_text: Literal["transition", "busy"] = _switch(
        "transition",
        "a deletion is refused as one in a transition state, or in the words of any refusal of a "
        "service that is busy",
    )
    unknown_members: Literal["ignore", "refuse"] = _switch(
        "ignore", "members of a request that the API does not have"
    )
    unknown_container_log: Literal["empty", "refuse"] = _switch(
        "empty", "GetContainerLog for a container name that never ran"
    )
    system_lines: Literal["every", "first"] = _switch(
        "every", "[deployment:N] lines stand in the log of every container, or of the first only"
    )
    log_lag: Seconds = _switch(120.0, "how long after it was written a line can be read")
    log_page_size: AtLeastOne = _switch(100, "events on one page of GetContainerLog")
    log_overlap: Annotated[int, Field(ge=0)] = _switch(
        0, "events of the page before that a page of the log repeats"
    )
    log_end: Literal["no-token", "same-token"] = _switch(
        "no-token",
        "the last page of a log has no token for the next, or one that gives an empty page and "
        "itself again",
    )
    log_default_window: Seconds = _switch(
        3600.0, "how far back GetContainerLog looks without a start time (not scaled by speed)"
    )
    metric_interval: Annotated[float, Field(ge=1, allow_inf_nan=False)] = _switch(
        300.0, "the time that one point of GetContainerServiceMetricData stands for"
    )
    read_lag: Seconds = _switch(0.0, "how long reads show what was before a deployment was created")
    next_failed_visible: bool = _switch(
        False, "a failed deployment stays visible as nextDeployment instead of vanishing"
    )
    state_detail_at_create: bool = _switch(
        False, "the answer to CreateContainerServiceDeployment has a stateDetail"
    )
    capacity_takes_version: bool = _switch(
        False, "a change of power or scale uses up a deployment version"
    )
    throttle_rate: Annotated[float, Field(ge=0, le=1)] = _switch(
        0.0, "the share of calls, 0 to 1, that are answered with ThrottlingException"
    )

    throttle_text: Literal["account", "rate"] = _switch(
        "account", "the text of these: the account's request rate is exceeded, or any rate is"
    )

    def seconds(self, lightsail_seconds: float) -> float:
        return lightsail_seconds / self.speed

    def launches(self, scale: int) -> int:
        """How many launches may fail over all nodes of a deployment."""
        return min(_MOST_LAUNCHES, max(self.relaunch_limit, math.ceil(scale / 2)))

    def changed(self, changes: Mapping[str, Any]) -> Self:
        if unknown := sorted(changes.keys() - dataclasses.asdict(self).keys()):
            raise UnknownSwitchError(f"{unknown[0]}: there is no such switch")
        try:
            return dataclasses.replace(self, **changes)
        except ValidationError as problem:
            [first, *_] = problem.errors()
            name = first["loc"][0]
            raise UnknownSwitchError(f"{name}: {first['msg']}, not {first['input']!r}") from None


@dataclass(frozen=True, slots=True)
class SwitchDescription:
    name: str
    default: object
    choices: tuple[str, ...] | None
    says: str


def describe_switches() -> list[SwitchDescription]:
    types = get_type_hints(Switches)
    return [
        SwitchDescription(
            each.name, each.default, _choices(types[each.name]), each.metadata["says"]
        )
        for each in dataclasses.fields(Switches)
    ]


def _choices(kind: object) -> tuple[str, ...] | None:
    if get_origin(kind) is Literal:
        return tuple(get_args(kind))
    return ("true", "false") if kind is bool else None
