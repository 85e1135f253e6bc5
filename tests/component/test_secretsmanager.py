import json
from collections.abc import Iterable

import pytest

from lightgate.aws.secretsmanager import Secrets
from lightgate.errors import DeniedError, RefusedError, UnreachableError
from lightgate.spec.keys import SecretReference, SecretStore
from tests.component.cloud import Cloud

VALUE = "hunter2-of-the-tests"


@pytest.fixture
def secrets(cloud: Cloud) -> Secrets:
    return Secrets(cloud.client("secretsmanager"), cloud.client("ssm"))


def managed(name: str, key: str | None = None, stage: str | None = None) -> SecretReference:
    return SecretReference(
        store=SecretStore.SECRETS_MANAGER, name=name, json_key=key, version_stage=stage
    )


def parameter(name: str) -> SecretReference:
    return SecretReference(store=SecretStore.PARAMETER_STORE, name=name)


def versions(secrets: Secrets, references: Iterable[SecretReference]) -> dict[SecretReference, str]:
    """The versions that are known."""
    described = secrets.described(references)
    return {one: found.version for one, found in described.items() if found and found.version}


def keep(cloud: Cloud, name: str, value: object) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    cloud.client("secretsmanager").create_secret(Name=name, SecretString=text)


def refusal(secrets: Secrets, *references: SecretReference) -> list[str]:
    """The reasons for which these are refused, with every text that the error carries."""
    with pytest.raises(RefusedError) as caught:
        secrets.resolve(references)
    error: BaseException | None = caught.value
    while error is not None:
        assert VALUE not in repr(error)
        assert VALUE not in repr(vars(error))
        error = error.__cause__ or error.__context__
    return list(caught.value.reasons)


def test_both_stores_are_read(cloud: Cloud, secrets: Secrets) -> None:
    keep(cloud, "crops/plain", VALUE)
    keep(cloud, "crops/db", {"url": "postgres://x"})
    cloud.client("ssm").put_parameter(Name="/crops/key", Value="django", Type="SecureString")
    wanted = {
        managed("crops/plain"): VALUE,
        managed("crops/db", "url"): "postgres://x",
        parameter("/crops/key"): "django",
    }

    assert secrets.resolve(wanted) == wanted


def test_a_reference_that_stands_twice_is_resolved_once(cloud: Cloud, secrets: Secrets) -> None:
    keep(cloud, "crops/plain", VALUE)
    references = [managed("crops/plain"), managed("crops/plain"), managed("crops/none")] * 2

    assert len(refusal(secrets, *references)) == 1
    assert secrets.resolve(references[:2]) == {managed("crops/plain"): VALUE}


@pytest.mark.parametrize(
    ("member", "text"), [(5432, "5432"), (True, "true"), (None, "null"), ({"a": 1}, '{"a": 1}')]
)
def test_a_member_that_is_no_text_is_given_as_json(
    cloud: Cloud, secrets: Secrets, member: object, text: str
) -> None:
    keep(cloud, "crops/db", {"port": member})

    assert secrets.resolve([managed("crops/db", "port")]) == {managed("crops/db", "port"): text}


def test_the_named_version_is_read(cloud: Cloud, secrets: Secrets) -> None:
    keep(cloud, "crops/plain", "old")
    cloud.client("secretsmanager").put_secret_value(SecretId="crops/plain", SecretString="new")
    current, before = managed("crops/plain"), managed("crops/plain", None, "AWSPREVIOUS")

    assert secrets.resolve([current, before]) == {current: "new", before: "old"}


def test_every_secret_that_cannot_be_read_is_named_at_once(cloud: Cloud, secrets: Secrets) -> None:
    keep(cloud, "crops/db", {"url": VALUE})

    reasons = refusal(
        secrets,
        managed("crops/none"),
        managed("crops/db", "password"),
        managed("crops/db", "url"),
        parameter("/crops/none"),
    )

    assert reasons == [
        "the secret secretsmanager:crops/none cannot be read: ResourceNotFoundException",
        "the secret secretsmanager:crops/db:password has no member password",
        "the secret ssm:/crops/none cannot be read: ParameterNotFound",
    ]


@pytest.mark.parametrize(
    "text",
    [VALUE, f'["{VALUE}"]', f'{{"url": "{VALUE}"', "[" * 50_000],
    ids=["text", "list", "cut off", "nested too deeply"],
)
def test_a_secret_without_members_is_refused_without_telling_it(
    cloud: Cloud, secrets: Secrets, text: str
) -> None:
    keep(cloud, "crops/db", text)

    assert refusal(secrets, managed("crops/db", "url")) == [
        "the secret secretsmanager:crops/db:url has no member url"
    ]


def test_a_binary_secret_is_refused(cloud: Cloud, secrets: Secrets) -> None:
    cloud.client("secretsmanager").create_secret(Name="crops/blob", SecretBinary=VALUE.encode())

    [reason] = refusal(secrets, managed("crops/blob"))

    assert "is binary" in reason


BOTH = pytest.mark.parametrize(
    ("call", "reference"),
    [
        ("secretsmanager.GetSecretValue", managed("crops/empty")),
        ("ssm.GetParameter", parameter("/crops/empty")),
    ],
)


@BOTH
def test_an_empty_answer_is_not_taken_for_a_binary_secret(
    cloud: Cloud, secrets: Secrets, call: str, reference: SecretReference
) -> None:
    keep(cloud, "crops/empty", "text")
    cloud.client("ssm").put_parameter(Name="/crops/empty", Value="text", Type="SecureString")
    cloud.faults.change_answers(call, dict.clear)

    with pytest.raises(UnreachableError):
        secrets.resolve([reference])


@BOTH
def test_a_secret_that_may_not_be_read_is_refused_with_the_code(
    cloud: Cloud, secrets: Secrets, call: str, reference: SecretReference
) -> None:
    cloud.faults.refuse(call, "AccessDeniedException")

    [reason] = refusal(secrets, reference)

    assert reason == f"the secret {reference} cannot be read: AccessDeniedException"


def test_a_trouble_of_the_store_passes_and_is_tried_again(cloud: Cloud, secrets: Secrets) -> None:
    cloud.faults.refuse("secretsmanager.GetSecretValue", "InternalServiceError")

    with pytest.raises(UnreachableError, match="InternalServiceError"):
        secrets.resolve([managed("crops/db")])


def test_it_is_not_all_denied_if_something_else_is_wrong_too(
    cloud: Cloud, secrets: Secrets
) -> None:
    both = [managed("crops/db"), parameter("/crops/none")]
    cloud.faults.refuse("secretsmanager.GetSecretValue", "AccessDeniedException", times=2)

    with pytest.raises(DeniedError):
        secrets.resolve(both[:1])
    with pytest.raises(RefusedError) as caught:
        secrets.resolve(both)

    assert not isinstance(caught.value, DeniedError)


def test_a_deleted_secret_is_refused(cloud: Cloud, secrets: Secrets) -> None:
    keep(cloud, "crops/plain", VALUE)
    cloud.client("secretsmanager").delete_secret(SecretId="crops/plain")

    [reason] = refusal(secrets, managed("crops/plain"))

    assert reason.endswith("InvalidRequestException")


def test_a_version_changes_with_the_value_and_shows_none(cloud: Cloud, secrets: Secrets) -> None:
    keep(cloud, "crops/plain", VALUE)
    names = [f"/crops/{number}" for number in range(60)]
    for name in names:
        cloud.client("ssm").put_parameter(Name=name, Value=VALUE, Type="SecureString")
    references = [managed("crops/plain"), *map(parameter, names)]
    before = versions(secrets, references)
    assert before == versions(secrets, references)

    cloud.client("secretsmanager").put_secret_value(SecretId="crops/plain", SecretString="other")
    cloud.client("ssm").put_parameter(Name=names[55], Value="other", Overwrite=True)
    after = versions(secrets, references)

    assert before.keys() == after.keys() == set(references)
    changed = {one for one in references if before[one] != after[one]}
    assert changed == {managed("crops/plain"), parameter(names[55])}
    assert VALUE not in repr(before)


def test_the_version_of_a_stage_is_its_own(cloud: Cloud, secrets: Secrets) -> None:
    keep(cloud, "crops/plain", VALUE)
    [first] = versions(secrets, [managed("crops/plain")]).values()
    cloud.client("secretsmanager").put_secret_value(SecretId="crops/plain", SecretString="other")

    both = [managed("crops/plain", None, stage) for stage in (None, "AWSPREVIOUS")]
    found = versions(secrets, both)

    assert found[managed("crops/plain", None, "AWSPREVIOUS")] == first
    assert found[managed("crops/plain")] != first


def test_an_unknown_version_is_left_out(cloud: Cloud, secrets: Secrets) -> None:
    keep(cloud, "crops/plain", VALUE)
    unknown = managed("crops/plain", None, "NO_SUCH_STAGE")

    assert versions(secrets, [managed("crops/none"), unknown, parameter("/crops/none")]) == {}


@pytest.mark.parametrize("call", ["secretsmanager.DescribeSecret", "ssm.DescribeParameters"])
def test_a_store_that_does_not_tell_its_versions_is_unreachable(
    cloud: Cloud, secrets: Secrets, call: str
) -> None:
    keep(cloud, "crops/plain", VALUE)
    cloud.faults.refuse(call, "ThrottlingException")

    with pytest.raises(UnreachableError):
        versions(secrets, [managed("crops/plain"), parameter("/crops/key")])


def test_a_secret_that_never_had_a_value_has_no_version(cloud: Cloud, secrets: Secrets) -> None:
    cloud.client("secretsmanager").create_secret(Name="crops/empty")
    cloud.faults.change_answers(
        "secretsmanager.DescribeSecret", lambda answer: answer.pop("VersionIdsToStages", None)
    )

    assert versions(secrets, [managed("crops/empty")]) == {}


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
def test_a_parameter_that_cannot_be_listed_is_not_described(
    cloud: Cloud, secrets: Secrets, code: str
) -> None:
    cloud.faults.refuse("ssm.DescribeParameters", code)

    assert secrets.described([parameter("/crops/key")]) == {}


def test_a_parameter_of_aws_itself_is_not_described(secrets: Secrets) -> None:
    """It could be a secret of another app: /aws/reference/secretsmanager/NAME."""
    assert secrets.described([parameter("/aws/reference/secretsmanager/crops")]) == {}


def test_a_secret_has_its_tags_and_rotation_and_one_that_is_not_there_is_none(
    cloud: Cloud, secrets: Secrets
) -> None:
    keep(cloud, "crops/plain", VALUE)
    tags = [{"Key": "lightgate:app", "Value": "crops"}]
    cloud.client("secretsmanager").tag_resource(SecretId="crops/plain", Tags=tags)
    cloud.client("ssm").put_parameter(
        Name="/crops/key", Value=VALUE, Type="SecureString", Tags=tags
    )
    wanted = [managed("crops/plain"), parameter("/crops/key")]

    found = secrets.described([*wanted, managed("crops/none"), parameter("/crops/none")])

    for one in wanted:
        stored = found[one]
        assert stored is not None
        assert stored.tags == {"lightgate:app": "crops"}
        assert not stored.rotates
    assert found[managed("crops/none")] is None
    assert found[parameter("/crops/none")] is None


def test_an_arn_names_the_same_secret(cloud: Cloud, secrets: Secrets) -> None:
    keep(cloud, "crops/db", {"url": VALUE})
    arn = cloud.client("secretsmanager").describe_secret(SecretId="crops/db")["ARN"]
    reference = SecretReference.read(f"{arn}:url::")

    assert reference is not None
    assert secrets.resolve([reference]) == {reference: VALUE}
    assert secrets.described([reference])[reference] is not None
