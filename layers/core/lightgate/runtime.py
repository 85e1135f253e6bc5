"""What a Lambda function of Lightgate runs in: settings, adapters, log and metrics.

The only place that reads the environment and the clock. Everything is made on first
use, so that importing a function does nothing and a step builds only the clients that
it needs.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from lightgate.aws.clients import make_client
from lightgate.aws.ecr import Registry
from lightgate.aws.executions import Executions
from lightgate.aws.lightsail import Lightsail
from lightgate.aws.parameters import AppParameters
from lightgate.aws.rds import Snapshots
from lightgate.aws.secrets import Secrets
from lightgate.aws.table import ReleaseRecords

type Json = dict[str, Any]

METRICS_NAMESPACE = "lightgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What template.yaml tells a function."""

    table: str
    state_machine: str
    apps_path: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        return cls(
            table=environment.get("LIGHTGATE_TABLE", ""),
            state_machine=environment.get("LIGHTGATE_STATE_MACHINE", ""),
            apps_path=environment.get("LIGHTGATE_APPS_PATH", "/lightgate/apps"),
        )


class Runtime:
    """The adapters that the steps use, each made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.logger = Logger(service="lightgate")
        self.metrics = Metrics(namespace=METRICS_NAMESPACE, service="lightgate")
        self.tracer = Tracer(service="lightgate")

    def now(self) -> datetime:
        return datetime.now(UTC)

    @cached_property
    def apps(self) -> AppParameters:
        return AppParameters(make_client("ssm"), self.settings.apps_path)

    @cached_property
    def executions(self) -> Executions:
        return Executions(make_client("stepfunctions"), self.settings.state_machine)

    @cached_property
    def lightsail(self) -> Lightsail:
        return Lightsail(make_client("lightsail"), make_client("lightsail", attempts=1))

    @cached_property
    def records(self) -> ReleaseRecords:
        return ReleaseRecords(make_client("dynamodb"), self.settings.table)

    @cached_property
    def registry(self) -> Registry:
        return Registry(make_client("ecr"))

    @cached_property
    def secrets(self) -> Secrets:
        return Secrets(make_client("secretsmanager"), make_client("ssm"))

    @cached_property
    def snapshots(self) -> Snapshots:
        return Snapshots(make_client("rds"))


@cache
def _runtime() -> Runtime:
    return Runtime(Settings.from_environment(os.environ))


def run(step: Callable[[Json, Runtime], Json], event: Json, context: LambdaContext) -> Json:
    """Carry out one step for its Lambda handler, with log, trace and metrics around it.

    The event is never logged as a whole: a person may have written anything into it.
    """
    runtime = _runtime()
    runtime.logger.set_correlation_id(_correlation(event))
    handler = runtime.tracer.capture_lambda_handler(
        lambda event, _context: step(event, runtime), capture_response=False
    )
    logged = runtime.logger.inject_lambda_context(handler, clear_state=False)
    try:
        answer: Json = logged(event, context)
    finally:
        # Most steps measure nothing, and Powertools warns of an empty flush.
        if runtime.metrics.provider.metric_set:
            runtime.metrics.flush_metrics()
    return answer


def _correlation(event: Json) -> str:
    """The release where there is one, else the event that may become one."""
    known = event["state"] if isinstance(event.get("state"), dict) else event
    release = known.get("release") or known.get("admission", {}).get("release")
    if isinstance(release, dict):
        return str(release.get("id", ""))
    return str(known.get("id") or known.get("execution", ""))
