"""When no report of a gate can follow any more: by the logs of its failed deployment."""

from datetime import timedelta

import pytest

from lightgate.deployment.status import Deployment
from lightgate.names import RELEASE_VARIABLE
from lightgate.operations.read_gates import has_told_all
from lightgate.runtime import Runtime, Settings
from tests.component.cloud import Cloud
from tests.component.lightsail_service import GET_LOG, Course

NAME, RELEASE = "crops-backend", "r1"
END = "[deployment:1] Canceled"


@pytest.fixture
def runtime(cloud: Cloud) -> Runtime:
    cloud.lightsail.add(NAME)
    return Runtime(Settings.from_environment({}))


def told_all(
    cloud: Cloud,
    runtime: Runtime,
    written: dict[str, str],
    *,
    may_have_begun: bool,
    ends: str | None = "FAILED",
) -> bool:
    if ends is not None:  # without any lines of Lightsail but those that are given
        cloud.lightsail.switches = cloud.lightsail.switches.changed({"puller_policy": "silent"})
    cloud.lightsail.courses.append(Course(ends=ends))
    container = {"image": "registry/crops:1", "environment": {RELEASE_VARIABLE: RELEASE}}
    made = runtime.lightsail.create_deployment(
        {"serviceName": NAME, "containers": {"web": container, "migrate": container}}
    )
    assert isinstance(made, Deployment)
    for name, line in written.items():
        cloud.lightsail.logs.restore(NAME, name, line, cloud.clock.now())
    cloud.clock.sleep(timedelta(minutes=30).total_seconds())
    service = runtime.lightsail.service(NAME)
    ours = service.deployment_of(RELEASE)
    return has_told_all(service, ours, ["migrate"], runtime, may_have_begun=may_have_begun)


@pytest.mark.parametrize(
    ("written", "may_have_begun", "expected"),
    [
        ({"migrate": END}, True, True),
        ({"web": END}, True, False),
        ({"web": END}, False, True),
        ({"web": "[deployment:1] Took too long"}, False, True),
        ({}, False, False),
        ({"web": "[deployment:10] Canceled"}, False, False),
        ({"web": "[deployment:1] Started 1 new node"}, False, False),
        ({"web": "the app says: [deployment:1] Canceled"}, False, False),
    ],
)
def test_no_report_follows_once_the_logs_show_the_end(
    cloud: Cloud,
    runtime: Runtime,
    written: dict[str, str],
    *,
    may_have_begun: bool,
    expected: bool,
) -> None:
    assert told_all(cloud, runtime, written, may_have_begun=may_have_begun) is expected


def test_a_deployment_in_progress_may_always_report_more(cloud: Cloud, runtime: Runtime) -> None:
    assert not told_all(cloud, runtime, {"web": END}, may_have_begun=False, ends=None)


def test_a_log_that_cannot_be_read_shows_no_end(cloud: Cloud, runtime: Runtime) -> None:
    cloud.lightsail.fail(GET_LOG, *["broken"] * 8)

    assert not told_all(cloud, runtime, {"web": END}, may_have_begun=False)
