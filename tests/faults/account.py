"""An AWS account in this process: moto and the Lightsail emulator, behind the wire."""

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from cryptography.hazmat.primitives.asymmetric import rsa
from moto import mock_aws
from moto.rds.models import DBSnapshot, RDSBackend
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from tests.component.cloud import Blobs
from tests.component.lightsail_service import Course, LightsailService
from tests.faults.clock import VirtualClock
from tests.faults.site import SERVER, Site
from tests.faults.wire import Call, Wire, response

REGION = "us-east-1"
ACCOUNT = "123456789012"
INSTANCE = "crops-db"
_CONFIG: Any = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}


class Account:
    """The account, with a database whose snapshots take `snapshot_takes`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.clock = VirtualClock()
        self.blobs = Blobs()
        self.lightsail = LightsailService(self.clock.now)
        # A deployment ends as its gate does.
        self.lightsail.next_course = lambda: Course(ends=None)  # type: ignore[method-assign]
        self.snapshot_takes = timedelta(seconds=55)
        self._available: dict[str, datetime] = {}
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        patch.setenv("POWERTOOLS_TRACE_DISABLED", "1")
        patch.setattr("moto.sns.models.Subscription.private_key", lambda _self: _signing_key())
        patch.setattr(ExecutionWorker, "start", lambda _: None)
        # Nobody looks at it, and it takes a tenth of the time.
        patch.setattr("botocore.useragent.UserAgentString.to_string", lambda _: "of-the-tests")
        mock_aws(config=_CONFIG).start()
        self.wire = Wire(self.clock, self._answer)
        self._slow_snapshots(patch)
        self._one_thread(patch)
        self.client("rds").create_db_instance(
            DBInstanceIdentifier=INSTANCE,
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="crops",
            MasterUserPassword="of-the-tests",
        )

    def client(self, service: str) -> Any:
        return _client(service)

    def add_service(self, name: str, does_well: Callable[[], bool]) -> None:
        """A service whose app answers well while `does_well` says so."""
        self.lightsail.add(name)
        self.lightsail.services[name].public_url = Site(does_well)  # type: ignore[assignment]

    def snapshots(self) -> list[str]:
        """The names of the manual snapshots."""
        found = self.client("rds").describe_db_snapshots(SnapshotType="manual")
        return [each["DBSnapshotIdentifier"] for each in found["DBSnapshots"]]

    def _answer(self, call: Call) -> AWSResponse | None:
        if call.service == "lightsail":
            return self.lightsail.answer(call.request)
        if call.name == "ecr.GetDownloadUrlForLayer":
            body = call.request.body
            text = body.decode() if isinstance(body, bytes) else body
            status, answer = self.blobs.answer({"body": text})
            return response(call, status.status_code, json.dumps(answer).encode())
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

    def _slow_snapshots(self, patch: pytest.MonkeyPatch) -> None:
        create, describe = RDSBackend.create_db_snapshot, RDSBackend.describe_db_snapshots

        def create_slowly(backend: RDSBackend, *args: Any, **kw: Any) -> DBSnapshot:
            snapshot = create(backend, *args, **kw)
            snapshot.created = self.clock.now()
            self._available[snapshot.db_snapshot_identifier] = (
                self.clock.now() + self.snapshot_takes
            )
            self._show(snapshot)
            return snapshot

        def describe_now(backend: RDSBackend, *args: Any, **kw: Any) -> list[DBSnapshot]:
            found = describe(backend, *args, **kw)
            for snapshot in found:
                self._show(snapshot)
            return found

        patch.setattr(RDSBackend, "create_db_snapshot", create_slowly)
        patch.setattr(RDSBackend, "describe_db_snapshots", describe_now)

    def _show(self, snapshot: DBSnapshot) -> None:
        available = self._available.get(snapshot.db_snapshot_identifier)
        if available is not None:
            snapshot.status = "available" if available <= self.clock.now() else "creating"


@cache
def _client(service: str) -> Any:
    untyped: Any = boto3
    return untyped.client(service)


@cache
def _signing_key() -> rsa.RSAPrivateKey:
    """One key for all topics: making one takes longer than a release."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
