"""Production and staging in one account, set up as the README says.

Both have an app `crops`, and both watch the one repository. The tests go on with these two stacks
in the order of this file.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lightgate.names import STACK_TAG
from local.cloud import account, registry
from local.cloud.cloud import PROJECT, LocalCloud
from local.cloud.sns_inbox import NOT_EARLY, Inbox
from tests.e2e.by_hand import end
from tests.e2e.conftest import Ready
from tests.e2e.pushing import image, spec, wait_until
from tests.support import local_cloud

# A cloud and two stacks of its own.
pytestmark = pytest.mark.slow

APP = "crops"
SOON = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two stacks, and the container service of its app."""

    ready: Ready
    name: str
    service: str

    def specify(self, **changes: Any) -> None:
        short = {"serviceName": self.service, "verification": {"watchSeconds": 2}}
        document, path = spec(APP) | short | changes, self.ready.stack.apps_path
        account.put_app(self.ready.cloud.client("ssm"), APP, document, apps_path=path)

    def release(self, **request: Any) -> Any:
        """The message of a release by hand."""
        return end(self.ready, self.start(**request)).message

    def start(self, **request: Any) -> str:
        machine = self.ready.cloud.client("stepfunctions")
        asked = {"app": APP, **request}
        return local_cloud.start(machine, self.ready.stack.state_machine_arn, asked)


@dataclass(frozen=True, slots=True)
class Account:
    production: Side
    staging: Side

    def push(self, folder: Path, tag: str, name: str) -> None:
        pushed = image(folder / name, name)
        registry.push(self.production.ready.cloud.endpoint, APP, tag, pushed)


def stack_names() -> dict[str, str]:
    config = tomllib.loads((PROJECT / "samconfig.toml").read_text())
    return {
        environment: config[environment]["deploy"]["parameters"]["stack_name"]
        for environment in ("production", "staging")
    }


@pytest.fixture(
    scope="module",
    params=[("production", "staging"), ("staging", "production")],
    ids=["production first", "staging first"],
)
def both(request: pytest.FixtureRequest) -> Iterator[Account]:
    names, sides = stack_names(), {}
    with LocalCloud() as cloud:
        account.create_repository(cloud.client("ecr"), APP)
        for environment in request.param:
            stack = cloud.deploy(
                stack=names[environment],
                environment=environment,
                overrides=["NotificationEmail=you@example.com"],
            )
            service = f"{APP}-{environment}"
            account.create_container_service(cloud.client("lightsail"), service)
            account.let_lightsail_pull(cloud.client("ecr"), cloud.client("lightsail"), APP, service)
            inbox = Inbox(
                cloud.client("sns"), cloud.client("sqs"), stack.topic_arn, environment, NOT_EARLY
            )
            ready = Ready(cloud=cloud, stack=stack, inbox=inbox, url="")
            sides[environment] = Side(ready, names[environment], service)
        yield Account(**sides)


def serving(side: Side, service: str | None = None) -> tuple[int, str]:
    """The version of the service that serves, and the stack that made it."""
    lightsail = side.ready.cloud.client("lightsail")
    name = service or side.service
    [found] = lightsail.get_container_services(serviceName=name)["containerServices"]
    current = found["currentDeployment"]
    return current["version"], current["containers"]["web"]["environment"]["LIGHTGATE_STACK"]


def test_each_stack_has_its_apps_below_a_path_of_its_own(both: Account) -> None:
    assert both.production.ready.stack.apps_path == "/lightgate/apps"
    assert both.staging.ready.stack.apps_path == "/lightgate-staging/apps"


def test_each_stack_is_reconciled_by_a_schedule_of_its_own(both: Account) -> None:
    scheduler = both.production.ready.cloud.client("scheduler")
    targets = {
        found["Name"]: scheduler.get_schedule(Name=found["Name"])["Target"]["Arn"]
        for found in scheduler.list_schedules()["Schedules"]
    }

    assert targets.keys() == {"lightgate-reconcile", "lightgate-staging-reconcile"}
    assert len(set(targets.values())) == 2
    for name, target in targets.items():
        assert f":{name.removesuffix('-reconcile')}-ReconcileFunction" in target


def test_a_push_for_the_app_of_one_stack_starts_nothing_in_the_other(
    both: Account, tmp_path: Path
) -> None:
    both.staging.specify(tags=["staging"])
    both.production.specify(tags=["latest"])

    both.push(tmp_path, "staging", "one")
    staging, production = both.staging.ready, both.production.ready
    wait_until(staging.executions, SOON)
    [arn] = staging.executions()
    ended = end(staging, arn)

    assert (ended.execution.status, ended.status) == ("SUCCEEDED", "SUCCEEDED")
    assert serving(both.staging) == (1, "lightgate-staging")
    assert production.executions() == []


def test_a_push_that_both_watch_is_released_by_each_to_its_own_service(
    both: Account, tmp_path: Path
) -> None:
    both.staging.specify(tags=["latest"])
    staging, production = both.staging.ready, both.production.ready
    known = len(staging.executions())

    both.push(tmp_path, "latest", "two")
    wait_until(lambda: len(staging.executions()) > known, SOON)
    wait_until(production.executions, SOON)
    results = [end(ready, ready.executions()[0]).status for ready in (staging, production)]

    assert results == ["SUCCEEDED", "SUCCEEDED"]
    assert serving(both.staging) == (2, "lightgate-staging")
    assert serving(both.production) == (1, "lightgate")


def test_an_execution_that_is_stopped_is_cleaned_up_after_by_its_own_stack(
    both: Account,
) -> None:
    staging = both.staging
    arn = staging.start(tag="latest")
    staging.ready.cloud.client("stepfunctions").stop_execution(executionArn=arn)

    assert end(staging.ready, arn).message["execution"] == arn
    assert both.production.ready.inbox.receive(1, timedelta(seconds=1)) == []


def test_a_service_of_the_other_stack_is_refused_until_a_person_gives_it_away(
    both: Account,
) -> None:
    production, staging = both.production, both.staging
    staging.specify(serviceName=production.service)
    before = serving(production)

    refused = staging.release(tag="latest")

    [reason] = refused["reasons"]
    assert refused["status"] == "REFUSED"
    assert f"{production.service} belongs to the stack lightgate," in reason
    assert serving(production) == before
    command = f"--resource-name {production.service} --tags key={STACK_TAG},value={staging.name}"
    assert reason.endswith(command)

    staging.ready.cloud.client("lightsail").tag_resource(
        resourceName=production.service, tags=[{"key": STACK_TAG, "value": staging.name}]
    )
    taken = staging.release(tag="latest")
    back = production.release(tag="latest")

    assert taken["status"] == "SUCCEEDED"
    assert serving(production) == (before[0] + 1, "lightgate-staging")
    assert back["status"] == "REFUSED"
    assert "belongs to the stack lightgate-staging" in back["reasons"][0]
