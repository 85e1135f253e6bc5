"""What a Lambda function of Lightgate runs in: settings, adapters, log and metrics.

The only place that reads the environment and the clock. Everything is made on first
use, so that importing a function does nothing and a step loads only the adapters that
it needs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, wraps
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics, Tracer

from lightgate.aws.clients import code_of, make_client
from lightgate.codec import encode
from lightgate.errors import LightgateError, UnexpectedError, raise_alone
from lightgate.image.addresses import RegistryAddress
from lightgate.records.console_links import Console
from lightgate.rehearsal.rehearsal_state import RehearsalState
from lightgate.release.lock_rules import objection
from lightgate.release.request import Home
from lightgate.spec.database_kinds import DatabaseKind
from lightgate.state import STEPS_BY_ANSWER, State, Stop, Usage
from lightgate.tracing import name_in_trace, trace_without_texts

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from lightgate.aws.dynamodb import Table
    from lightgate.aws.dynamodb_locks import Locks
    from lightgate.aws.dynamodb_rehearsals import Rehearsals
    from lightgate.aws.dynamodb_releases import Releases
    from lightgate.aws.dynamodb_services import Services
    from lightgate.aws.dynamodb_tag_checks import TagChecks
    from lightgate.aws.dynamodb_timings import ReleaseTimings
    from lightgate.aws.ecr import Registry
    from lightgate.aws.ecr_pins import Pins
    from lightgate.aws.image_stores import ImageStores
    from lightgate.aws.lightsail import Lightsail
    from lightgate.aws.s3_evidence import EvidenceFiles
    from lightgate.aws.s3_gate_channel import GateChannels
    from lightgate.aws.secretsmanager import Secrets
    from lightgate.aws.sns import Topic
    from lightgate.aws.ssm import AppParameters
    from lightgate.aws.stepfunctions import Executions
    from lightgate.aws.temporary_databases import TemporaryDatabases
    from lightgate.aws.temporary_services import TemporaryServices
    from lightgate.backup.restore_points import RestorePoints
    from lightgate.release.lock import HeldLock
    from lightgate.spec.health_rules import Probe
    from lightgate.verification.health import HttpAnswer

type Json = dict[str, Any]

METRICS_NAMESPACE = "lightgate"
_PACKAGE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What template.yaml tells a function."""

    table: str
    state_machine: str
    topic: str
    apps_path: str
    mailbox_bucket: str
    evidence_bucket: str
    mailbox_role: str
    stack: str
    stack_id: str
    notification_email: str = ""
    record_days: int = 365
    secret_prefix: str = ""
    reconciles: bool = True
    console: Console = field(default_factory=Console)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        return cls(
            stack=environment.get("LIGHTGATE_STACK", ""),
            # A stack that is created anew has its old name and another id.
            stack_id=environment.get("LIGHTGATE_STACK_ID", "unknown"),
            notification_email=environment.get("LIGHTGATE_NOTIFICATION_EMAIL", ""),
            table=environment.get("LIGHTGATE_TABLE", ""),
            state_machine=environment.get("LIGHTGATE_STATE_MACHINE", ""),
            topic=environment.get("LIGHTGATE_TOPIC", ""),
            mailbox_bucket=environment.get("LIGHTGATE_MAILBOX_BUCKET", ""),
            evidence_bucket=environment.get("LIGHTGATE_EVIDENCE_BUCKET", ""),
            record_days=int(environment.get("LIGHTGATE_RECORD_DAYS", "365")),
            mailbox_role=environment.get("LIGHTGATE_MAILBOX_ROLE", ""),
            apps_path=environment.get("LIGHTGATE_APPS_PATH", ""),
            secret_prefix=environment.get("LIGHTGATE_SECRET_PREFIX", ""),
            reconciles=environment.get("LIGHTGATE_RECONCILE_STATE", "ENABLED") == "ENABLED",
            console=Console(
                # Lambda sets it.
                log_group=environment.get("AWS_LAMBDA_LOG_GROUP_NAME"),
                dashboard=environment.get("LIGHTGATE_DASHBOARD"),
            ),
        )


class Runtime:
    """The adapters that the steps use, each made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.logger = Logger(service="lightgate")
        # Of two stacks each has its own metrics, also for apps of the same name.
        self.metrics = Metrics(namespace=METRICS_NAMESPACE, service=settings.stack)
        self.tracer = Tracer(service="lightgate", patch_modules=["botocore"])

    def now(self) -> datetime:
        return datetime.now(UTC)

    @property
    def own_registry(self) -> RegistryAddress | None:
        """The registry of this account and region; None for a step that looks up no image there."""
        return RegistryAddress.of_arn(self.settings.state_machine)

    def objection(self, app: str, held: HeldLock) -> Stop | None:
        """Why the release with this lock must not act any more; None if it may."""
        why_not = objection(self.locks.read(app), held)
        return None if why_not is None else Stop.of(why_not)

    def pause(self, length: timedelta) -> None:
        """Wait within a function."""
        time.sleep(length.total_seconds())

    def ask(self, url: str, probe: Probe) -> HttpAnswer:
        """What the app answers to the probe."""
        from lightgate.aws.http_probe import ask

        return ask(url, probe)

    @cached_property
    def home(self) -> Home:
        """Where this stack is, by its state machine."""
        return Home.of_arn(self.settings.state_machine)

    @cached_property
    def apps(self) -> AppParameters:
        from lightgate.aws.ssm import AppParameters

        return AppParameters(make_client("ssm"), self.settings.apps_path)

    @cached_property
    def evidence(self) -> EvidenceFiles:
        from lightgate.aws.s3_evidence import EvidenceFiles

        return EvidenceFiles(make_client("s3"), self.settings.evidence_bucket)

    @cached_property
    def executions(self) -> Executions:
        from lightgate.aws.stepfunctions import Executions

        return Executions(make_client("stepfunctions"), self.settings.state_machine)

    @cached_property
    def image_stores(self) -> ImageStores:
        from lightgate.aws.image_stores import ImageStores

        # Few attempts, because an image of unknown state is deployed again all the same.
        ecr = make_client("ecr", attempts=2, seconds=5)
        lightsail = make_client("lightsail", attempts=2, seconds=5)
        return ImageStores(ecr, lightsail, self.own_registry)

    @cached_property
    def pins(self) -> Pins:
        from lightgate.aws.ecr_pins import Pins

        return Pins(make_client("ecr"), make_client("lightsail"))

    @cached_property
    def lightsail(self) -> Lightsail:
        from lightgate.aws.lightsail import Lightsail

        create_client = make_client("lightsail", attempts=1)
        return Lightsail(make_client("lightsail"), create_client, self.now)

    @cached_property
    def timings(self) -> ReleaseTimings:
        from lightgate.aws.dynamodb_timings import ReleaseTimings

        return ReleaseTimings(self._table)

    @cached_property
    def gate_channels(self) -> GateChannels:
        from lightgate.aws.s3_gate_channel import GateChannels

        settings = self.settings
        # The log says the same, and a step has a minute: who does not answer is soon let be.
        s3, sts = make_client("s3", attempts=2), make_client("sts")
        return GateChannels(s3, sts, settings.mailbox_bucket, settings.mailbox_role)

    def restore_points(self, kind: DatabaseKind, **limits: int) -> RestorePoints:
        """`limits` are those of `make_client`."""
        from lightgate.aws.lightsail_databases import LightsailSnapshots
        from lightgate.aws.rds import CLUSTERS, INSTANCES, Snapshots

        stack = self.settings.stack
        match kind:
            case DatabaseKind.INSTANCE:
                return Snapshots(make_client("rds", **limits), INSTANCES, stack=stack)
            case DatabaseKind.CLUSTER:
                return Snapshots(make_client("rds", **limits), CLUSTERS, stack=stack)
            case DatabaseKind.LIGHTSAIL:
                return LightsailSnapshots(make_client("lightsail", **limits), stack=stack)

    @cached_property
    def temporary_databases(self) -> TemporaryDatabases:
        from lightgate.aws.temporary_databases import TemporaryDatabases

        return TemporaryDatabases(make_client("rds"), self.settings.stack)

    @cached_property
    def temporary_services(self) -> TemporaryServices:
        from lightgate.aws.temporary_services import TemporaryServices

        create_client = make_client("lightsail", attempts=1)
        return TemporaryServices(make_client("lightsail"), create_client, self.settings.stack)

    @cached_property
    def rehearsals(self) -> Rehearsals:
        from lightgate.aws.dynamodb_rehearsals import Rehearsals

        return Rehearsals(self._table)

    @cached_property
    def releases(self) -> Releases:
        from lightgate.aws.dynamodb_releases import Releases

        return Releases(self._table)

    @cached_property
    def registry(self) -> Registry:
        from lightgate.aws.ecr import Registry

        return Registry(make_client("ecr"))

    @cached_property
    def secrets(self) -> Secrets:
        from lightgate.aws.secretsmanager import Secrets

        return Secrets(make_client("secretsmanager"), make_client("ssm"))

    @cached_property
    def services(self) -> Services:
        from lightgate.aws.dynamodb_services import Services

        return Services(self._table)

    @cached_property
    def tag_checks(self) -> TagChecks:
        from lightgate.aws.dynamodb_tag_checks import TagChecks

        return TagChecks(self._table)

    @cached_property
    def topic(self) -> Topic:
        from lightgate.aws.sns import Topic

        # Nothing depends on who is subscribed, so a call that takes long is given up.
        reader = make_client("sns", attempts=1, seconds=5)
        return Topic(make_client("sns"), reader, self.settings.topic)

    @cached_property
    def locks(self) -> Locks:
        from lightgate.aws.dynamodb_locks import Locks

        return Locks(self._table)

    @cached_property
    def _table(self) -> Table:
        from lightgate.aws.dynamodb import Table

        return Table(make_client("dynamodb"), self.settings.table)


@cache
def _runtime() -> Runtime:
    return Runtime(Settings.from_environment(os.environ))


type _Step = Callable[[Json, Runtime], object]


def run_step(
    step: Callable[[State, Runtime], object],
    event: Json,
    context: LambdaContext,
    *,
    reads_secrets: bool = False,
    read: Callable[[Json], State] = State.read,
) -> Json:
    """Carry out a step of the state machine: see `run`. The event has the `state` so far.

    The answer has the calls and the time that it has taken so far, for the cost of the release.
    """

    @wraps(step)
    def carry_out(event: Json, runtime: Runtime) -> object:
        began, state = runtime.now(), read(event["state"])
        answer = encode(step(state, runtime))
        [field] = (key for key, names in STEPS_BY_ANSWER.items() if step.__name__ in names)
        took = round((runtime.now() - began).total_seconds() * 1000)
        usage = state.usage.get(field, Usage()).more(took)
        return {**answer, "usage": encode(usage)}

    return run(carry_out, event, context, reads_secrets=reads_secrets)


def run_rehearsal_step(
    step: Callable[[RehearsalState, Runtime], object],
    event: Json,
    context: LambdaContext,
    *,
    reads_secrets: bool = False,
    reads_any_state: bool = False,
) -> Json:
    """Carry out a step of the state machine of rehearsals: see `run`."""
    read = RehearsalState.read_at_the_end if reads_any_state else RehearsalState.read

    @wraps(step)
    def carry_out(event: Json, runtime: Runtime) -> object:
        return step(read(event["state"]), runtime)

    return run(carry_out, event, context, reads_secrets=reads_secrets)


def run(step: _Step, event: Json, context: LambdaContext, *, reads_secrets: bool = False) -> Json:
    """Carry out one step for its Lambda handler, with log, trace and metrics around it.

    The event is never logged as a whole: a person may have written anything into it. An error of a
    step that reads secrets leaves it without the texts of whatever led to it: Lambda, the tracer
    and the state machine keep what they get.
    """
    runtime = _runtime()
    runtime.logger.set_correlation_id(_correlation(event))

    @wraps(step)
    def carry_out(event: Json, _context: LambdaContext) -> object:
        name_in_trace(runtime.tracer, event)
        with _without_texts() if reads_secrets else nullcontext():
            answer: object = encode(step(event, runtime))
        if isinstance(answer, dict):
            name_in_trace(runtime.tracer, answer)
        return answer

    trace_without_texts(runtime.tracer)
    handler = runtime.tracer.capture_lambda_handler(
        carry_out, capture_response=False, capture_error=False
    )
    logged = runtime.logger.inject_lambda_context(handler, clear_state=False)
    try:
        answer: Json = logged(event, context)
    finally:
        # Most steps measure nothing, and Powertools warns of an empty flush.
        if runtime.metrics.provider.metric_set:
            runtime.metrics.flush_metrics()
    return answer


@contextmanager
def _without_texts() -> Iterator[None]:
    """Raise errors whose texts are Lightgate's own, and nothing of what led to them."""
    failure: LightgateError
    try:
        yield
    except LightgateError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - any text may quote a secret
        failure = UnexpectedError(_what_and_where(error)).with_traceback(error.__traceback__)
    else:
        return
    raise_alone(failure)


def _what_and_where(error: Exception) -> str:
    """The kind of error, the call of AWS that failed, and the last line of ours that led there."""
    frames = extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    [*_, place] = ours or frames
    operation = getattr(error, "operation_name", None)
    call = f" of {operation}" if operation else ""
    return f"{code_of(error)}{call} at {Path(place.filename).name}:{place.lineno}"


def _correlation(event: Json) -> str:
    """The release where there is one, else the event that may become one."""
    known = event["state"] if isinstance(event.get("state"), dict) else event
    release = known.get("release") or known.get("admission", {}).get("release")
    if isinstance(release, dict):
        return str(release.get("id", ""))
    return str(known.get("id") or known.get("execution", ""))
