"""Between botocore and AWS: every request passes here, and every fault enters here.

A request is answered by moto, or by the Lightsail emulator, as HTTP. So is a fault: whatever
botocore makes of it, its own retries included, is what happens in a Lambda function, too.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

from tests.faults.clock import VirtualClock

type Answer = Callable[[], AWSResponse]
type Fault = Callable[["Call", Answer], AWSResponse]

_MAY_HAVE_SECRETS = ("lightsail.CreateContainerServiceDeployment",)


class Killed(BaseException):
    """The function ends here. No code of ours can catch this, as with Lambda."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request to AWS. `caller` is the function or the state that makes it."""

    caller: str
    service: str
    operation: str
    request: AWSPreparedRequest

    @property
    def name(self) -> str:
        return f"{self.service}.{self.operation}"


class Wire:
    """`caller` is who runs now; calls of nobody, which are the harness's own, meet no fault.

    `trouble` is there beside the one `fault` that strikes a run, as part of the run itself.
    `leaked` are the words of `secret` that were sent to anybody but the service they are for.
    """

    def __init__(
        self, clock: VirtualClock, answer_instead: Callable[[Call], AWSResponse | None]
    ) -> None:
        self._clock = clock
        self.caller: str | None = None
        self.before: Callable[[Call], None] = lambda _: None
        self.fault: Fault | None = None
        self.trouble: Fault | None = None
        self.secret: Sequence[str] = ()
        self.leaked: set[str] = set()
        self._instead = answer_instead
        self._original = BotocoreStubber.__call__
        wire = self

        def stub(
            stubber: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **_: Any
        ) -> Any:
            return wire._send(stubber, event_name, request)

        BotocoreStubber.__call__ = stub  # type: ignore[method-assign, assignment]

    @contextmanager
    def of_nobody(self) -> Iterator[None]:
        """Let calls meet no fault, also while a function sleeps."""
        caller, self.caller = self.caller, None
        try:
            yield
        finally:
            self.caller = caller

    def _send(
        self, stubber: BotocoreStubber, event_name: str, request: AWSPreparedRequest
    ) -> AWSResponse:
        _, service, operation = event_name.split(".")

        def answer_of_service() -> AWSResponse:
            found = self._instead(call) or self._original(stubber, event_name, request)
            assert found is not None, f"{call.name} goes to nobody"
            return found

        def answer() -> AWSResponse:
            return self.trouble(call, answer_of_service) if self.trouble else answer_of_service()

        call = Call(caller=self.caller or "", service=service, operation=operation, request=request)
        if self.caller is None:
            return answer_of_service()
        with self._clock.of_services():
            self._clock.call()
            self._look_for_secrets(call)
            self.before(call)
            return self.fault(call, answer) if self.fault else answer()

    def _look_for_secrets(self, call: Call) -> None:
        if call.name not in _MAY_HAVE_SECRETS:
            body = call.request.body or b""
            sent = body if isinstance(body, bytes) else str(body).encode()
            sent += str(call.request.url).encode()
            self.leaked |= {word for word in self.secret if word.encode() in sent}


def refusal(call: Call, status: int, code: str, message: str) -> AWSResponse:
    """An error as the service would put it."""
    if call.service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    elif call.service in _QUERY:
        body = (
            "<ErrorResponse><Error><Type>Sender</Type>"
            f"<Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        )
    else:
        body = json.dumps({"__type": code, "message": message})
    return response(call, status, body.encode())


_QUERY = ("rds", "sts", "sns", "sqs")


def response(call: Call, status: int, body: bytes) -> AWSResponse:
    xml = call.service == "s3" or call.service in _QUERY
    kind = "text/xml" if xml else "application/x-amz-json-1.1"
    raw: Any = MockRawResponse(body)
    headers: Any = {"Content-Type": kind}
    return AWSResponse(call.request.url, status, headers, raw)


def unreached(call: Call) -> ConnectTimeoutError:
    return ConnectTimeoutError(endpoint_url=call.request.url)


def unanswered(call: Call) -> ReadTimeoutError:
    return ReadTimeoutError(endpoint_url=call.request.url)
