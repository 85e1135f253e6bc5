"""AWS Lightsail container services."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, error_message, reaching
from lightgate.deployment.status import Deployment, Endpoint, NotListed, Service
from lightgate.diagnosis.app_log import AppLog, read_app_log, shows_the_failure
from lightgate.errors import NotShownError, RefusalCode, RefusedError, UnreachableError
from lightgate.gate.log_lines import reports
from lightgate.gate.masking import Mask
from lightgate.migrations.outside import applied_in
from lightgate.names import (
    MAILBOX_VARIABLE,
    RELEASE_VARIABLE,
    ROLLBACK_VARIABLE,
    STACK_TAG,
    STACK_VARIABLE,
)
from lightgate.spec.time_limits import SIGNED_FOR

# The code InvalidInputException means both "wrong" and "busy"; only the text tells them
# apart (docs/lightsail.md, "What refuses a deployment").
_BUSY_TEXTS = (
    "Please wait for it to complete before trying again",
    "Please try again in a few minutes",
)
# Enough for a migration that prints thousands of lines; a runaway log ends the reading.
_MOST_LOG_PAGES = 50
# The end of a longer log is read too, because the latest reports of a gate decide.
_MOST_NEWEST_PAGES = 25
_SHORTEST_WINDOW = timedelta(seconds=1)
_MOMENT = timedelta(milliseconds=1)
# Lightsail's own clocks need not agree to the second.
_LOAD_WINDOW, _LOAD_PERIOD_SECONDS = timedelta(minutes=20), 300
_CLOCK_MARGIN = timedelta(minutes=1)
# What Lightgate itself puts beside the app's variables; a gate's report has to keep its release.
_NO_SECRETS = (RELEASE_VARIABLE, ROLLBACK_VARIABLE, STACK_VARIABLE)

# For each container the variables whose values the spec gives openly.
type _OpenVariables = Mapping[str, Collection[str]]
_NOTHING_OPEN: _OpenVariables = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """The service takes no deployment now, and will later."""

    reason: str


class Lightsail:
    """`client` reads and may retry; `create_client` must make one attempt only.

    A retried create after a lost answer would meet its own deployment as "busy"
    (docs/lightsail.md, "What refuses a deployment").

    Requests and answers hold the environments of containers with their secrets. So every call is
    made within `reaching`: no error repeats what AWS or botocore quotes of them.
    """

    def __init__(self, client: Any, create_client: Any, now: Callable[[], datetime]) -> None:  # noqa: ANN401
        self._client, self._now = client, now
        self._create_client = create_client
        self._activating: tuple[object, Sequence[Mapping[str, Any]]] | None = None

    @reaching("GetContainerServices")
    def service(
        self, name: str, since: datetime | None = None, *, following: str | None = None
    ) -> Service:
        """The service as it shows itself now; reads may lag behind what was created.

        `since` is when the service was created that is meant, None if that is unknown. While the
        deployment of the release `following` is current or next, the versions are not read: 50 of
        them are 1.5 MB.

        Raises:
            RefusedError: there is no such service, or it was deleted and created again.
        """
        try:
            [found] = self._client.get_container_services(serviceName=name)["containerServices"]
            current = _deployment_or_none(found.get("currentDeployment"))
            upcoming = _deployment_or_none(found.get("nextDeployment"))
            followed = [one for one in (current, upcoming) if one and one.release == following]
            listed: Sequence[Deployment] = NotListed()
            if following is None or not followed:
                shown = self._deployments(name, may_lack=_never_deployed(found))
                listed = [_deployment(one) for one in shown]
        except ClientError as error:
            if error_code(error) == "NotFoundException":
                raise RefusedError(
                    f"serviceName: there is no container service {name} in this region; "
                    "create it in the Lightsail console, or correct the spec",
                    code=RefusalCode.SERVICE_MISSING,
                ) from error
            raise
        if since is not None and found["createdAt"] != since:
            raise RefusedError(
                f"serviceName: the container service {name} was deleted and created again: the "
                f"one of this release was created at {since:%Y-%m-%d %H:%M:%S} UTC, and this one "
                f"at {found['createdAt'].astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC. Its versions have "
                "nothing to do with this release",
                code=RefusalCode.SERVICE_REPLACED,
            )
        return Service(
            name=name,
            created_at=found["createdAt"],
            state=found["state"],
            disabled=found.get("isDisabled", False),
            current=current,
            next=upcoming,
            deployments=listed,
            url=found.get("url") or None,
            scale=found["scale"],
            power=found.get("power") or "",
            puller_role=_puller_role(found),
            puller_is_active=_puller(found).get("isActive") is True,
            principal_arn=found.get("principalArn") or None,
            tagged_stack=_tagged_stack(found),
        )

    @reaching("GetContainerServiceMetricData")
    def load(self, service: str) -> Mapping[str, float]:
        """The latest share of `cpu` and `memory` that its nodes use on average, in percent.

        Empty without a point: a new deployment deletes all of them (docs/lightsail.md, "Metrics and
        CloudTrail").
        """
        end = self._now()
        found = {}
        for name, metric in (("cpu", "CPUUtilization"), ("memory", "MemoryUtilization")):
            points = self._client.get_container_service_metric_data(
                serviceName=service,
                metricName=metric,
                startTime=end - _LOAD_WINDOW,
                endTime=end,
                period=_LOAD_PERIOD_SECONDS,
                statistics=["Average"],
            )["metricData"]
            if points:
                found[name] = max(points, key=lambda one: one["timestamp"])["average"]
        return found

    @reaching("GetContainerServiceDeployments")
    def listed(self, service: str, version: int) -> Mapping[str, Any]:
        """The deployment as the service lists it, with the secrets in its environment.

        Only for who deploys it again: nothing of it may be returned from a step, or logged.

        Raises:
            RefusedError: the service does not list it any more; it lists the last 50 versions.
        """
        return _listed(self._deployments(service), service, version)

    @reaching("GetContainerServiceDeployments")
    def mask(
        self,
        service: str,
        release: str | None = None,
        is_open: _OpenVariables = _NOTHING_OPEN,
        *,
        seen: Service | None = None,
    ) -> Mask:
        """Takes the secrets out of all that the service's containers write.

        Every variable of every deployment that the service shows counts as a secret: all of them
        write to the same logs. Only the variables that `is_open` names are left out, in the
        deployment of `release`.

        `seen` is the service as of now. While the deployment of `release` is its next one, no other
        deployment can begin, so the versions are read only once.

        Raises:
            NotShownError: the service does not show the deployment of `release`. Its secrets are
                unknown then.
        """
        key = _activating(seen, release)
        if key is None or self._activating is None or self._activating[0] != key:
            shown = self._deployments(service)
            if release is not None and not any(_release(one) == release for one in shown):
                raise NotShownError(f"{service} does not show the deployment of {release}")
            # Only the last one: what is kept has the secrets of an app.
            self._activating = None if key is None else (key, shown)
        else:
            shown = self._activating[1]
        return Mask(self._secrets(shown, release, is_open))

    @reaching("CreateContainerServiceDeployment")
    def create_deployment(self, request: Mapping[str, Any]) -> Deployment | Busy:
        """The new deployment, or why there can be none just now.

        Attempted once. Before another call, look for a deployment with the same marker, because
        the answer may have been lost.

        Raises:
            RefusedError: Lightsail finds the request wrong; its own words are kept.
        """
        try:
            answer = self._create_client.create_container_service_deployment(**request)
        except ClientError as error:
            code, message = error_code(error), error_message(error)
            words = Mask(_values(request)).text(message)
            if code == "ThrottlingException" or any(busy in message for busy in _BUSY_TEXTS):
                return Busy(reason=words)
            if code in ("InvalidInputException", "NotFoundException"):
                raise RefusedError(
                    f"Lightsail refuses the deployment: {words}", code=RefusalCode.DEPLOYMENT
                ) from None
            raise
        return _deployment(answer["containerService"]["nextDeployment"])

    @reaching("GetContainerLog")
    def gate_lines(
        self, service: str, container: str, since: datetime, mask: Mask | None = None
    ) -> list[str]:
        """The lines in the container's log since then that may come from its gate, masked.

        Oldest first, as far as they have arrived: the log lags by minutes. Without a `mask` the
        values of all variables are taken out.

        Raises:
            UnreachableError: the log cannot be read, so its content is unknown.
        """
        lines = self._lines(service, container, since, "lightgate")
        return reports(lines, mask or self.mask(service)) if lines else []

    @reaching("GetContainerLog")
    def applied(self, service: str, container: str, since: datetime) -> list[str]:
        """The migrations that Django says it applies or reverses, in the log since then."""
        pattern = '?"Applying" ?"Unapplying"'
        return applied_in(self._lines(service, container, since, pattern))

    @reaching("GetContainerLog")
    def shows_the_failure(self, service: str, container: str, deployment: Deployment) -> bool:
        """Whether the container's log has Lightsail's own line that the deployment failed.

        Raises:
            UnreachableError: the log cannot be read.
        """
        since, version = deployment.created_at - _CLOCK_MARGIN, deployment.version
        lines = self._lines(service, container, since, f'"[deployment:{version}]"')
        return shows_the_failure(lines, version)

    @reaching("GetContainerServiceDeployments")
    def app_logs(
        self, service: str, deployment: Deployment, is_open: _OpenVariables = _NOTHING_OPEN
    ) -> Mapping[str, AppLog | UnreachableError]:
        """The log of each container since the deployment was created, or why it could not be read.

        The lines are masked as `mask` says.

        Raises:
            RefusedError: the service does not list the deployment any more.
        """
        shown = self._deployments(service)
        listed = _listed(shown, service, deployment.version)
        secrets = self._secrets(shown, deployment.release, is_open)
        logs: dict[str, AppLog | UnreachableError] = {}
        for container in listed["containers"]:
            try:
                with reaching("GetContainerLog"):
                    lines = self._lines(service, container, deployment.created_at - _CLOCK_MARGIN)
            except UnreachableError as error:
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

    def _deployments(self, service: str, *, may_lack: bool = False) -> Sequence[Mapping[str, Any]]:
        """Every deployment that the service lists, with the environments.

        An answer without a list says nothing, but where it `may_lack` one there is none.
        """
        answer = self._client.get_container_service_deployments(serviceName=service)
        if may_lack and "deployments" not in answer:
            return []
        listed: Sequence[Mapping[str, Any]] = answer["deployments"]
        return listed

    def _secrets(
        self, shown: Iterable[Mapping[str, Any]], release: str | None, is_open: _OpenVariables
    ) -> list[str]:
        """The values of the variables, but of those that `mask` leaves out, and of expired URLs."""
        secret: set[str] = set()
        opened: set[str] = set()
        for deployment in shown:
            names = is_open if _release(deployment) == release else _NOTHING_OPEN
            is_signed = self._now() < deployment["createdAt"] + SIGNED_FOR
            for container, environment in _environments(deployment).items():
                for name, value in environment.items():
                    if name == MAILBOX_VARIABLE and not is_signed:
                        continue
                    is_known = name in (*_NO_SECRETS, *names.get(container, ()))
                    (opened if is_known else secret).add(value)
        return sorted(secret - opened)

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
        log = _Log(self._client, arguments)
        found = log.read(_MOST_LOG_PAGES)
        if not log.is_at_end:
            read_to = found[-1]["createdAt"] if found else since
            found += self._newest_events(log, read_to)
        return [event["message"] for event in found]

    def _newest_events(self, log: "_Log", since: datetime) -> list[Any]:
        """The end of a log whose pages begin at its other end: in windows, from the newest back."""
        found: list[Any] = []
        end, length = self._now() + _CLOCK_MARGIN, _CLOCK_MARGIN + _SHORTEST_WINDOW
        left = _MOST_NEWEST_PAGES
        while left > 0 and end > since:
            start = max(end - length, since)
            found = log.read(left, startTime=start + _MOMENT, endTime=end) + found
            left -= max(1, log.pages)
            end, length = start, _SHORTEST_WINDOW * 2 ** (_MOST_NEWEST_PAGES - left)
        return found


class _Log:
    """The log of a container. Pages may repeat events, and the last one may lead to itself.

    `pages` and `is_at_end` are about the last reading.
    """

    def __init__(self, client: Any, arguments: Mapping[str, Any]) -> None:  # noqa: ANN401
        self._client, self._arguments = client, arguments
        self._seen: set[tuple[datetime, str]] = set()
        self.pages = 0
        self.is_at_end = False

    def read(self, most: int, **window: datetime) -> list[Any]:
        """The events on as many pages, without those that an earlier page had."""
        found: list[Any] = []
        token: dict[str, str] = {}
        tokens: set[str] = set()
        self.pages, self.is_at_end = 0, False
        while self.pages < most and not self.is_at_end:
            page = self._page({**self._arguments, **window, **token})
            self.pages += 1
            # Only of another page: an app may write a line twice in one moment.
            new = [each for each in page.get("logEvents", []) if _identity(each) not in self._seen]
            self._seen.update(map(_identity, new))
            found += new
            following = page.get("nextPageToken")
            self.is_at_end = not following or (following in tokens and not new)
            if following:
                tokens.add(following)
                token = {"pageToken": following}
        return found

    def _page(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            page: Mapping[str, Any] = self._client.get_container_log(**arguments)
        except ClientError as error:
            # Whether a container that never wrote has a log at all is not known
            # (docs/lightsail.md, "Container logs"); to us both are silence.
            if error_code(error) == "NotFoundException":
                return {}
            raise
        return page


def _identity(event: Mapping[str, Any]) -> tuple[datetime, str]:
    return event["createdAt"], event["message"]


def _listed(shown: Sequence[Mapping[str, Any]], service: str, version: int) -> Mapping[str, Any]:
    for found in shown:
        if found["version"] == version:
            return found
    raise RefusedError(
        f"the container service {service} does not list version {version}; it lists the last 50 "
        "versions",
        code=RefusalCode.ROLLBACK,
    )


def _environments(deployment: Mapping[str, Any]) -> Mapping[str, Mapping[str, str]]:
    """The environment of each container, in a request as in an answer."""
    containers = deployment.get("containers", {})
    return {name: one.get("environment") or {} for name, one in containers.items()}


def _values(request: Mapping[str, Any]) -> list[str]:
    return [str(value) for one in _environments(request).values() for value in one.values()]


def _deployment_or_none(found: Mapping[str, Any] | None) -> Deployment | None:
    return _deployment(found) if found else None


def _activating(service: Service | None, release: str | None) -> object:
    """What identifies the service while it starts the deployment of the release; else None."""
    upcoming = service.next if service is not None else None
    if service is None or upcoming is None or release is None or upcoming.release != release:
        return None
    return service.name, service.created_at, upcoming.version, release


def _never_deployed(found: Mapping[str, Any]) -> bool:
    """Whether nothing shows that the service ever had a deployment."""
    is_known = found["state"] in ("DEPLOYING", "RUNNING")
    return not (is_known or found.get("currentDeployment") or found.get("nextDeployment"))


def _puller(found: Mapping[str, Any]) -> Mapping[str, Any]:
    role: Mapping[str, Any] = found.get("privateRegistryAccess", {}).get("ecrImagePullerRole", {})
    return role


def _puller_role(found: Mapping[str, Any]) -> str | None:
    """Empty for some minutes after it was activated (docs/lightsail.md, "Pulling from ECR")."""
    role = _puller(found)
    return (role.get("principalArn") or None) if role.get("isActive") else None


def _tagged_stack(found: Mapping[str, Any]) -> str | None:
    """The stack that the tag names: empty for a tag without a value, None without the tag."""
    tags = {tag["key"]: tag.get("value") or "" for tag in found.get("tags", [])}
    return tags.get(STACK_TAG)


def _release(found: Mapping[str, Any]) -> str | None:
    """The release whose marker the deployment carries, if it carries one."""
    return _marker(found, RELEASE_VARIABLE)


def _marker(found: Mapping[str, Any], variable: str) -> str | None:
    values = (one.get(variable) for one in _environments(found).values())
    return next((value for value in values if value), None)


def _deployment(found: Mapping[str, Any]) -> Deployment:
    containers = found.get("containers", {})
    return Deployment(
        version=found["version"],
        state=found["state"],
        created_at=found["createdAt"],
        release=_release(found),
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
