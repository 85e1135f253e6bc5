import json
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from lightgate.aws.ssm import AppParameters
from lightgate.errors import RefusedError, SpecError, SpecReplacedError
from lightgate.release.release import UsedSpec
from tests.component.cloud import Cloud

PATH = "/lightgate/apps"


@pytest.fixture
def apps(cloud: Cloud) -> AppParameters:
    return AppParameters(cloud.client("ssm"), PATH)


def put(cloud: Cloud, name: str, value: str = "{}") -> None:
    cloud.client("ssm").put_parameter(Name=name, Value=value, Type="String", Overwrite=True)


def test_every_app_is_found_also_beyond_the_first_page(cloud: Cloud, apps: AppParameters) -> None:
    for number in range(25):
        put(cloud, f"{PATH}/app-{number:02}", json.dumps({"number": number}))

    found = {spec.app: json.loads(spec.text)["number"] for spec in apps.all()}

    assert found == {f"app-{number:02}": number for number in range(25)}


def test_only_the_parameters_directly_below_the_path_are_apps(
    cloud: Cloud, apps: AppParameters
) -> None:
    for name in (f"{PATH}/crops", f"{PATH}/crops/old", "/lightgate/apps-old/crops2", "/other/x"):
        put(cloud, name)

    assert [spec.app for spec in apps.all()] == ["crops"]


def test_only_specs_that_have_changed_are_read_again(
    cloud: Cloud, apps: AppParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    for app in ("changed", "kept", "stored anew", "removed"):
        put(cloud, f"{PATH}/{app.replace(' ', '-')}", "before")
    assert {spec.text for spec in apps.all()} == {"before"}
    client = cloud.client("ssm")
    put(cloud, f"{PATH}/changed", "after")
    client.delete_parameter(Name=f"{PATH}/removed")
    # Counts from version 1 once more.
    client.delete_parameter(Name=f"{PATH}/stored-anew")
    put(cloud, f"{PATH}/stored-anew", "after")
    read = Mock(wraps=client.get_parameters)
    monkeypatch.setattr(client, "get_parameters", read)

    found = {spec.app: spec.text for spec in apps.all()}

    assert found == {"changed": "after", "kept": "before", "stored-anew": "after"}
    read.assert_called_once_with(Names=[f"{PATH}/changed", f"{PATH}/stored-anew"])


def test_sixty_specs_are_read_with_six_calls_and_not_again(
    cloud: Cloud, apps: AppParameters
) -> None:
    for number in range(60):
        put(cloud, f"{PATH}/app-{number:02}")
    calls: list[str] = []
    cloud.faults.watch(calls.append)

    assert len(list(apps.all())) == 60
    assert len(list(apps.all())) == 60

    assert calls.count("ssm.GetParameters") == 6
    assert set(calls) == {"ssm.DescribeParameters", "ssm.GetParameters"}


def test_without_an_app_there_is_none(apps: AppParameters) -> None:
    assert list(apps.all()) == []


def test_an_app_that_is_removed_while_all_are_read_is_none(
    cloud: Cloud, apps: AppParameters
) -> None:
    put(cloud, f"{PATH}/crops")
    put(cloud, f"{PATH}/weather")
    cloud.faults.watch(
        lambda call: (
            cloud.client("ssm").delete_parameter(Name=f"{PATH}/weather")
            if call == "ssm.GetParameters"
            else None
        )
    )

    assert [spec.app for spec in apps.all()] == ["crops"]


def test_an_earlier_version_of_a_spec_can_still_be_read(cloud: Cloud, apps: AppParameters) -> None:
    for text in ("first", "second"):
        put(cloud, f"{PATH}/crops", text)

    current, first = apps.read("crops"), apps.read("crops", 1)

    assert (current.text, current.version) == ("second", 2)
    assert (first.text, first.version) == ("first", 1)


def test_a_spec_that_was_used_is_read_again_only_with_the_same_text(
    cloud: Cloud, apps: AppParameters
) -> None:
    put(cloud, f"{PATH}/crops", '{"a": 1}')
    used = UsedSpec(version=1, digest=apps.read("crops").digest)
    put(cloud, f"{PATH}/crops", '{"a": 2}')
    before = apps.read_again("crops", used)
    cloud.client("ssm").delete_parameter(Name=f"{PATH}/crops")
    put(cloud, f"{PATH}/crops", '{"a": 3}')

    with pytest.raises(SpecReplacedError, match="was deleted and stored again: version 1 of"):
        apps.read_again("crops", used)

    assert before.text == '{"a": 1}'
    assert apps.read_again("crops", None).text == '{"a": 3}'


def test_a_secure_string_is_listed_and_refused_with_what_to_do(
    cloud: Cloud, apps: AppParameters
) -> None:
    name = f"{PATH}/crops"
    cloud.client("ssm").put_parameter(Name=name, Value="{}", Type="SecureString")

    assert [spec.app for spec in apps.all()] == ["crops"]
    with pytest.raises(
        SpecError, match=rf"{name} is a SecureString.*delete-parameter --name {name}"
    ):
        apps.read("crops")


@pytest.mark.parametrize("version", [None, 9])
def test_a_missing_app_or_version_is_refused_with_its_name(
    cloud: Cloud, apps: AppParameters, version: int | None
) -> None:
    put(cloud, f"{PATH}/weather")

    with pytest.raises(RefusedError, match=f"app: there is no app crops.*{PATH}/crops"):
        apps.read("crops", version)


def test_any_other_error_passes(cloud: Cloud, apps: AppParameters) -> None:
    cloud.faults.refuse("ssm.GetParameter", "AccessDeniedException")

    with pytest.raises(ClientError, match="AccessDeniedException"):
        apps.read("crops")
