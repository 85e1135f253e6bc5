"""Authenticates and authorizes each call with the local IAM, as Lightsail does with the real one.

Each call makes three requests to the IAM endpoint. The first is the caller's own request: the
engine checks its signature before it refuses the unknown service. The second finds the owner of the
access key. The third, SimulatePrincipalPolicy, evaluates the policies of that role or user.

The resource is the ARN of the service for calls that change one container service. For all others,
also for reads, it is `*`. Conditions may ask for the tags of that one service, and for those that a
request sets or removes.
"""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError

from local.cloud.clients import client_for
from local.cloud.proxy import client_session, forward
from local.lightsail.errors import ApiError

_LOG = logging.getLogger(__name__)
_ACCESS_KEY = re.compile(r"Credential=([^/,\s]+)/")
_ROOT_KEY = re.compile(r"test|\d{12}")
_ON_ONE_SERVICE = (
    *("CreateContainerServiceDeployment", "DeleteContainerService", "UpdateContainerService"),
    *("TagResource", "UntagResource"),
)
_TAG_KEYS = "aws:TagKeys"
_SIGNATURE_ERRORS = (
    *("ExpiredTokenException", "IncompleteSignatureException", "InvalidSignatureException"),
    *("MissingAuthenticationTokenException", "UnrecognizedClientException"),
)
_UNKNOWN_CALLER = "The security token included in the request is invalid."
_WHY = {
    "explicitDeny": "with an explicit deny in an identity-based policy",
    "implicitDeny": "because no identity-based policy allows the {action} action",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A user or a session of a role: the ARN in a denial, and the ARN whose policies count."""

    arn: str
    policy_source: str


class Permissions:
    """Sends requests to the IAM at one endpoint, as the account's root."""

    def __init__(self, endpoint: str, account: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._account = account
        self._iam = client_for("iam", endpoint)
        self._functions = client_for("lambda", endpoint)
        self._function_callers: dict[str, Caller] = {}
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with client_session() as self._session:
            yield

    async def check(
        self,
        request: web.Request,
        body: bytes,
        operation: str,
        service_arn: str,
        tags: Mapping[str, str],
        parameters: Mapping[str, Any],
    ) -> None:
        """Raise the ApiError of AWS if the call is not allowed. `tags` are those of the service."""
        conditions = _of_request(parameters)
        if operation in _ON_ONE_SERVICE:
            conditions |= {f"aws:ResourceTag/{key}": [value] for key, value in tags.items()}
        try:
            await self._check_signature(request, body)
            await asyncio.to_thread(
                self._check_policies,
                _access_key(request.headers),
                operation,
                service_arn,
                conditions,
            )
        except (aiohttp.ClientError, BotoCoreError, ClientError, OSError) as problem:
            _LOG.error("IAM at %s does not answer: %s", self._endpoint, problem)
            raise ApiError(
                "ServiceException", "IAM does not answer.", HTTPStatus.INTERNAL_SERVER_ERROR
            ) from None

    async def _check_signature(self, request: web.Request, body: bytes) -> None:
        if self._session is None:
            raise RuntimeError("not open")
        answer = await forward(self._session, self._endpoint, request, body)
        try:
            said = json.loads(answer.body)
            code = str(said["__type"]).rpartition("#")[2]
            text = str(said.get("message") or said.get("Message") or "")
        except (ValueError, KeyError, TypeError):
            return  # the engine refuses the unknown service in some other way
        if code in _SIGNATURE_ERRORS:
            raise ApiError(code, text)

    def _check_policies(
        self,
        access_key: str,
        operation: str,
        service_arn: str,
        conditions: Mapping[str, Sequence[str]],
    ) -> None:
        if _ROOT_KEY.fullmatch(access_key):
            return
        caller = self._caller(access_key)
        action = f"lightsail:{operation}"
        resource = service_arn if operation in _ON_ONE_SERVICE else "*"
        results = self._iam.simulate_principal_policy(
            PolicySourceArn=caller.policy_source,
            ActionNames=[action],
            ResourceArns=[resource],
            ContextEntries=[
                {
                    "ContextKeyName": key,
                    "ContextKeyValues": list(values),
                    "ContextKeyType": "stringList" if key == _TAG_KEYS else "string",
                }
                for key, values in conditions.items()
            ],
        )["EvaluationResults"]
        decision = results[0]["EvalDecision"]
        if decision != "allowed":
            why = _WHY.get(decision, _WHY["implicitDeny"]).format(action=action)
            raise ApiError(
                "AccessDeniedException",
                f"User: {caller.arn} is not authorized to perform: {action} "
                f"on resource: {resource} {why}",
            )

    def _caller(self, access_key: str) -> Caller:
        if access_key.startswith("AKIA"):
            return self._user(access_key)
        if access_key not in self._function_callers:
            self._function_callers = dict(self._read_function_callers())
        try:
            return self._function_callers[access_key]
        except KeyError:
            # The engine does not tell the role of a session from AssumeRole.
            _LOG.warning("%s is not the key of a function's role", access_key)
            raise ApiError("UnrecognizedClientException", _UNKNOWN_CALLER) from None

    def _user(self, access_key: str) -> Caller:
        try:
            name = self._iam.get_access_key_last_used(AccessKeyId=access_key)["UserName"]
        except ClientError as problem:
            if problem.response["Error"]["Code"] != "NoSuchEntity":
                raise
            raise ApiError("UnrecognizedClientException", _UNKNOWN_CALLER) from None
        arn = f"arn:aws:iam::{self._account}:user/{name}"
        return Caller(arn, arn)

    def _read_function_callers(self) -> list[tuple[str, Caller]]:
        # Each published version has a key of its own.
        versions = self._functions.get_paginator("list_versions_by_function")
        return [
            _function_caller(version)
            for page in self._functions.get_paginator("list_functions").paginate()
            for function in page["Functions"]
            for each in versions.paginate(FunctionName=function["FunctionName"])
            for version in each["Versions"]
        ]


def _of_request(parameters: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The condition keys for the tags that a request sets or removes."""
    tags = {each.get("key", ""): each.get("value", "") for each in parameters.get("tags", ())}
    keys = [*tags, *parameters.get("tagKeys", ())]
    found: dict[str, Sequence[str]] = {
        f"aws:RequestTag/{key}": [value] for key, value in tags.items()
    }
    return found | ({_TAG_KEYS: keys} if keys else {})


def _function_caller(function: Mapping[str, Any]) -> tuple[str, Caller]:
    """The access key that the engine derives from a function's ARN and role, and the role."""
    arn, role = function["FunctionArn"], function["Role"]
    digest = hashlib.sha256(f"{arn}:{role}".encode()).hexdigest()
    account, role_name = role.split(":")[4], role.rpartition("/")[2]
    session = f"{role_name}/{function['FunctionName'][:64]}"
    return f"ASIA{digest[:16].upper()}", Caller(
        arn=f"arn:aws:sts::{account}:assumed-role/{session}",
        policy_source=f"arn:aws:iam::{account}:role/{role_name}",
    )


def _access_key(headers: Mapping[str, str]) -> str:
    found = _ACCESS_KEY.search(headers.get("Authorization", ""))
    return found[1] if found else ""
