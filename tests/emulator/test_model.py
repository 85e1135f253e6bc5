"""The rules of services and deployments, without any process."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter

from local.lightsail.model import (
    BusyError,
    Container,
    DeploymentState,
    DisabledError,
    HealthCheck,
    Service,
    ServiceState,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTAINERS = {"web": Container(image="nginx")}


@pytest.fixture
def ready() -> Service:
    made = Service(name="svc", arn="arn", created_at=NOW, power="nano", scale=1)
    assert made.state is ServiceState.PENDING
    return made.ended()


def test_states_over_time_are_those_of_the_facts(ready: Service) -> None:
    assert ready.state is ServiceState.READY
    first = ready.deploying(CONTAINERS, None, NOW)
    assert (first.state, first.current_deployment) == (ServiceState.DEPLOYING, None)
    assert first.failed(1).state is ServiceState.READY
    live = first.activated(1)
    assert (live.state, live.next_deployment) == (ServiceState.RUNNING, None)
    second = live.deploying(CONTAINERS, None, NOW)
    assert second.failed(2).state is ServiceState.RUNNING
    after = second.activated(2)
    assert [each.state for each in after.deployments] == ["INACTIVE", "ACTIVE"]


def test_versions_count_failed_deployments_and_not_refused_ones(ready: Service) -> None:
    service = ready.deploying(CONTAINERS, None, NOW)
    with pytest.raises(BusyError, match="deployment 1 is in progress"):
        service.deploying(CONTAINERS, None, NOW)
    service = service.failed(1).deploying(CONTAINERS, None, NOW)
    assert service.next_deployment is not None
    assert service.next_deployment.version == 2


def test_fifty_versions_are_kept(ready: Service) -> None:
    service = ready
    for version in range(1, 53):
        service = service.deploying(CONTAINERS, None, NOW).failed(version)
    assert [each.version for each in service.deployments] == list(range(3, 53))


def test_the_current_deployment_is_remembered_whatever_failed_since(ready: Service) -> None:
    service = ready.deploying(CONTAINERS, None, NOW).activated(1)
    for version in range(2, 60):
        service = service.deploying(CONTAINERS, None, NOW).failed(version)
    assert service.state is ServiceState.RUNNING
    assert service.current_deployment is not None
    assert service.current_deployment.version == 1


def test_a_disabled_or_changing_service_takes_no_deployment(ready: Service) -> None:
    updating = ready.begun(ServiceState.UPDATING)
    with pytest.raises(BusyError, match="Please try again in a few minutes"):
        updating.deploying(CONTAINERS, None, NOW)
    pending = Service(
        name="s", arn="a", created_at=NOW, power="nano", scale=1, is_disabled=True, changing=None
    )
    with pytest.raises(DisabledError, match="disabled and cannot be deployed to"):
        pending.deploying(CONTAINERS, None, NOW)


@pytest.mark.parametrize(
    ("codes", "accepted", "refused"),
    [
        ("200-499", [200, 404, 499], [500, 199]),
        ("200", [200], [201]),
        ("200,301-302", [302], [300]),
    ],
)
def test_success_codes_are_lists_and_ranges(
    codes: str, accepted: list[int], refused: list[int]
) -> None:
    check = HealthCheck(success_codes=codes)
    assert all(map(check.accepts, accepted))
    assert not any(map(check.accepts, refused))


def test_a_service_survives_the_disk(ready: Service) -> None:
    service = ready.deploying(CONTAINERS, None, NOW).activated(1)
    stored = TypeAdapter(Service)
    assert stored.validate_json(stored.dump_json(service)) == service
    assert service.deployments[0].state is DeploymentState.ACTIVE
