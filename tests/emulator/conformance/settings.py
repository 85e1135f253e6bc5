"""The settings of the emulator's switches that the conformance tests run under."""

from collections.abc import Sequence
from typing import Any

import pytest

from local.lightsail.switches import SwitchDescription, describe_switches

DEFAULT: dict[str, object] = {}
UNLIKE: dict[str, object] = {
    "exit_zero": "tolerate",
    "exit_nonzero": "fail",
    "read_lag": 30,
    "next_failed_visible": True,
    "state_detail_at_create": True,
    "system_lines": "first",
    "command_mode": "entrypoint",
    "capacity_takes_version": True,
    "exit_scope": "container",
    "unknown_members": "refuse",
    "unknown_container_log": "refuse",
    "digest_images": "refuse",
    "throttle_rate": 0.1,
    "throttle_text": "rate",
    "unhealthy_active": "keep",
    "relaunch_growth": "none",
    "container_credentials": "none",
    "busy_delete_text": "busy",
    "log_end": "same-token",
    "log_page_size": 2,
    "log_lag": 20,
    "relaunch_limit": 1,
}
"""Everything that can differ from the default without a rule being another, at once."""
_NUMBERS: dict[str, tuple[float, ...]] = {
    "speed": (20, 400),
    "relaunch_limit": (1, 6),
    "relaunch_delay": (0, 30),
    "activation_limit": (1500,),
    "time_to_ready": (20, 120),
    "time_to_update": (20, 60),
    "time_to_launch": (60,),
    "time_to_pull": (90,),
    "time_to_active": (20, 150),
    "time_to_fail_exit": (0, 60),
    "time_to_fail_pull": (0, 60),
    "time_to_fail_limit": (0, 60),
    "settle_time": (0, 60),
    "drain_limit": (0, 300),
    "stop_grace": (0, 60),
    "log_lag": (0, 120),
    "log_page_size": (1, 1000),
    "log_overlap": (3,),
    "log_default_window": (600, 86_400),
    "metric_interval": (60, 3600),
    "read_lag": (0, 60),
    "throttle_rate": (0.05, 0.2),
}
"""Of each switch that is a number, values below and above its default, where both make sense."""
# Under these no deployment can succeed.
_OTHER_RULES = (("puller_policy", "missing"), ("puller_policy", "silent"))
# Which value a switch has in each of four settings, by how many values it has. Two switches with
# two values meet in every combination, unless they have the same order.
_ORDERS: dict[int, Sequence[Sequence[int]]] = {
    1: [(0, 0, 0, 0)],
    2: [(0, 1, 0, 1), (0, 0, 1, 1), (0, 1, 1, 0)],
    3: [(0, 1, 2, 0)],
}
# With another speed every time is another, and a page has to be larger than its overlap.
_ALONE = ("speed", "log_overlap")


def settings() -> list[Any]:
    """Return the default for the normal run. The slow one has every value of each switch."""
    many = {"unlike": UNLIKE}
    many |= {f"{name}={value}": {name: value} for name in _ALONE for value in _NUMBERS[name]}
    many |= {f"mixed {row}": _mixed(row) for row in range(4)}
    return [
        pytest.param(DEFAULT, id="default"),
        *(pytest.param(setting, id=name, marks=pytest.mark.slow) for name, setting in many.items()),
    ]


def _mixed(row: int) -> dict[str, object]:
    """Return a setting with a value for every switch."""
    switches = [each for each in describe_switches() if each.name not in _ALONE]
    chosen: dict[str, object] = {}
    for number, switch in enumerate(switches):
        values = _values(switch)
        orders = _ORDERS[len(values)]
        chosen[switch.name] = values[orders[number % len(orders)][row]]
    return chosen


def _values(switch: SwitchDescription) -> Sequence[object]:
    found = switch.choices or _NUMBERS[switch.name]
    return [value for value in found if (switch.name, value) not in _OTHER_RULES]
