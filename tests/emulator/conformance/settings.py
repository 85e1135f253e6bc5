"""The settings of the emulator's switches that the conformance tests run under."""

from typing import Any

import pytest

from local.lightsail.switches import describe_switches

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


def settings() -> list[Any]:
    """Return the default for the normal run, and every setting for the slow one."""
    every = [
        pytest.param({switch.name: value}, id=f"{switch.name}={value}", marks=pytest.mark.slow)
        for switch in describe_switches()
        for value in switch.choices or _NUMBERS[switch.name]
        if (switch.name, value) not in _OTHER_RULES
    ]
    default = pytest.param(DEFAULT, id="default")
    return [default, pytest.param(UNLIKE, id="unlike", marks=pytest.mark.slow), *every]
