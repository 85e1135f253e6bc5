"""AWS Lightsail container services."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lightgate.aws.clients import error_code, error_message, reaching
from lightgate.deployment import Deployment, Endpoint, Service
from lightgate.diagnosis.app_log import AppLog, read_app_log
from lightgate.errors import RefusedError
from lightgate.gate.supervisor import mask, parts
from lightgate.release import RELEASE_VARIABLE, ROLLBACK_VARIABLE, STACK_TAG, STACK_VARIABLE

# The code InvalidInputException means both "wrong" and "busy"; only the text tells them
# apart (lightsail-facts.md, section 4).
_BUSY_TEXTS = (
    "Please wait for it to complete before trying again",
    "Please try again in a few minutes",
)
# Enough for a migration that prints thousands of lines; a runaway log ends the reading.
_MOST_LOG_PAGES = 50
# What a log that is longer says last: the newest words of a gate are what is waited for.
_MOST_NEWEST_PAGES = 25
_SHORTEST_WINDOW = timedelta(seconds=1)
_MOMENT = timedelta(milliseconds=1)
# Lightsail's own clocks need not agree to the second.
_CLOCK_MARGIN = timedelta(minutes=1)
# What Lightgate itself puts beside the app's variables; a gate's report has to keep its release.
_NO_SECRETS = (RELEASE_VARIABLE, ROLLBACK_VARIABLE, STACK_VARIABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """The service takes no deployment now, and will later."""

    reason: str


class Lightsail:
    """`client` reads and may retry; `create_client` must make one attempt only.

    A retried create after a lost answer would meet its own deployment as "busy"
    (measured-facts.md, "Lightsail").
    """

    def __init__(self, client: Any, create_client: Any, now: Callable[[], datetime]) -> None:  # noqa: ANN401
        self._client, self._now = client, now
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
            url=found.get("url") or None,
            scale=found["scale"],
            puller_role=_puller_role(found),
            tagged_stack=_tagged_stack(found),
        )

    def listed(self, service: str, version: int) -> Mapping[str, Any]:
        """The deployment as the service lists it, with the secrets in its environment.

        Only for who deploys it again: nothing of it may be returned from a step, or logged.

        Raises:
            RefusedError: the service does not list it any more; it keeps the last 50.
        """
        answer = self._client.get_container_service_deployments(serviceName=service)
        for found in answer.get("deployments", []):
            if found["version"] == version:
                listed: Mapping[str, Any] = found
                return listed
        raise RefusedError(
            f"the container service {service} does not list version {version}; it keeps the last 50"
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

    @reaching("GetContainerLog")
    def gate_lines(self, service: str, container: str, since: datetime) -> list[str]:
        """The lines in the container's log since then that may come from its gate.

        Oldest first, as far as they have arrived: the log lags by minutes.

        Raises:
            UnreachableError: it cannot be read, so that nobody knows what it holds.
        """
        return self._lines(service, container, since, "lightgate")

    def app_logs(
        self, service: str, deployment: Deployment
    ) -> Mapping[str, AppLog | BotoCoreError | ClientError]:
        """What each container has written since the deployment was created, or why not read.

        No value of the deployment's environment is repeated: secrets are in it.

        Raises:
            RefusedError: the service does not list the deployment any more.
        """
        listed = self.listed(service, deployment.version)
        secrets = [
            value
            for container in listed["containers"].values()
            for name, value in container.get("environment", {}).items()
            if name not in _NO_SECRETS
        ]
        logs: dict[str, AppLog | BotoCoreError | ClientError] = {}
        for container in listed["containers"]:
            try:
                lines = self._lines(service, container, deployment.created_at - _CLOCK_MARGIN)
            except (BotoCoreError, ClientError) as error:
                logs[container] = error
                continue
            logs[container] = read_app_log(
                container,
                lines,
                version=deployment.version,
                release=deployment.release or "",
                secrets=secrets,
            )
        return logs

    def _lines(
        self, service: str, container: str, since: datetime, pattern: str | None = None
    ) -> list[str]:
        """The lines of the container's log since then, but for the middle of a very long one."""
        arguments: dict[str, Any] = {
            "serviceName": service,
            "containerName": container,
            "startTime": since,
            **({"filterPattern": pattern} if pattern else {}),
        }
        pages = list(self._pages(arguments, _MOST_LOG_PAGES))
        found = _events(pages)
        if pages and pages[-1].get("nextPageToken"):
            read_to = found[-1]["createdAt"] if found else since
            found += self._newest_events(arguments, read_to)
        return [event["message"] for event in found]

    def _newest_events(self, arguments: Mapping[str, Any], since: datetime) -> list[Any]:
        """The end of a log whose pages begin at its other end: in windows, from the newest back."""
        found: list[Any] = []
        end, length = self._now() + _CLOCK_MARGIN, _CLOCK_MARGIN + _SHORTEST_WINDOW
        left = _MOST_NEWEST_PAGES
        while left > 0 and end > since:
            start = max(end - length, since)
            window = {**arguments, "startTime": start + _MOMENT, "endTime": end}
            pages = list(self._pages(window, left))
            found = _events(pages) + found
            left -= max(1, len(pages))
            end, length = start, _SHORTEST_WINDOW * 2 ** (_MOST_NEWEST_PAGES - left)
        return found

    def _pages(self, arguments: Mapping[str, Any], most: int) -> Iterator[Mapping[str, Any]]:
        for _ in range(most):
            try:
                page = self._client.get_container_log(**arguments)
            except ClientError as error:
                # Whether a container that never wrote has a log at all is not known
                # (lightsail-facts.md, section 5); to us both are silence.
                if error_code(error) == "NotFoundException":
                    return
                raise
            yield page
            token = page.get("nextPageToken")
            if not token:
                return
            arguments = {**arguments, "pageToken": token}


def _events(pages: Iterable[Mapping[str, Any]]) -> list[Any]:
    return [event for page in pages for event in page.get("logEvents", [])]


def _without_values(message: str, request: Mapping[str, Any]) -> str:
    """Lightsail's words without what it may have quoted of the environment: secrets are in it."""
    environments = (container["environment"] for container in request["containers"].values())
    values = [
        value for one in environments for name, value in one.items() if name not in _NO_SECRETS
    ]
    return mask(message, parts(values))


def _deployment_or_none(found: Mapping[str, Any] | None) -> Deployment | None:
    return _deployment(found) if found else None


def _puller_role(found: Mapping[str, Any]) -> str | None:
    """Empty for some minutes after it was activated (lightsail-facts.md, section 1)."""
    role = found.get("privateRegistryAccess", {}).get("ecrImagePullerRole", {})
    return (role.get("principalArn") or None) if role.get("isActive") else None


def _tagged_stack(found: Mapping[str, Any]) -> str | None:
    """The stack that the tag names: empty for a tag without a value, None without the tag."""
    tags = {tag["key"]: tag.get("value") or "" for tag in found.get("tags", [])}
    return tags.get(STACK_TAG)


def _marker(found: Mapping[str, Any], variable: str) -> str | None:
    values = [
        container.get("environment", {}).get(variable)
        for container in found.get("containers", {}).values()
    ]
    return next((value for value in values if value), None)


def _deployment(found: Mapping[str, Any]) -> Deployment:
    containers = found.get("containers", {})
    return Deployment(
        version=found["version"],
        state=found["state"],
        created_at=found["createdAt"],
        release=_marker(found, RELEASE_VARIABLE),
        stack=_marker(found, STACK_VARIABLE),
        images={name: container.get("image", "") for name, container in containers.items()},
        endpoint=_endpoint(found.get("publicEndpoint")),
    )


def _endpoint(found: Mapping[str, Any] | None) -> Endpoint | None:
    if not found:
        return None
    check = found.get("healthCheck", {})
    return Endpoint(
        container=found["containerName"],
        port=found["containerPort"],
        path=check.get("path", "/"),
        success_codes=check.get("successCodes", "200-499"),
    )
