"""Requests that AWS refuses are refused with its text."""

import pytest

from local.cloud import aws_rules
from local.cloud.aws_rules import Refusal

LOGIN = "Basic QVdTOnRva2Vu"  # AWS:token
PUSH = ("PUT", "/v2/crops/manifests/latest")


def refused(refusal: Refusal | None, says: str = "") -> tuple[int, str]:
    assert refusal is not None
    assert says in refusal.message
    return refusal.status, refusal.code


@pytest.mark.parametrize(
    ("method", "path", "headers", "query"),
    [
        ("POST", "/", {"Authorization": "AWS4-HMAC-SHA256 …"}, {}),
        ("GET", "/bucket/key", {}, {"X-Amz-Signature": "ab"}),
        ("GET", "/bucket/key", {}, {"Signature": "ab"}),
        ("GET", "/v2/crops/blobs/sha256:1", {}, {}),
        (*PUSH, {"Authorization": LOGIN}, {}),
    ],
)
def test_a_request_with_credentials_passes(
    method: str, path: str, headers: dict[str, str], query: dict[str, str]
) -> None:
    assert aws_rules.unsigned(method, path, headers, query) is None


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic ?", "Basic cm9vdDp4", "Bearer QVdT"])
def test_a_push_without_the_registry_login_is_refused(authorization: str) -> None:
    refusal = aws_rules.unsigned(*PUSH, {"Authorization": authorization}, {})

    assert refused(refusal) == (401, "UNAUTHORIZED")


def test_a_request_without_credentials_is_not_the_root_of_the_account() -> None:
    refusal = aws_rules.unsigned("POST", "/", {}, {})

    assert refused(refusal) == (403, "MissingAuthenticationTokenException")


@pytest.mark.parametrize(
    ("value", "tier"),
    [
        ("{" * 10, "Standard"),
        ("}} and then {{", "Standard"),
        ("x" * 4096, "Standard"),
        ("x" * 8192, "Advanced"),
        ("x" * 8192, "Intelligent-Tiering"),
    ],
)
def test_a_parameter_that_aws_takes_is_taken(value: str, tier: str) -> None:
    assert aws_rules.parameter({"Value": value, "Tier": tier}) is None


@pytest.mark.parametrize(
    ("value", "tier", "says"),
    [
        ("a {{ssm:b}} c", "Standard", "can't nest another parameter"),
        ("{{\n}}", "Advanced", "can't nest another parameter"),
        ("x" * 4097, "Standard", "maximum parameter value of 4096 characters"),
        ("x" * 8193, "Advanced", "maximum parameter value of 8192 characters"),
        ("x" * 8193, "Intelligent-Tiering", "maximum parameter value of 8192 characters"),
    ],
)
def test_a_parameter_that_aws_refuses_is_refused(value: str, tier: str, says: str) -> None:
    refusal = aws_rules.parameter({"Value": value, "Tier": tier})

    assert refused(refusal, says) == (400, "ValidationException")


SESSION = {"X-Amz-Signature": "ab", "X-Amz-Security-Token": "cd"}
NO_KEY = b"<Error><Code>NoSuchKey</Code></Error>"


def test_a_session_without_the_right_to_list_does_not_learn_that_a_key_is_missing() -> None:
    for method, body in (("GET", NO_KEY), ("HEAD", b"")):
        refusal = aws_rules.missing_object(method, SESSION, 404, body)
        assert refused(refusal) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("method", "query", "status", "body"),
    [
        ("GET", {"X-Amz-Signature": "ab"}, 404, NO_KEY),
        ("GET", {}, 404, NO_KEY),
        ("GET", SESSION, 404, b"<Error><Code>NoSuchBucket</Code></Error>"),
        ("GET", SESSION, 200, NO_KEY),
        ("PUT", SESSION, 404, NO_KEY),
    ],
)
def test_other_answers_of_the_engine_stand(
    method: str, query: dict[str, str], status: int, body: bytes
) -> None:
    assert aws_rules.missing_object(method, query, status, body) is None


@pytest.mark.parametrize("seconds", [0, 1, 90, 99_999_999])
def test_a_wait_of_whole_seconds_is_one(seconds: int) -> None:
    assert aws_rules.wait_seconds("$.seconds", seconds) is None


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (90.0, "cannot be parsed as a long value: $.seconds == 90.0"),
        (0.5, "cannot be parsed as a long value"),
        ("90", 'cannot be parsed as a long value: $.seconds == "90"'),
        (True, "cannot be parsed as a long value: $.seconds == true"),
        (None, "cannot be parsed as a long value: $.seconds == null"),
        ([90], "cannot be parsed as a long value"),
        (-1, "references a negative value: $.seconds == -1"),
        (100_000_000, "references a value greater than 99999999"),
    ],
)
def test_any_other_wait_ends_the_execution(seconds: object, says: str) -> None:
    assert says in str(aws_rules.wait_seconds("$.seconds", seconds))


def create(action: str = "CreateDBSnapshot", name: str = "crops-1", **more: str) -> dict[str, str]:
    """The form of a call that takes a snapshot of the database `crops-db`."""
    kind = aws_rules.SNAPSHOTS[action]
    return {"Action": action, kind.snapshot: name, kind.database: "crops-db", **more}


@pytest.mark.parametrize("status", ["available", "storage-optimization", None])
@pytest.mark.parametrize("action", aws_rules.SNAPSHOTS)
def test_a_snapshot_that_rds_takes_is_taken(action: str, status: str | None) -> None:
    longest = aws_rules.SNAPSHOTS[action].longest
    tags = {"Tags.Tag.1.Key": "lightgate:app", "Tags.Tag.1.Value": "crops-backend"}

    assert aws_rules.snapshot(create(action, "a" * longest, **tags), status, None) is None


@pytest.mark.parametrize(
    ("form", "says"),
    [
        *(
            (create(action, name), f"{kind.snapshot} is not a valid identifier")
            for action, kind in aws_rules.SNAPSHOTS.items()
            for name in ("", "1a", "-a", "a-", "a--b", "a_b", "a.b", "a b", "ä")
        ),
        (create("CreateDBSnapshot", "a" * 256), "longer than 255 characters"),
        (create("CreateDBClusterSnapshot", "a" * 64), "longer than 63 characters"),
        (create(**{"Tags.Tag.1.Key": "k" * 129}), ""),
        (create(**{"Tags.Tag.1.Value": "v" * 257}), ""),
        (create(**{"Tags.Tag.1.Key": "aws:of-us"}), ""),
        (create(**{"Tags.Tag.1.Value": "no (brackets)"}), ""),
        (create(**{"Tags.Tag.1.Value": "a line\nbreak"}), ""),
    ],
)
def test_a_snapshot_with_a_name_or_tag_that_rds_does_not_take_is_refused(
    form: dict[str, str], says: str
) -> None:
    refusal = aws_rules.snapshot(form, "available", None)

    assert refused(refusal, says) == (400, "InvalidParameterValue")


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("CreateDBSnapshot", "InvalidDBInstanceState"),
        ("CreateDBClusterSnapshot", "InvalidDBClusterStateFault"),
    ],
)
@pytest.mark.parametrize("status", ["stopped", "starting", "backing-up", "of-tomorrow"])
def test_a_database_that_is_not_available_takes_no_snapshot(
    action: str, code: str, status: str
) -> None:
    refusal = aws_rules.snapshot(create(action), status, None)

    assert refused(refusal, "crops-db is not currently in the available state") == (400, code)


def test_a_member_of_a_cluster_takes_no_snapshot_of_its_own() -> None:
    refusal = aws_rules.snapshot(create(), "available", "crops-cluster")

    assert refused(refusal, "is a member of a cluster") == (400, "InvalidParameterValue")


@pytest.mark.parametrize(
    "form",
    [
        {"Action": "AssumeRole", "RoleSessionName": "20261116t015434z-7f5b2640-0c1d"},
        {"Action": "Publish", "Subject": "[production] " + "x" * 86},
        {"Action": "Publish"},
        {"Action": "DescribeDBInstances"},
        {},
    ],
)
def test_other_calls_pass(form: dict[str, str]) -> None:
    assert aws_rules.query(form) is None


@pytest.mark.parametrize(
    ("form", "code"),
    [
        *(
            ({"Action": "AssumeRole", "RoleSessionName": name}, "ValidationError")
            for name in ("r" * 65, "r", "a b")
        ),
        *(
            ({"Action": "Publish", "Subject": subject}, "InvalidParameter")
            for subject in ("x" * 100, "two\nlines", "ü", " x")
        ),
    ],
)
def test_a_session_and_a_subject_that_aws_does_not_take_are_refused(
    form: dict[str, str], code: str
) -> None:
    assert refused(aws_rules.query(form)) == (400, code)


@pytest.mark.parametrize("name", [None, "crops-backend-7f5b2640fe6f-0c1d2e3f", "x" * 80])
def test_an_execution_with_a_name_that_step_functions_takes_is_started(name: str | None) -> None:
    assert aws_rules.execution({"name": name} if name else {}) is None


@pytest.mark.parametrize("name", ["", "x" * 81, "a b", "a:b", "a/b", "a\n"])
def test_an_execution_with_another_name_is_refused(name: str) -> None:
    assert refused(aws_rules.execution({"name": name})) == (400, "InvalidName")
