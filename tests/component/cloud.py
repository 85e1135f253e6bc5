"""An AWS account in this process: moto, and what moto lacks at the border to our clients."""

import base64
import json
from collections import defaultdict, deque
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ReadTimeoutError
from botocore.model import OperationModel
from botocore.signers import RequestSigner
from botocore.useragent import UserAgentString
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.core.utils import method_names_from_class
from moto.rds.models import rds_backends
from moto.s3.models import s3_backends

from local.cloud import aws_rules
from tests.component.clock import Clock
from tests.component.lightsail_service import LightsailService

REGION = "us-east-1"
ACCOUNT = "123456789012"

CONFIG: Any = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}


class Faults:
    """What goes wrong between a client and AWS, past the client's own retries."""

    def __init__(self) -> None:
        self._errors: dict[str, deque[tuple[str, str]]] = defaultdict(deque)
        self._lost: dict[str, int] = defaultdict(int)
        self._changes: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._outages: list[tuple[str, str, Callable[[], bool]]] = []
        self._watches: list[Callable[[str], None]] = []

    def refuse(self, call: str, code: str, message: str = "refused", *, times: int = 1) -> None:
        """Answer the next calls, named like `rds.CreateDBSnapshot`, with an error."""
        self._errors[call].extend([(code, message)] * times)

    def forgive(self, call: str) -> None:
        """Answer the next calls as if nothing had been refused."""
        self._errors[call].clear()

    def lose_answer(self, call: str) -> None:
        """Let the next call take effect and its answer never arrive."""
        self._lost[call] += 1

    def change_answers(self, call: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Let the answers to all such calls be others."""
        self._changes[call] = change

    def answer_again(self, call: str) -> None:
        """Let the answers to all such calls be what they are."""
        del self._changes[call]

    def watch(self, see: Callable[[str], None]) -> None:
        """Show every call just before it is made, until it is asked to show none."""
        self._watches.append(see)

    def watch_no_more(self) -> None:
        self._watches.clear()

    def break_down(self, service: str, code: str, is_down: Callable[[], bool]) -> None:
        """Answer every call to the service with an error while it is down."""
        self._outages.append((service, code, is_down))

    def before_call(
        self, model: OperationModel, **_: Any
    ) -> tuple[SimpleNamespace, dict[str, Any]] | None:
        for see in list(self._watches):
            see(_name(model))
        for service, code, is_down in self._outages:
            if service == _service(model) and is_down():
                return _error(code, "the service is down")
        errors = self._errors[_name(model)]
        return _error(*errors.popleft()) if errors else None

    def after_call(self, model: OperationModel, parsed: dict[str, Any], **_: Any) -> None:
        if change := self._changes.get(_name(model)):
            change(parsed)
        if self._lost[_name(model)]:
            self._lost[_name(model)] -= 1
            raise ReadTimeoutError(endpoint_url=f"https://{_name(model)}")


def _service(model: OperationModel) -> str:
    return str(model.service_model.service_name)


def _name(model: OperationModel) -> str:
    return f"{_service(model)}.{model.name}"


def _error(code: str, message: str, status: int = 400) -> tuple[SimpleNamespace, dict[str, Any]]:
    metadata = {"HTTPStatusCode": status, "RequestId": "of-the-tests"}
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return SimpleNamespace(status_code=status), answer


class Blobs:
    """The blobs of the registry. A download URL carries its blob: nothing has to listen."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._url: str | None = None

    def add(self, digest: str, blob: bytes) -> None:
        self._blobs[digest] = blob

    def move_to(self, url: str) -> None:
        """From now on, send everybody to this address."""
        self._url = url

    def answer(self, params: dict[str, Any], **_: Any) -> tuple[SimpleNamespace, dict[str, Any]]:
        """Answer GetDownloadUrlForLayer, which moto does not have."""
        digest = json.loads(params["body"])["layerDigest"]
        if digest not in self._blobs:
            return _error("LayersNotFoundException", f"no layer {digest}")
        encoded = base64.b64encode(self._blobs[digest]).decode()
        url = f"data:application/octet-stream;base64,{encoded}"
        answer = {"downloadUrl": self._url or url, "layerDigest": digest}
        return SimpleNamespace(status_code=200), answer


class Cloud:
    """The account of one test."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.faults = Faults()
        self.blobs = Blobs()
        self.lightsail = LightsailService(clock.now)
        # Sees every call with its parameters, as botocore tells of it.
        self.see: Callable[..., None] = lambda **_: None

    def client(self, service: str) -> Any:
        return shared_client(service)


class _Border:
    """Hooks in the session that all tests share, as making a client takes longer than a call."""

    def __init__(self) -> None:
        self.cloud: Cloud
        self.session = botocore.session.get_session()
        self.session.register("before-parameter-build", lambda **call: self.cloud.see(**call))
        self.session.register("before-call", lambda **call: self.cloud.faults.before_call(**call))
        for action in aws_rules.SNAPSHOTS:
            self.session.register(f"before-call.rds.{action}", self._strict_snapshot)
        self.session.register("after-call", lambda **call: self.cloud.faults.after_call(**call))
        self.session.register(
            "before-call.ecr.GetDownloadUrlForLayer",
            lambda **call: self.cloud.blobs.answer(**call),
        )
        self.session.register("before-call.s3.GetObject", self._missing_object)
        # One for all tests: each one more would add boto3's own hooks again.
        self.default = boto3.Session(botocore_session=self.session)

    def _strict_snapshot(
        self, model: OperationModel, params: dict[str, Any], **_: Any
    ) -> tuple[SimpleNamespace, dict[str, Any]] | None:
        """Refuse what moto takes and RDS does not, unless the call fails anyway."""
        if (fault := self.cloud.faults.before_call(model)) is not None:
            return fault
        refusal = refused_snapshot(model.name, params["body"])
        return _error(refusal.code, refusal.message) if refusal else None

    def _missing_object(
        self, model: OperationModel, params: dict[str, Any], **_: Any
    ) -> tuple[SimpleNamespace, dict[str, Any]] | None:
        """The answer of moto if there is no such object, which is the most frequent answer."""
        wanted = params["context"]["input_params"]
        bucket = s3_backends[ACCOUNT]["aws"].buckets.get(wanted["Bucket"])
        if bucket is None or wanted["Key"] in bucket.keys:
            return None
        missing = _error("NoSuchKey", "The specified key does not exist.", 404)
        return self.cloud.faults.before_call(model=model, params=params) or missing


def refused_snapshot(operation: str, form: dict[str, str]) -> aws_rules.Refusal | None:
    """RDS accepts no snapshot of a database in a wrong state; moto does."""
    backend, of_cluster = rds_backends[ACCOUNT][REGION], operation == "CreateDBClusterSnapshot"
    databases: Any = backend.clusters if of_cluster else backend.databases
    found = databases.get(form[aws_rules.SNAPSHOTS[operation].database])
    return aws_rules.snapshot(
        form,
        None if found is None else str(found.status),
        None if of_cluster or found is None else found.db_cluster_identifier,
    )


border = cache(_Border)


@cache
def shared_client(service: str) -> Any:
    untyped: Any = boto3
    return untyped.client(service)


def skip_formalities(patch: pytest.MonkeyPatch) -> None:
    """Leave out of each call what nobody looks at: it takes a quarter of the tests' time."""
    patch.setattr(UserAgentString, "to_string", lambda _: "of-the-tests")
    patch.setattr(RequestSigner, "handler", _sign_shortly)
    patch.setattr("moto.core.responses.method_names_from_class", _method_names)
    patch.setattr("moto.sns.models.Subscription.private_key", lambda _self: _signing_key())


_sign = RequestSigner.handler
_method_names = cache(method_names_from_class)


def _sign_shortly(signer: RequestSigner, request: AWSPreparedRequest, **details: Any) -> None:
    """A signature that tells the region and the service, as moto needs them."""
    if signer.signing_name == "s3":  # The body is signed, too.
        _sign(signer, request=request, **details)
        return
    scope = f"20260302/{signer.region_name}/{signer.signing_name}/aws4_request"
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential=of-the-tests/{scope}"


@cache
def _signing_key() -> rsa.RSAPrivateKey:
    """One key for all topics: making one takes longer than a release."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
