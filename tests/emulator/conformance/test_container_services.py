"""The facts of docs/lightsail.md about container services, at the emulator or at AWS.

The tests assert nothing that is unknown about Lightsail, so they hold with every switch.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.conformance.targets import Target
from tests.emulator.emulator import DEFAULT_CHECK, Service

CRASH = "raise SystemExit(1)"
STAY = "import time; time.sleep(9999)"
PATIENT = {"unhealthyThreshold": 50}
"""A node that is not healthy yet may be replaced; the emulator's hurry must not cause that."""
NAME = r"^(?:[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9])$"


def newest(service: Service) -> int:
    listed = service.api.get_container_service_deployments(serviceName=service.name)
    return max((int(each["version"]) for each in listed["deployments"]), default=0)


def settled(service: Service, *states: str) -> None:
    service.waits_for(*(states or ("READY", "RUNNING")))


def refused(service: Service, request: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as refusal:
        service.api.create_container_service_deployment(serviceName=service.name, **request)
    assert refusal.value.response["Error"]["Code"] == "InvalidInputException"
    return str(refusal.value.response["Error"]["Message"])


def test_a_service_has_the_documented_members(service: Service) -> None:
    seen = service.read()
    assert seen["arn"].split(":")[5].startswith("ContainerService/")
    assert seen["privateDomainName"] == f"{service.name}.service.local"
    assert (seen["power"], seen["powerId"], seen["scale"]) == ("nano", "nano-1", 1)
    assert seen["location"]["availabilityZone"] == "all"
    assert seen["resourceType"] == "ContainerService"
    assert seen["isDisabled"] is False
    assert seen["principalArn"]


def test_a_first_deployment_that_fails_leaves_the_service_ready(lightsail: Target) -> None:
    service = lightsail.service()
    version = service.deploy(
        {"web": {**lightsail.web("v1"), **lightsail.script(CRASH)}}, "web", **PATIENT
    )
    assert version == 1
    assert service.ended(version) == "FAILED"
    settled(service, "READY")
    assert "currentDeployment" not in service.read()


def test_a_create_answers_with_the_version_and_echoes_the_defaults(
    service: Service, lightsail: Target
) -> None:
    before = newest(service)
    container = lightsail.web("echo")
    answer = service.api.create_container_service_deployment(
        serviceName=service.name,
        containers={"web": container, "side": lightsail.script(STAY)},
        publicEndpoint={"containerName": "web", "containerPort": 8000},
    )["containerService"]
    assert answer["state"] == "DEPLOYING"
    upcoming = answer["nextDeployment"]
    assert (upcoming["version"], upcoming["state"]) == (before + 1, "ACTIVATING")
    assert upcoming["containers"]["web"] == container
    assert upcoming["containers"]["side"]["environment"] == {}
    assert upcoming["containers"]["side"]["ports"] == {}
    assert upcoming["publicEndpoint"]["healthCheck"] == DEFAULT_CHECK
    service.ended(before + 1)


def test_a_good_deployment_is_active_and_serves_and_the_one_before_is_inactive(
    service: Service, lightsail: Target
) -> None:
    first = service.deploy({"web": lightsail.web("one")}, "web", **PATIENT)
    assert service.ended(first) == "ACTIVE"
    settled(service, "RUNNING")
    second = service.deploy({"web": lightsail.web("two")}, "web", **PATIENT)
    assert second == first + 1
    assert service.ended(second) == "ACTIVE"
    settled(service, "RUNNING")
    service.wait_for(lambda: service.get() == (200, "two"), "the new one serves")
    assert service.deployment_state(first) == "INACTIVE"
    assert service.read()["currentDeployment"]["version"] == second
    assert "nextDeployment" not in service.read()


def test_a_failed_deployment_leaves_the_one_before_serving_and_the_service_running(
    service: Service, lightsail: Target
) -> None:
    good = service.deploy({"web": lightsail.web("good")}, "web", **PATIENT)
    assert service.ended(good) == "ACTIVE"
    settled(service, "RUNNING")
    crashing = {**lightsail.web("bad"), **lightsail.script(CRASH)}
    bad = service.deploy({"web": crashing}, "web", **PATIENT)
    assert service.ended(bad) == "FAILED"
    settled(service, "RUNNING")
    assert service.read()["currentDeployment"]["version"] == good
    assert service.get() == (200, "good")


def test_a_second_deployment_meanwhile_is_refused_and_takes_no_version(
    service: Service, lightsail: Target
) -> None:
    # Still in progress when a throttled client has waited and tried again.
    version = service.deploy({"web": lightsail.web("first", after=5)}, "web", **PATIENT)
    request = {"containers": {"web": lightsail.web("second")}}
    assert refused(service, request) == (
        f'Sorry, deployment {version} is in progress for service "{service.name}". '
        "Please wait for it to complete before trying again."
    )
    service.ended(version)
    settled(service, "RUNNING")
    assert newest(service) == version


def has_written(service: Service, container: str, line: str) -> bool:
    """Whether the line has arrived. Before the first one there may be no log at all."""
    try:
        return line in service.log(container)
    except service.api.exceptions.NotFoundException:
        return False


def test_containers_of_one_node_share_loopback(service: Service, lightsail: Target) -> None:
    ask = """
import time, urllib.request
while True:
    try:
        with urllib.request.urlopen("http://localhost:8000/") as answer:
            print("sibling says", answer.read().decode(), flush=True)
        break
    except OSError:
        time.sleep(0.05)
time.sleep(9999)
"""
    version = service.deploy(
        {"web": lightsail.web("shared"), "side": lightsail.script(ask)}, "web", **PATIENT
    )
    assert service.ended(version) == "ACTIVE"
    service.wait_for(lambda: has_written(service, "side", "sibling says shared"), "it is told")


def test_without_a_public_endpoint_it_is_active_and_the_url_says_404(
    service: Service, lightsail: Target
) -> None:
    version = service.deploy({"work": lightsail.script(STAY)})
    assert service.ended(version) == "ACTIVE"
    settled(service, "RUNNING")
    service.wait_for(lambda: service.get()[0] == 404, "nothing is public")


def test_a_log_is_of_a_container_name_over_all_deployments(
    service: Service, lightsail: Target
) -> None:
    versions = []
    for tag in ("log-a", "log-b"):
        versions.append(service.deploy({"talk": lightsail.web(tag)}))
        service.ended(versions[-1])
        settled(service, "RUNNING")
        service.wait_for(lambda line=f"serving {tag}": has_written(service, "talk", line), "it ran")  # type: ignore[misc]
    wanted = [
        line
        for version, tag in zip(versions, ("log-a", "log-b"), strict=True)
        for line in (f"[deployment:{version}] Creating your deployment", f"serving {tag}")
    ]

    def found() -> bool:
        return [line for line in service.log("talk") if line in wanted] == wanted

    service.wait_for(found, "the lines of both, oldest first")
    last = f"[deployment:{versions[-1]}]"
    lines = service.log("talk", filterPattern=f'"{last}" -serving')
    assert lines
    assert all(line.startswith(last) for line in lines)
    assert service.log("talk", filterPattern='"serving log-a"') == ["serving log-a"]


@pytest.mark.parametrize(
    ("containers", "says"),
    [
        (
            {"backend_api": {"image": "nginx"}},
            f'Container name "backend_api" does not match pattern: {NAME}',
        ),
        (
            {"front": {"image": ":container-service-1.my-app.LATEST"}},
            'Container "front" has invalid image ":container-service-1.my-app.LATEST". '
            'Example of valid image: ":SERVICE.front.123".',
        ),
    ],
)
def test_a_bad_deployment_is_refused_in_lightsails_words(
    service: Service, containers: dict[str, Any], says: str
) -> None:
    before = newest(service)
    text = refused(service, {"containers": containers})
    assert text.replace(service.name, "SERVICE") == says
    assert newest(service) == before


def test_an_unknown_service_is_not_found(lightsail: Target) -> None:
    for call in (
        lightsail.api.get_container_services,
        lightsail.api.get_container_service_deployments,
        lightsail.api.delete_container_service,
    ):
        with pytest.raises(lightsail.api.exceptions.NotFoundException):
            call(serviceName="no-such-service-anywhere")


def test_metric_data_has_its_shape(service: Service) -> None:
    now = datetime.now(UTC)
    answer = service.api.get_container_service_metric_data(
        serviceName=service.name,
        metricName="CPUUtilization",
        startTime=now - timedelta(hours=1),
        endTime=now + timedelta(seconds=1),
        period=300,
        statistics=["Average", "Maximum"],
    )
    assert answer["metricName"] == "CPUUtilization"
    for point in answer["metricData"]:
        assert point["unit"] == "Percent"
        assert 0 <= point["average"] <= point["maximum"]


def test_a_change_of_scale_keeps_serving(service: Service, lightsail: Target) -> None:
    service.ended(service.deploy({"web": lightsail.web("sized")}, "web", **PATIENT))
    settled(service, "RUNNING")
    for scale in (2, 1):
        answer = service.api.update_container_service(serviceName=service.name, scale=scale)
        assert answer["containerService"]["scale"] == scale
        service.wait_for(lambda: service.get() == (200, "sized"), "it serves meanwhile")
        settled(service, "RUNNING")
        assert service.get() == (200, "sized")


def test_a_disabled_service_answers_503_and_takes_no_deployment_until_it_is_enabled(
    service: Service, lightsail: Target
) -> None:
    service.ended(service.deploy({"web": lightsail.web("again")}, "web", **PATIENT))
    settled(service, "RUNNING")
    service.api.update_container_service(serviceName=service.name, isDisabled=True)
    settled(service, "DISABLED")
    service.wait_for(lambda: service.get()[0] == 503, "it is off")
    request = {"containers": {"web": lightsail.web("no")}}
    assert "disabled and cannot be deployed to" in refused(service, request)
    service.api.update_container_service(serviceName=service.name, isDisabled=False)
    settled(service, "RUNNING")
    service.wait_for(lambda: service.get() == (200, "again"), "it serves again")


def test_a_deleted_service_is_gone(lightsail: Target) -> None:
    service = lightsail.service()
    service.api.delete_container_service(serviceName=service.name)

    def gone() -> bool:
        try:
            return service.state == ""
        except lightsail.api.exceptions.NotFoundException:
            return True

    service.wait_for(gone, "the service is gone")
