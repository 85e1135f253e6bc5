"""The operations of the API: one method for each, from checked parameters to an answer."""

import uuid
from collections.abc import Awaitable, Mapping
from typing import Any

from botocore import xform_name

from local.lightsail.api.responses import deployment_answer, powers_answer, service_answer
from local.lightsail.api.validation import check_service_name, read_deployment, read_metric_query
from local.lightsail.errors import ApiError, invalid_input, not_found
from local.lightsail.model import BusyError, DisabledError, Service
from local.lightsail.service.log_filter import compile_pattern
from local.lightsail.service.logs import LogQuery
from local.lightsail.service.region import Region
from local.lightsail.service.service_runner import ServiceRunner

type Parameters = Mapping[str, Any]
type Answer = dict[str, Any]

_MAX_SERVICES = 100


class Operations:
    """Carries out operations on the services of one Region."""

    def __init__(self, region: Region) -> None:
        self._region = region

    async def perform(self, operation: str, parameters: Parameters) -> Answer:
        try:
            perform = getattr(self, f"_{xform_name(operation)}", None)
            if perform is None:
                raise ApiError(
                    "UnknownOperationException", f"{operation} is not supported by this emulator."
                )
            answer: Answer | Awaitable[Answer] = perform(parameters)
            return await answer if isinstance(answer, Awaitable) else answer
        except (BusyError, DisabledError) as refusal:
            raise invalid_input(str(refusal)) from None

    def _runner(self, parameters: Parameters, member: str = "serviceName") -> ServiceRunner:
        name = parameters[member]
        runner = self._region.services.get(name)
        if runner is None:
            raise not_found(f'The container service "{name}" does not exist.')
        return runner

    def _scale(self, scale: int) -> int:
        if not 1 <= scale <= 20:
            raise invalid_input(f"The scale must be between 1 and 20, not {scale}.")
        if scale > 1 and (why := self._region.network.why_one_node) is not None:
            raise invalid_input(f"The scale must be 1, not {scale}: {why}.")
        return scale

    def _answer(self, runner: ServiceRunner, service: Service) -> Answer:
        return service_answer(service, runner.load_balancer.url, runner.switches())

    async def _create_container_service(self, parameters: Parameters) -> Answer:
        region = self._region
        name = check_service_name(parameters["serviceName"])
        if name in region.services:
            raise invalid_input(f'A container service named "{name}" already exists.')
        if len(region.services) >= _MAX_SERVICES:
            raise invalid_input(f"You can have at most {_MAX_SERVICES} container services.")
        now = region.clock()
        service = Service(
            name=name,
            arn=f"arn:aws:lightsail:{region.name}:{region.account}:ContainerService/{uuid.uuid4()}",
            created_at=now,
            power=parameters["power"],
            scale=self._scale(parameters["scale"]),
            tags=_tags(parameters.get("tags", ())),
            public_domain_names=_domain_names(parameters) or {},
            puller_role=_puller_role(parameters) or False,
        )
        if "deployment" in parameters:
            digests = region.switches_of(name).digest_images == "accept"
            containers, endpoint = read_deployment(parameters["deployment"], name, digests=digests)
            service = service.with_first_deployment(containers, endpoint, now)
        runner = await region.add(service)
        runner.begin()
        return {"containerService": self._answer(runner, runner.service)}

    def _update_container_service(self, parameters: Parameters) -> Answer:
        runner = self._runner(parameters)
        wanted = {
            "power": parameters.get("power"),
            "scale": self._scale(parameters["scale"]) if "scale" in parameters else None,
            "is_disabled": parameters.get("isDisabled"),
            "public_domain_names": _domain_names(parameters),
            "puller_role": _puller_role(parameters),
        }
        changes = {name: value for name, value in wanted.items() if value is not None}
        return {"containerService": self._answer(runner, runner.update(changes))}

    def _delete_container_service(self, parameters: Parameters) -> Answer:
        self._runner(parameters).delete()
        return {}

    def _get_container_services(self, parameters: Parameters) -> Answer:
        if "serviceName" in parameters:
            runners = [self._runner(parameters)]
        else:
            runners = [self._region.services[name] for name in sorted(self._region.services)]
        return {"containerServices": [self._answer(each, each.shown) for each in runners]}

    def _create_container_service_deployment(self, parameters: Parameters) -> Answer:
        runner = self._runner(parameters)
        digests = runner.switches().digest_images == "accept"
        containers, endpoint = read_deployment(parameters, runner.service.name, digests=digests)
        return {"containerService": self._answer(runner, runner.deploy(containers, endpoint))}

    def _get_container_service_deployments(self, parameters: Parameters) -> Answer:
        newest_first = reversed(self._runner(parameters).shown.deployments)
        return {"deployments": [deployment_answer(each) for each in newest_first]}

    def _get_container_log(self, parameters: Parameters) -> Answer:
        runner = self._runner(parameters)
        container = parameters["containerName"]
        stream = self._region.logs.stream(runner.service.name, container)
        query = LogQuery(
            start=parameters.get("startTime"),
            end=parameters.get("endTime"),
            pattern=compile_pattern(parameters.get("filterPattern", "")),
            page_token=parameters.get("pageToken"),
        )
        if stream is None and runner.switches().unknown_container_log == "refuse":
            raise not_found(f'There is no log for container "{container}".')
        if stream is None:
            return {"logEvents": []}
        events, token = stream.read(query, runner.switches(), self._region.clock())
        found = [{"createdAt": event.created_at, "message": event.message} for event in events]
        return {"logEvents": found, "nextPageToken": token}

    def _get_container_service_metric_data(self, parameters: Parameters) -> Answer:
        runner = self._runner(parameters)
        switches = runner.switches()
        points = runner.metrics.read(
            read_metric_query(parameters),
            switches.seconds(switches.metric_interval),
            self._region.clock(),
        )
        return {"metricName": parameters["metricName"], "metricData": points}

    def _get_container_images(self, parameters: Parameters) -> Answer:
        self._runner(parameters)
        return {"containerImages": []}

    def _get_container_service_powers(self, _: Parameters) -> Answer:
        return {"powers": powers_answer()}

    def _is_vpc_peered(self, _: Parameters) -> Answer:
        return {"isPeered": self._region.is_vpc_peered}

    def _peer_vpc(self, _: Parameters) -> Answer:
        self._region.is_vpc_peered = True
        return {"operation": {"operationType": "PeeredVpc", "status": "Succeeded"}}

    def _unpeer_vpc(self, _: Parameters) -> Answer:
        self._region.is_vpc_peered = False
        return {"operation": {"operationType": "UnpeeredVpc", "status": "Succeeded"}}

    def _get_container_api_metadata(self, _: Parameters) -> Answer:
        return {"metadata": [{"name": "lightsailctlVersion", "value": "2.0.0"}]}

    def _tag_resource(self, parameters: Parameters) -> Answer:
        runner = self._runner(parameters, "resourceName")
        runner.set_tags({**runner.service.tags, **_tags(parameters["tags"])})
        return {"operations": []}

    def _untag_resource(self, parameters: Parameters) -> Answer:
        runner = self._runner(parameters, "resourceName")
        gone = set(parameters["tagKeys"])
        runner.set_tags({k: v for k, v in runner.service.tags.items() if k not in gone})
        return {"operations": []}


def _tags(given: Any) -> dict[str, str]:  # noqa: ANN401 - checked by the service model
    return {each.get("key", ""): each.get("value", "") for each in given}


def _domain_names(parameters: Parameters) -> dict[str, tuple[str, ...]] | None:
    given = parameters.get("publicDomainNames")
    return None if given is None else {name: tuple(each) for name, each in given.items()}


def _puller_role(parameters: Parameters) -> bool | None:
    role: dict[str, bool] = parameters.get("privateRegistryAccess", {}).get(
        "ecrImagePullerRole", {}
    )
    return role.get("isActive")
