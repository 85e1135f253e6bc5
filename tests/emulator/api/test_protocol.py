"""What comes over the wire, well-formed and not: always an answer that an AWS client can read."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.emulator.emulator import Emulator
from tests.emulator.images import web

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/lightsail/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)


def call(
    emulator: Emulator,
    body: bytes | str,
    operation: str = "GetContainerServices",
    authorization: str | None = SIGNED,
    **more: str,
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(urlsplit(emulator.endpoint).netloc, timeout=10)
    headers = {"X-Amz-Target": f"Lightsail_20161128.{operation}", **more}
    if authorization is not None:
        headers["Authorization"] = authorization
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    assert answer.headers["Content-Type"].startswith("application/x-amz-json-1.1")
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", "SerializationException"),
        ("[]", "SerializationException"),
        ("null", "SerializationException"),
        (b"\xff\xfe\x00", "SerializationException"),
        ("[" * 100_000, "SerializationException"),
        ('{"serviceName": 5}', "SerializationException"),
        ('{"serviceName": {"a": []}}', "SerializationException"),
        ('{"serviceName": ""}', "InvalidInputException"),
        ('{"serviceName": "absent"}', "NotFoundException"),
    ],
)
def test_a_malformed_body_is_an_aws_error(emulator: Emulator, body: bytes | str, code: str) -> None:
    status, answer = call(emulator, body)
    assert status in (400, 404)
    assert answer["__type"] == code
    assert answer["message"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"serviceName": "x", "power": "nano"},
        {"serviceName": "x", "power": "huge", "scale": 1},
        {"serviceName": "x", "power": "nano", "scale": 21},
        {"serviceName": "Bad_Name", "power": "nano", "scale": 1},
        {"serviceName": "x", "power": "nano", "scale": "1"},
        {"serviceName": "x", "power": "nano", "scale": True},
    ],
)
def test_a_bad_service_is_refused(emulator: Emulator, body: dict[str, Any]) -> None:
    status, answer = call(emulator, json.dumps(body), "CreateContainerService")
    assert status == 400
    assert answer["__type"] in ("InvalidInputException", "SerializationException")


def test_a_packed_body_is_not_what_clients_send(emulator: Emulator) -> None:
    status, answer = call(emulator, "{}", **{"Content-Encoding": "gzip"})
    assert (status, "containerServices" in answer) == (200, True)


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"\xff", b"[]", b'{"speed": 0}', b'{"speed": "nan"}', b'{"nothing": 1}'),
        *(b'{"relaunch_limit": 1e400}', b'{"speed": null}', b"[" * 100_000),
    ],
)
def test_a_bad_body_of_the_control_endpoint_is_refused_in_one_line(
    emulator: Emulator, body: bytes
) -> None:
    before = emulator.control("GET", "switches")
    with pytest.raises(urllib.error.HTTPError) as refused:
        put(emulator, "switches", body)
    with refused.value as answer:
        assert answer.code == 400
        assert len(json.load(answer)["message"].splitlines()) == 1
    assert emulator.control("GET", "switches") == before


@pytest.mark.parametrize("node", ["x", None, [], 1e400])
def test_a_bad_node_number_is_refused(emulator: Emulator, node: object) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        emulator.control("POST", "services/noded/replace-node", {"node": node})
    with refused.value as answer:
        assert answer.code == 400
        assert json.load(answer)["message"] == "node: must be a number"


def put(emulator: Emulator, path: str, body: bytes) -> None:
    address = f"{emulator.endpoint}/_control/{path}"
    urllib.request.urlopen(urllib.request.Request(address, body, method="PUT")).close()


def test_a_huge_body_is_refused(emulator: Emulator) -> None:
    status, answer = call(emulator, b"x" * (5 * 1024 * 1024))
    assert (status, answer["__type"]) == (413, "RequestEntityTooLargeException")


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "MissingAuthenticationTokenException"),
        ("Basic dGVzdDp0ZXN0", "IncompleteSignatureException"),
        (SIGNED.replace("lightsail", "s3"), "IncompleteSignatureException"),
        (SIGNED[:-1], "IncompleteSignatureException"),
    ],
)
def test_an_unsigned_request_is_refused(
    emulator: Emulator, authorization: str | None, code: str
) -> None:
    status, answer = call(emulator, "{}", authorization=authorization)
    assert (status, answer["__type"]) == (400, code)


@pytest.mark.parametrize("operation", ["NoSuchThing", "GetInstances", ""])
def test_an_operation_that_is_not_there_is_unknown(emulator: Emulator, operation: str) -> None:
    status, answer = call(emulator, "{}", operation)
    assert (status, answer["__type"]) == (400, "UnknownOperationException")


def test_times_are_epoch_seconds(emulator: Emulator) -> None:
    emulator.service("epoch")
    _, answer = call(emulator, '{"serviceName": "epoch"}')
    assert isinstance(answer["containerServices"][0]["createdAt"], float | int)


def test_unknown_members_are_ignored_or_refused(emulator: Emulator) -> None:
    emulator.service("members")
    body = '{"serviceName": "members", "dependsOn": []}'
    assert call(emulator, body)[0] == 200
    emulator.control("PUT", "switches", {"unknown_members": "refuse"})
    try:
        status, answer = call(emulator, body)
        assert (status, answer["__type"]) == (400, "InvalidInputException")
        assert "dependsOn" in answer["message"]
    finally:
        emulator.control("PUT", "switches", {"unknown_members": "ignore"})


@pytest.mark.parametrize(
    ("containers", "public", "says"),
    [
        ({f"c{n}": web() for n in range(11)}, None, "at most 10 containers"),
        ({}, None, "at least one container"),
        ({"web": {**web(), "ports": {"8000": "GRPC"}}}, None, "HTTP, HTTPS, TCP, UDP"),
        ({"web": {**web(), "ports": {"http": "HTTP"}}}, None, 'invalid port "http"'),
        ({"web": web()}, ("api", 8000), 'names container "api", which is not deployed'),
        ({"web": web()}, ("web", 9000), 'port 9000, which container "web" does not open'),
        ({"web": {**web(), "environment": {"A=B": "x"}}}, None, "invalid environment variable"),
    ],
)
def test_a_bad_deployment_is_refused_with_the_reason(
    emulator: Emulator, containers: dict[str, Any], public: tuple[str, int] | None, says: str
) -> None:
    name = f"rules-{abs(hash(says))}"
    emulator.service(name)
    request: dict[str, Any] = {"serviceName": name, "containers": containers}
    if public:
        request["publicEndpoint"] = {"containerName": public[0], "containerPort": public[1]}
    with pytest.raises(ClientError) as refused:
        emulator.api.create_container_service_deployment(**request)
    assert refused.value.response["Error"]["Code"] == "InvalidInputException"
    assert says in refused.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    "check",
    [{"intervalSeconds": 4}, {"timeoutSeconds": 61}, {"successCodes": "200-600"}, {"path": "x"}],
)
def test_a_bad_health_check_is_refused(emulator: Emulator, check: dict[str, Any]) -> None:
    body = {
        "serviceName": "checks",
        "power": "nano",
        "scale": 1,
        "deployment": {
            "containers": {"web": web()},
            "publicEndpoint": {"containerName": "web", "containerPort": 8000, "healthCheck": check},
        },
    }
    status, answer = call(emulator, json.dumps(body), "CreateContainerService")
    assert (status, answer["__type"]) == (400, "InvalidInputException")
    assert next(iter(check)) in answer["message"]


def test_the_wanted_share_of_calls_is_throttled(emulator: Emulator) -> None:
    emulator.control("PUT", "switches", {"throttle_rate": 0.5})
    try:
        answers = [call(emulator, "{}") for _ in range(10)]
    finally:
        emulator.control("PUT", "switches", {"throttle_rate": 0})
    refused = [answer for status, answer in answers if status == 400]
    assert len(refused) == 5
    assert {answer["__type"] for answer in refused} == {"ThrottlingException"}


def test_small_reads_have_their_shapes(emulator: Emulator) -> None:
    powers = emulator.api.get_container_service_powers()["powers"]
    nano = next(each for each in powers if each["name"] == "nano")
    assert (nano["ramSizeInGb"], nano["cpuCount"]) == (0.5, 0.25)
    assert emulator.api.get_container_api_metadata()["metadata"]
    emulator.service("tagged")
    assert emulator.api.get_container_images(serviceName="tagged")["containerImages"] == []
    emulator.api.tag_resource(resourceName="tagged", tags=[{"key": "team", "value": "crops"}])
    assert listed(emulator, "tagged")[0]["tags"] == [{"key": "team", "value": "crops"}]
    emulator.api.untag_resource(resourceName="tagged", tagKeys=["team"])
    assert listed(emulator, "tagged")[0]["tags"] == []


def listed(emulator: Emulator, name: str | None = None) -> list[dict[str, Any]]:
    query = {"serviceName": name} if name else {}
    services: list[dict[str, Any]] = emulator.api.get_container_services(**query)[
        "containerServices"
    ]
    return services
