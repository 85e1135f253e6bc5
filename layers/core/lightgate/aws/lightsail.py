"""AWS Lightsail container services."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, error_message
from lightgate.deployment import Deployment, Service
from lightgate.errors import RefusedError
from lightgate.release import RELEASE_VARIABLE

# The code InvalidInputException means both "wrong" and "busy"; only the text tells them
# apart (lightsail-facts.md, section 4).
_BUSY_TEXTS = (
    "Please wait for it to complete before trying again",
    "Please try again in a few minutes",
)
# A shorter value would be found by chance in the middle of Lightsail's own words.
_SHORTEST_SECRET = 4
# Enough for a migration that prints thousands of lines; a runaway log ends the reading.
_MOST_LOG_PAGES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """The service takes no deployment now, and will later."""

    reason: str


class Lightsail:
    """`client` reads and may retry; `create_client` must make one attempt only.

    A retried create after a lost answer would meet its own deployment as "busy"
    (measured-facts.md, "Lightsail").
    """

    def __init__(self, client: Any, create_client: Any) -> None:  # noqa: ANN401
        self._client = client
        self._create_client = create_client

    def service(self, name: str) -> Service:
        """The service as it shows itself now; reads may lag behind what was created.

        Raises:
            RefusedError: there is no such service.
        """
        try:
            [found] = self._client.get_container_services(serviceName=name)["containerServices"]
            listed = self._client.get_container_service_deployments(serviceName=name)
        except ClientError as error:
            if error_code(error) == "NotFoundException":
                raise RefusedError(
                    f"serviceName: there is no container service {name} in this region; "
                    "create it in the Lightsail console, or correct the spec"
                ) from error
            raise
        return Service(
            name=name,
            state=found["state"],
            disabled=found.get("isDisabled", False),
            current=_deployment_or_none(found.get("currentDeployment")),
            next=_deployment_or_none(found.get("nextDeployment")),
            deployments=[_deployment(one) for one in listed.get("deployments", [])],
        )

    def create_deployment(self, request: Mapping[str, Any]) -> Deployment | Busy:
        """The new deployment, or why there can be none just now.

        Attempted once. Whoever calls again must first look for a deployment with its
        own marker, because an answer may have been lost.

        Raises:
            RefusedError: Lightsail finds the request wrong; its own words are kept.
        """
        try:
            answer = self._create_client.create_container_service_deployment(**request)
        except ClientError as error:
            code, message = error_code(error), _without_values(error_message(error), request)
            if code == "ThrottlingException" or any(busy in message for busy in _BUSY_TEXTS):
                return Busy(reason=message)
            if code in ("InvalidInputException", "NotFoundException"):
                raise RefusedError(f"Lightsail refuses the deployment: {message}") from error
            raise
        return _deployment(answer["containerService"]["nextDeployment"])

    def gate_lines(self, service: str, container: str, since: datetime) -> list[str]:
        """The lines in the container's log since then that may come from its gate.

        Oldest first, as far as they have arrived: the log lags by minutes.
        """
        lines: list[str] = []
        arguments = {
            "serviceName": service,
            "containerName": container,
            "startTime": since,
            "filterPattern": "lightgate",
        }
        for _ in range(_MOST_LOG_PAGES):
            try:
                page = self._client.get_container_log(**arguments)
            except ClientError as error:
                # Whether a container that never wrote has a log at all is not known
                # (lightsail-facts.md, section 5); to us both are silence.
                if error_code(error) == "NotFoundException":
                    break
                raise
            lines += [event["message"] for event in page.get("logEvents", [])]
            token = page.get("nextPageToken")
            if not token:
                break
            arguments["pageToken"] = token
        return lines


def _without_values(message: str, request: Mapping[str, Any]) -> str:
    """Lightsail's words without what it may have quoted of the environment: secrets are in it."""
    for container in request["containers"].values():
        for value in container["environment"].values():
            if len(value) >= _SHORTEST_SECRET:
                message = message.replace(value, "(a value)")
    return message


def _deployment_or_none(found: Mapping[str, Any] | None) -> Deployment | None:
    return _deployment(found) if found else None


def _deployment(found: Mapping[str, Any]) -> Deployment:
    releases = [
        container.get("environment", {}).get(RELEASE_VARIABLE)
        for container in found.get("containers", {}).values()
    ]
    return Deployment(
        version=found["version"],
        state=found["state"],
        created_at=found["createdAt"],
        release=next((release for release in releases if release), None),
    )
