"""A user's mistakes, against the deployed stack with IAM enforced."""

import json
import time
from datetime import timedelta
from pathlib import Path

import pytest

from local.cloud import account, registry
from local.demo import crops
from tests.e2e import pushing
from tests.e2e.conftest import WITHIN, Ready


def test_an_unknown_app_is_refused_with_what_to_do(ready: Ready) -> None:
    execution = ready.release({"app": "no-such-app"})

    assert execution.status == "FAILED"
    assert execution.error == "REFUSED"
    assert "there is no app no-such-app" in execution.cause
    [message] = ready.inbox.receive(1, WITHIN)
    assert json.loads(message.text)["status"] == "REFUSED"


def test_a_database_that_is_of_another_kind_is_refused_with_the_right_word(ready: Ready) -> None:
    rds, ssm = ready.cloud.client("rds"), ready.cloud.client("ssm")
    rds.create_db_cluster(
        DBClusterIdentifier="crops-cluster",
        Engine="aurora-postgresql",
        MasterUsername="root",
        MasterUserPassword="of-the-tests",
    )
    account.put_app(ssm, "mistaken", {**crops.spec(), "database": {"instance": "crops-cluster"}})

    execution = ready.release({"app": "mistaken"})

    assert execution.error == "REFUSED"
    assert 'write "cluster": "crops-cluster" instead of "instance"' in execution.cause
    ready.inbox.receive(1, WITHIN)
    ssm.delete_parameter(Name="/lightgate/apps/mistaken")
    rds.delete_db_cluster(DBClusterIdentifier="crops-cluster", SkipFinalSnapshot=True)


def test_an_image_that_is_not_there_is_refused(ready: Ready) -> None:
    execution = ready.release({"app": crops.APP, "tag": "v99"})

    assert execution.error == "REFUSED"
    assert "has no image v99" in execution.cause
    ready.inbox.receive(1, WITHIN)


def test_a_push_that_no_app_watches_starts_nothing_and_is_logged_once(ready: Ready) -> None:
    account.create_repository(ready.cloud.client("ecr"), "somebody-elses")
    before = ready.executions()

    registry.push(ready.cloud.endpoint, "somebody-elses", "v1", crops.image("v1"))

    assert _logged(ready, "no app watches this push", "somebody-elses") == 1
    assert ready.executions() == before


@pytest.mark.slow
def test_a_service_that_two_apps_deploy_to_is_in_the_final_message(
    ready: Ready, tmp_path: Path
) -> None:
    ssm = ready.cloud.client("ssm")
    pushing.furnish(ready, "warned")
    watch = {"watchSeconds": 0, "answersNeeded": 1}
    account.put_app(ssm, "warned", {**pushing.spec("warned"), "verification": watch})
    account.put_app(ssm, "warned-too", pushing.spec("warned"))
    image = pushing.image(tmp_path / "v1", "v1")
    registry.push(ready.cloud.endpoint, "warned", "nightly", image)

    ready.release({"app": "warned", "digest": image.digest})

    [message] = ready.inbox.receive(1, WITHIN)
    assert any("the app warned-too" in one for one in json.loads(message.text)["warnings"])
    for app in ("warned", "warned-too"):
        ssm.delete_parameter(Name=f"/lightgate/apps/{app}")


def test_a_push_to_the_repository_of_a_spec_that_is_no_json_is_refused(ready: Ready) -> None:
    ssm, ecr = ready.cloud.client("ssm"), ready.cloud.client("ecr")
    for text in ('{"repository": "mistaken",}', "{"):
        account.create_repository(ecr, "mistaken")
        ssm.put_parameter(
            Name="/lightgate/apps/mistaken", Value=text, Type="String", Overwrite=True
        )

        registry.push(ready.cloud.endpoint, "mistaken", "latest", crops.image("v1"))

        [message] = ready.inbox.receive(1, WITHIN)
        assert json.loads(message.text)["status"] == "REFUSED"
        assert "is not JSON: line 1, column" in message.text
        ecr.delete_repository(repositoryName="mistaken", force=True)
    ssm.delete_parameter(Name="/lightgate/apps/mistaken")


def _logged(ready: Ready, *texts: str) -> int:
    """How many lines of the functions' log hold all the texts, once there is one."""
    logs = ready.cloud.client("logs")
    deadline = time.monotonic() + timedelta(seconds=30).total_seconds()
    while time.monotonic() < deadline:
        found = [
            event["message"]
            for group in logs.describe_log_groups()["logGroups"]
            for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
            if all(text in event["message"] for text in texts)
        ]
        if found:
            return len(found)
        time.sleep(0.2)
    return 0
