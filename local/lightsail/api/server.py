"""The HTTP server: the API at `/`, and the emulator's own controls under `/_control`."""

import json
import logging
import uuid
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from local.lightsail.api.operations import Operations
from local.lightsail.api.protocol import CONTENT_TYPE, Wire, check_signature_header, error_answer
from local.lightsail.errors import ApiError, service_failure, throttled
from local.lightsail.service.region import Region
from local.lightsail.switches import Switches, UnknownSwitchError

if TYPE_CHECKING:
    from local.lightsail.api.permissions import Permissions

_LOG = logging.getLogger(__name__)
_MAX_BODY = 4 * 1024 * 1024


class Server:
    """Answers every request, however broken, as AWS does."""

    def __init__(self, region: Region, permissions: "Permissions | None" = None) -> None:
        """Serve a Region. Without `permissions` every signed request is allowed."""
        self._region = region
        self._permissions = permissions
        self._operations = Operations(region)
        self._wire = Wire()
        self._throttle_debt = 0.0

    def application(self) -> web.Application:
        application = web.Application(client_max_size=_MAX_BODY)
        routes = application.router
        routes.add_get("/_control/switches", self._get_switches)
        routes.add_put("/_control/switches", self._put_switches)
        routes.add_get("/_control/services/{service}/switches", self._get_switches)
        routes.add_put("/_control/services/{service}/switches", self._put_switches)
        routes.add_post("/_control/services/{service}/replace-node", self._replace_node)
        routes.add_route("*", "/{path:.*}", self._api)
        return application

    async def _api(self, request: web.Request) -> web.Response:
        try:
            status, body = HTTPStatus.OK, await self._perform(request)
        except ApiError as refusal:
            status, body = error_answer(refusal)
        except Exception:  # noqa: BLE001
            # A bug of the emulator is an error of the service to a client.
            _LOG.exception("%s failed", request.headers.get("X-Amz-Target"))
            status, body = error_answer(service_failure())
        headers = {"x-amzn-RequestId": str(uuid.uuid4())}
        return web.Response(status=status, body=body, content_type=CONTENT_TYPE, headers=headers)

    async def _perform(self, request: web.Request) -> bytes:
        if request.method != "POST" or request.path != "/":
            raise ApiError("UnknownOperationException", f"{request.method} {request.path}")
        check_signature_header(request.headers.get("Authorization"))
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise ApiError(
                "RequestEntityTooLargeException",
                f"The request body is larger than {_MAX_BODY} bytes.",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            ) from None
        self._throttle(self._region.switches)
        operation, parameters = self._wire.parse(
            request.headers.get("X-Amz-Target"),
            body,
            refuse_unknown=self._region.switches.unknown_members == "refuse",
        )
        if self._permissions is not None:
            arn = self._region.service_arn(parameters)
            tags = self._region.service_tags(parameters)
            await self._permissions.check(request, body, operation, arn, tags, parameters)
        answer = await self._operations.perform(operation, parameters)
        return self._wire.render(operation, answer)

    def _throttle(self, switches: Switches) -> None:
        """Refuse the share of calls that the switch names, evenly spread."""
        self._throttle_debt += switches.throttle_rate
        if self._throttle_debt >= 1:
            self._throttle_debt -= 1
            raise throttled(switches.throttle_text)

    async def _get_switches(self, request: web.Request) -> web.Response:
        service = request.match_info.get("service")
        switches = self._region.switches_of(service) if service else self._region.switches
        return web.json_response(asdict(switches))

    async def _put_switches(self, request: web.Request) -> web.Response:
        changes = await _json_object(request)
        try:
            after = self._region.change_switches(changes, request.match_info.get("service"))
        except UnknownSwitchError as problem:
            raise _bad_request(str(problem)) from None
        return web.json_response(asdict(after))

    async def _replace_node(self, request: web.Request) -> web.Response:
        runner = self._region.services.get(request.match_info["service"])
        wanted = await _json_object(request)
        index, abrupt = wanted.get("node", 0), bool(wanted.get("abrupt", False))
        if not isinstance(index, int):
            raise _bad_request("node: must be a number")
        if runner is None or not runner.replace_node(index, abrupt=abrupt):
            return web.json_response({"message": "no such service, or it runs nothing"}, status=404)
        return web.json_response({}, status=202)


async def _json_object(request: web.Request) -> dict[str, Any]:
    body = await request.read()
    try:
        given = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise _bad_request("the body must be a JSON object")
    return given


def _bad_request(message: str) -> web.HTTPBadRequest:
    body = json.dumps({"message": message})
    return web.HTTPBadRequest(text=body, content_type="application/json")
