"""Tracing switched on, as on Lambda, with an emitter that keeps what it gets."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aws_xray_sdk
import botocore.client
import botocore.endpoint
import pytest
from aws_lambda_powertools import Tracer
from aws_xray_sdk import global_sdk_config
from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.core.lambda_launcher import LambdaContext
from aws_xray_sdk.core.patcher import _PATCHED_MODULES

from lightgate import runtime

_HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=557abcec3ee5a047;Sampled=1"


class Traces:
    """Everything that was sent to X-Ray."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_entity(self, entity: Any) -> None:
        self.sent.append(json.loads(entity.serialize()))

    def set_daemon_address(self, address: str) -> None:
        """Nothing is sent anywhere."""

    @property
    def text(self) -> str:
        return json.dumps(self.sent, ensure_ascii=False)


@contextmanager
def tracing(patch: pytest.MonkeyPatch) -> Iterator[Traces]:
    """Tracing for all functions that are called from now on. It patches botocore anew."""
    patch.setenv("POWERTOOLS_TRACE_DISABLED", "false")
    patch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    patch.setenv("_X_AMZN_TRACE_ID", _HEADER)
    # The SDK replaces these for the life of the process; so they are put back afterwards.
    patch.setattr(
        botocore.client.BaseClient, "_make_api_call", botocore.client.BaseClient._make_api_call
    )
    patch.setattr(
        botocore.endpoint.Endpoint, "prepare_request", botocore.endpoint.Endpoint.prepare_request
    )
    before = (xray_recorder.emitter, xray_recorder.context, global_sdk_config.sdk_enabled())
    traces = Traces()
    xray_recorder.configure(context=LambdaContext(), emitter=traces)
    global_sdk_config.set_sdk_enabled(True)
    Tracer._reset_config()
    runtime._runtime.cache_clear()
    try:
        yield traces
    finally:
        xray_recorder.emitter, xray_recorder.context, is_enabled = before
        global_sdk_config.set_sdk_enabled(is_enabled)
        _PATCHED_MODULES.discard("botocore")
        vars(botocore.client).pop("_xray_enabled", None)
        Tracer._reset_config()
        runtime._runtime.cache_clear()
        assert aws_xray_sdk.global_sdk_config.sdk_enabled() is is_enabled
