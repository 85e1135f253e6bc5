"""Whatever comes in as a body: an answer that an AWS client can read, and soon."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.lightsail.api.protocol import Wire
from tests.emulator.api.test_protocol import call
from tests.emulator.emulator import Emulator
from tests.emulator.images import web

OPERATIONS = [
    "CreateContainerService",
    "CreateContainerServiceDeployment",
    "DeleteContainerService",
    "GetContainerAPIMetadata",
    "GetContainerImages",
    "GetContainerLog",
    "GetContainerServiceDeployments",
    "GetContainerServiceMetricData",
    "GetContainerServicePowers",
    "GetContainerServices",
    "TagResource",
    "UntagResource",
    "UpdateContainerService",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
VALID: dict[str, Any] = {
    "serviceName": "fuzzed",
    "resourceName": "fuzzed",
    "containerName": "web",
    "power": "nano",
    "scale": 1,
    "containers": {"web": web()},
    "publicEndpoint": {"containerName": "web", "containerPort": 8000, "healthCheck": {}},
    "isDisabled": False,
    "tags": [{"key": "a", "value": "b"}],
    "tagKeys": ["a"],
    "filterPattern": "x",
    "pageToken": "x",
    "startTime": 1,
    "endTime": 2,
    "metricName": "CPUUtilization",
    "period": 300,
    "statistics": ["Average"],
    "deployment": {"containers": {"web": web()}},
    "privateRegistryAccess": {"ecrImagePullerRole": {"isActive": True}},
    "publicDomainNames": {"a": ["b"]},
}


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A request that is right but for some members that are anything."""
    body = dict(VALID)
    for name in draw(st.lists(st.sampled_from(sorted(VALID)), min_size=1, max_size=4)):
        body[name] = draw(JSON)
    for name in draw(st.lists(st.sampled_from(sorted(VALID)), max_size=3)):
        body.pop(name, None)
    # The services of this test are few: a create with a good new name would leave one each time.
    body["serviceName"] = draw(st.just("fuzzed") | JSON.filter(lambda x: not isinstance(x, str)))
    return json.dumps(body).encode()


@settings(
    max_examples=settings.default.max_examples * 3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operation=st.sampled_from(OPERATIONS), body=bodies() | st.binary(max_size=200))
def test_any_body_gets_an_answer_that_a_client_can_read(
    emulator: Emulator, operation: str, body: bytes
) -> None:
    status, answer = call(emulator, body, operation)
    assert status in (200, 400, 404)
    if status != 200:
        assert answer["__type"].endswith("Exception")
        assert answer["message"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_service_model_knows_the_operation(operation: str) -> None:
    assert Wire().parse(
        f"Lightsail_20161128.{operation}", json.dumps(VALID).encode(), refuse_unknown=False
    )
