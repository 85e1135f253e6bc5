"""The connection to AWS or to the local cloud: the only place that makes clients.

They are botocore's. Beyond them boto3 has only what no command uses, and takes long to import.
"""

import json
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from threading import RLock
from typing import Any

import botocore.session
from botocore import exceptions
from botocore.config import Config

from lightgate.aws.clients import error_code, error_message
from lightgate.aws.dynamodb import Table
from lightgate.aws.dynamodb_locks import Locks
from lightgate.aws.dynamodb_rehearsals import Rehearsals
from lightgate.aws.dynamodb_releases import Releases
from lightgate.aws.dynamodb_tag_checks import TagChecks
from lightgate.aws.dynamodb_timings import ReleaseTimings
from lightgate.aws.ecr import Registry
from lightgate.aws.lightsail import Lightsail
from lightgate.aws.s3_evidence import EvidenceFiles
from lightgate.aws.ssm import AppParameters
from lightgate.aws.stepfunctions import Executions
from lightgate.errors import readable
from lightgate_cli.errors import CommandError, Problem

AWS_ERRORS = (
    exceptions.ClientError,
    exceptions.BotoCoreError,
    exceptions.HTTPClientError,
)
_SERVER_ERRORS = 500
_DEFAULT_STACK = "lightgate"
# Each has 1 MB, some hundred releases.
_MOST_PAGES = 8
_DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "AuthorizationErrorException",
)
_BAD_CREDENTIALS = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "AuthFailure",
    "IncompleteSignature",
    "MissingAuthenticationToken",
)
_START_LOCAL_CLOUD = "Start one with make local in a checkout."
_PERMISSIONS = "docs/command-line.md lists the permissions that each command needs."


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which stack is meant, and where. With `local` it is that of the local cloud."""

    profile: str | None = None
    region: str | None = None
    stack: str | None = None
    local: bool = False

    @property
    def options(self) -> str:
        """The options of the user as part of a command, each with a space before it."""
        stack = _words({"--stack": self.stack})
        return self.aws_options + stack + (" --local" if self.local else "")

    @property
    def aws_options(self) -> str:
        """Those that the AWS CLI has as well. The local cloud is chosen by the shell there."""
        return _words({"--profile": self.profile, "--region": self.region})


class Connection:
    """A stack and the AWS services around it. Everything is read when it is first needed.

    Clients may be used by several threads.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._local = _local_cloud() if target.local else None
        default = self._local.stack if self._local is not None else _DEFAULT_STACK
        self.stack = target.stack or default
        self._clients: dict[tuple[str, int], Any] = {}
        # A session makes no two clients at once.
        self._making = RLock()

    @property
    def local_endpoint(self) -> str | None:
        """The address of the local cloud; None if the stack is on AWS."""
        return self._local.endpoint if self._local is not None else None

    @property
    def is_local(self) -> bool:
        return self._local is not None

    def now(self) -> datetime:
        return datetime.now(UTC)

    @property
    def region(self) -> str:
        """Raises NoRegionError if none is set."""
        return str(self._session.get_config_variable("region"))

    def client(self, service: str, *, attempts: int = 3) -> Any:  # noqa: ANN401 - it is untyped
        """`attempts` is 1 for calls that must not be repeated after a lost answer."""
        with self._making:
            known = self._clients.get((service, attempts))
            if known is None:
                known = self._clients[service, attempts] = self._make(service, attempts)
            return known

    def output(self, name: str) -> str:
        """An output of the stack.

        Raises:
            CommandError: an older version of Lightgate has deployed the stack, without it.
        """
        value = self.outputs.get(name)
        if value is None:
            raise CommandError(
                Problem.OLD_STACK,
                f"The stack {self.stack} has no output {name}: it is of an older version of "
                "Lightgate than this command.",
                hint="Update it with sam deploy, or install the version of the command that "
                "belongs to it.",
            )
        return value

    @property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of the stack.

        Raises:
            CommandError: there is no such stack here, or it is not deployed yet.
        """
        return _pairs(self._stack.get("Outputs", ()), "Output")

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters with which the stack was deployed."""
        return _pairs(self._stack.get("Parameters", ()), "Parameter")

    @property
    def stack_id(self) -> str:
        return str(self._stack["StackId"])

    @cached_property
    def _stack(self) -> Mapping[str, Any]:
        """Raises CommandError: there is no such stack here, or it is not deployed yet."""
        try:
            answer = self.client("cloudformation").describe_stacks(StackName=self.stack)
        except exceptions.ClientError as error:
            # AWS has no code of its own for a stack that does not exist.
            if error_code(error) != "ValidationError":
                raise
            raise CommandError(
                Problem.NO_STACK,
                f"There is no stack {self.stack} in {self.region}.",
                hint="Give its name with --stack and its region with --region, or deploy it.",
            ) from error
        found: Mapping[str, Any] = answer["Stacks"][0]
        if not found.get("Outputs"):
            raise CommandError(
                Problem.NO_STACK,
                f"The stack {self.stack} in {self.region} has no outputs: it is "
                f"{found['StackStatus']}.",
                hint="Wait until it is deployed, or deploy it again.",
            )
        return found

    @cached_property
    def account(self) -> str:
        """The account of the stack, by its state machine."""
        return self.output("StateMachineArn").split(":")[4]

    @cached_property
    def caller(self) -> str:
        """The ARN of the identity whose credentials are used."""
        return str(self.client("sts").get_caller_identity()["Arn"])

    @property
    def apps_path(self) -> str:
        return self.output("AppsPath")

    @cached_property
    def apps(self) -> AppParameters:
        return AppParameters(self.client("ssm"), self.apps_path)

    @cached_property
    def executions(self) -> Executions:
        return Executions(self.client("stepfunctions"), self.output("StateMachineArn"))

    @cached_property
    def rehearsal_executions(self) -> Executions:
        """Those of the state machine of rehearsals."""
        return Executions(self.client("stepfunctions"), self.output("RehearsalStateMachineArn"))

    def has_rehearsal(self, arn: str) -> bool:
        """Whether the ARN is that of an execution of a rehearsal. An older stack has none."""
        return "RehearsalStateMachineArn" in self.outputs and self.rehearsal_executions.has(arn)

    @cached_property
    def rehearsals(self) -> Rehearsals:
        return Rehearsals(self.table)

    @cached_property
    def table(self) -> Table:
        return Table(self.client("dynamodb"), self.output("TableName"))

    @cached_property
    def locks(self) -> Locks:
        return Locks(self.table)

    @cached_property
    def releases(self) -> Releases:
        return Releases(self.table)

    def newest_release(self, app: str) -> str | None:
        """The id of the app's newest release on record, None if there is none."""
        found = self.client("dynamodb").query(
            TableName=self.table.name,
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=1,
            KeyConditionExpression="app = :app AND begins_with(#item, :begin)",
            ProjectionExpression="#item",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues={":app": {"S": app}, ":begin": {"S": "release#"}},
        )["Items"]
        return found[0]["item"]["S"].removeprefix("release#") if found else None

    def all_app_names(self) -> Sequence[str]:
        """The apps that have a spec, or had a release."""
        apps = self.apps
        with ThreadPoolExecutor() as pool:
            stored = pool.submit(lambda: set(apps.names()))
            return sorted(self._apps_with_a_lock() | stored.result())

    def _apps_with_a_lock(self) -> Set[str]:
        """The apps that had a release, also if their specs are deleted.

        It reads a bounded part of the table, so of very many releases it may miss some.
        """
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.table.name,
                FilterExpression="#item = :lock",
                ProjectionExpression="app",
                ExpressionAttributeNames={"#item": "item"},
                ExpressionAttributeValues={":lock": {"S": "lock"}},
            )
        )
        return {item["app"]["S"] for page in islice(pages, _MOST_PAGES) for item in page["Items"]}

    @cached_property
    def timings(self) -> ReleaseTimings:
        return ReleaseTimings(self.table)

    @cached_property
    def evidence(self) -> EvidenceFiles:
        return EvidenceFiles(self.client("s3"), self.output("EvidenceBucketName"))

    @cached_property
    def tag_checks(self) -> TagChecks:
        return TagChecks(self.table)

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.client("ecr"))

    @cached_property
    def lightsail(self) -> Lightsail:
        return Lightsail(self.client("lightsail"), self.client("lightsail", attempts=1), self.now)

    @cached_property
    def _session(self) -> botocore.session.Session:
        with self._making:
            if self._local is not None:
                # A profile of the shell would be read before these credentials.
                session = botocore.session.Session({"profile": (None, None, None, None)})
                session.set_credentials(self._local.access_key_id, self._local.secret_access_key)
                region: str | None = self._local.region
            else:
                session = botocore.session.Session(profile=self._target.profile)
                # A profile that does not exist is an error now, and not in the first call.
                session.get_scoped_config()
                region = self._target.region
            if region is not None:
                session.set_config_variable("region", region)
            # An empty variable of the shell is none either.
            if not session.get_config_variable("region"):
                raise exceptions.NoRegionError
            return session

    def _make(self, service: str, attempts: int) -> Any:  # noqa: ANN401
        config = Config(
            connect_timeout=3,
            read_timeout=20,
            max_pool_connections=16,
            retries={"mode": "standard", "total_max_attempts": attempts},
            # The virtual host of a bucket has no address on the local cloud.
            s3={"addressing_style": "path" if self.is_local else "auto"},
        )
        # The installed stubs know the services by their literal names only.
        connect: Callable[..., Any] = self._session.create_client
        return connect(service, endpoint_url=self.local_endpoint, config=config)


def _words(options: Mapping[str, str | None]) -> str:
    given = [word for name, value in options.items() if value for word in (name, value)]
    return f" {shlex.join(given)}" if given else ""


def _pairs(listed: Iterable[Mapping[str, str]], kind: str) -> Mapping[str, str]:
    return {each[f"{kind}Key"]: each[f"{kind}Value"] for each in listed}


def may_pass(error: Exception) -> bool:
    """Whether AWS may answer the same call later, unlike one that it does not allow."""
    if not isinstance(error, exceptions.ClientError):
        return not isinstance(error, exceptions.NoCredentialsError)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_ERRORS)
    return status >= _SERVER_ERRORS or "Throttl" in error_code(error)


@contextmanager
def reaching_aws(target: Target) -> Iterator[None]:
    """Raise CommandError with one clear sentence for whatever keeps us from an answer of AWS."""
    try:
        yield
    except AWS_ERRORS as error:
        if target.local and isinstance(error, exceptions.ConnectionError):
            raise CommandError(
                Problem.NO_LOCAL_CLOUD,
                "The local cloud does not answer: it has stopped, or is just starting.",
                hint=_START_LOCAL_CLOUD,
            ) from error
        raise _problem_of(error, target.profile) from error


def _problem_of(error: Exception, profile: str | None) -> CommandError:
    """What an error of botocore means for the user, and what to do about it."""
    text = readable(str(error))
    match error:
        case exceptions.ProfileNotFound():
            return CommandError(
                Problem.NO_PROFILE,
                f"There is no AWS profile {profile or os.environ.get('AWS_PROFILE', '')}.",
                hint="aws configure list-profiles shows those that exist.",
            )
        case exceptions.NoRegionError():
            return CommandError(
                Problem.NO_REGION,
                "No AWS region is set.",
                hint="Give --region, or set AWS_REGION, or a region for the profile.",
            )
        case exceptions.NoCredentialsError():
            return CommandError(
                Problem.NO_CREDENTIALS, "No AWS credentials were found.", hint=_sign_in(profile)
            )
        case (
            exceptions.PartialCredentialsError()
            | exceptions.CredentialRetrievalError()
            | exceptions.SSOError()
            | exceptions.TokenRetrievalError()
        ):
            return CommandError(
                Problem.NO_CREDENTIALS,
                f"The AWS credentials could not be loaded: {text}",
                hint=_sign_in(profile),
            )
        case exceptions.ClientError():
            return _refused(error, profile)
        case exceptions.InvalidRegionError():
            return CommandError(
                Problem.NO_REGION,
                f"This is no region of AWS: {text}",
                hint="Give another --region.",
            )
        case exceptions.ConnectionError() | exceptions.HTTPClientError():
            return CommandError(
                Problem.UNREACHABLE,
                f"AWS cannot be reached: {text}",
                hint="Check the network, the proxy and --region.",
            )
    return CommandError(Problem.UNREACHABLE, f"AWS could not be called: {text}")


def _sign_in(profile: str | None) -> str:
    if profile is None:
        return "Run aws sso login or aws configure, or give --profile."
    named = f"--profile {shlex.quote(profile)}"
    return f"Run aws sso login {named} or aws configure, or give another --profile."


def _refused(error: exceptions.ClientError, profile: str | None) -> CommandError:
    """The error with which AWS has answered a call."""
    code, text = error_code(error), readable(error_message(error))
    call = error.operation_name
    if code in _BAD_CREDENTIALS:
        return CommandError(
            Problem.NO_CREDENTIALS,
            f"AWS does not accept the credentials: {code}: {text}",
            hint=_sign_in(profile),
        )
    if code in _DENIED:
        return CommandError(Problem.DENIED, f"AWS does not allow {call}: {text}", hint=_PERMISSIONS)
    return CommandError(Problem.UNREACHABLE, f"{call} failed: {code}: {text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _LocalCloud:
    endpoint: str
    region: str
    stack: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


def local_cloud_file(environment: Mapping[str, str]) -> Path:
    """Where a running local cloud says how to reach it (local/cloud/announcement.py)."""
    state = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "lightgate" / "local-cloud.json"


def _local_cloud() -> _LocalCloud:
    """Raises CommandError if none has announced itself."""
    file = local_cloud_file(os.environ)
    try:
        found = json.loads(file.read_bytes())
        return _LocalCloud(
            endpoint=found["endpoint"],
            region=found["region"],
            stack=found["stack"],
            access_key_id=found["accessKeyId"],
            secret_access_key=found["secretAccessKey"],
        )
    except FileNotFoundError:
        text = "No local cloud is running."
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = f"The local cloud cannot be found: {file} cannot be read ({type(error).__name__})."
    raise CommandError(Problem.NO_LOCAL_CLOUD, text, hint=_START_LOCAL_CLOUD)
