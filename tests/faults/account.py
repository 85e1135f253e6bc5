"""An AWS account in this process: moto and the Lightsail emulator, behind the wire."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from urllib.parse import parse_qsl

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from local.cloud import aws_rules
from local.lightsail.switches import Switches
from tests.component.cloud import (
    REGION,
    Blobs,
    refused_snapshot,
    shared_client,
    skip_formalities,
)
from tests.component.lightsail_service import Course, LightsailService
from tests.component.rds_instance import Instance, create_instance
from tests.faults.clock import VirtualClock
from tests.faults.site import SERVER, Site
from tests.faults.wire import Call, Wire, refusal, response
from tests.support.rights.recorder import Recorder

INSTANCE = "crops-db"
_CONFIG: Any = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}


class Account:
    """The account, with a database whose snapshots take a minute."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.clock = VirtualClock()
        self.blobs = Blobs()
        # Whether what gates write into the bucket gets there; they can read in any case.
        self.letters_arrive = True
        self.lightsail = LightsailService(self.clock.now)
        # Whether the service answers nobody now, so the gates neither.
        self.is_out: Callable[[str], bool] = lambda _: False
        # A crash is the end: nothing that goes on for long, where it is not what is looked at.
        self.lightsail.switches = Switches(log_lag=0, exit_nonzero="fail", unhealthy_active="keep")
        # A deployment ends as its gate does.
        self.lightsail.next_course = lambda: Course(ends=None)  # type: ignore[method-assign]
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        patch.setenv("POWERTOOLS_TRACE_DISABLED", "1")
        patch.setattr(ExecutionWorker, "start", lambda _: None)
        skip_formalities(patch)
        mock_aws(config=_CONFIG).start()
        self.wire = Wire(self.clock, self._answer)
        self.rights = _recorder(self.wire)
        self._one_thread(patch)
        self.database = Instance(self, INSTANCE, patch)
        self.database.snapshot_takes = timedelta(seconds=55)

    def client(self, service: str) -> Any:
        return shared_client(service)

    def add_service(self, name: str, does_well: Callable[[], bool]) -> None:
        """A service whose app answers well while `does_well` says so."""
        self.lightsail.add(name)
        self.lightsail.services[name].load_balancer = Site(does_well)  # type: ignore[assignment]

    def add_database(self, name: str) -> None:
        """Its snapshots take as long as those of the first one."""
        create_instance(self.client("rds"), name)

    def snapshots(self) -> list[str]:
        """The names of the manual snapshots."""
        pages = self.client("rds").get_paginator("describe_db_snapshots")
        found = [s for p in pages.paginate(SnapshotType="manual") for s in p["DBSnapshots"]]
        return [each["DBSnapshotIdentifier"] for each in found]

    def _answer(self, call: Call) -> AWSResponse | None:
        if call.service == "lightsail":
            target: Any = call.request.headers["X-Amz-Target"]
            text = target.decode() if isinstance(target, bytes) else target
            written = {"headers": {"X-Amz-Target": text}, "body": call.request.body}
            status, _, answer = self.lightsail.answer({**written, "url": call.request.url})
            return response(call, status, answer)
        if call.name == "ecr.GetDownloadUrlForLayer":
            body = call.request.body
            text = body.decode() if isinstance(body, bytes) else body
            http, blob = self.blobs.answer({"body": text})
            if error := blob.get("Error"):
                return refusal(call, 400, error["Code"], error["Message"])
            return response(call, http.status_code, json.dumps(blob).encode())
        if call.service == "rds" and call.operation in aws_rules.SNAPSHOTS:
            return _refused_snapshot(call)
        return None

    def _one_thread(self, patch: pytest.MonkeyPatch) -> None:
        """Let a function do all its work in the thread that runs it: only that one can fork."""
        start, join = threading.Thread.start, threading.Thread.join
        done = set[threading.Thread]()

        def start_here(thread: threading.Thread) -> None:
            if self.wire.caller is None or thread.name == SERVER:
                start(thread)
            else:
                done.add(thread)
                thread.run()

        def join_here(thread: threading.Thread, timeout: float | None = None) -> None:
            if thread not in done:
                join(thread, timeout)

        patch.setattr(threading.Thread, "start", start_here)
        patch.setattr(threading.Thread, "join", join_here)


def _recorder(wire: Wire) -> Recorder:
    """Of all clients that are made from now on."""

    def caller() -> str | None:
        is_state = wire.caller is not None and not wire.caller.endswith("Function")
        return "ReleaseStateMachine" if is_state else wire.caller

    recorder, untyped = Recorder(caller), cast("Any", boto3)
    untyped.setup_default_session()
    untyped.DEFAULT_SESSION.events.register("before-parameter-build", recorder.see)
    return recorder


def _refused_snapshot(call: Call) -> AWSResponse | None:
    body: Any = call.request.body
    form = dict(parse_qsl(body.decode() if isinstance(body, bytes) else str(body)))
    refusal = refused_snapshot(call.operation, form)
    return response(call, refusal.status, refusal.body()) if refusal else None
