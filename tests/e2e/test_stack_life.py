"""The stack is updated in the middle of releases, and deleted in the middle of one.

A release is in the middle while its app waits for an object in S3 before it answers. The tests go
on with one stack in the order of this file.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import account, executions, registry, sam
from local.cloud.cloud import PROJECT, STACK
from local.cloud.registry import ImageConfig
from tests.e2e import pushing
from tests.e2e.conftest import Ready, started
from tests.support import local_cloud

# A cloud of its own, and several deployments of the stack.
pytestmark = pytest.mark.slow

APP = "leeks"
WITHIN = timedelta(minutes=10)
_WAITING_APP = """
import http.server, os, time, urllib.request
while True:
    try:
        urllib.request.urlopen(os.environ["GO"], timeout=5).close()
        break
    except OSError:
        time.sleep(0.2)
http.server.test(http.server.SimpleHTTPRequestHandler, port=8000)
"""


@dataclass(frozen=True, slots=True)
class Update:
    """A new version of the stack: a change of the built files, or parameters of the template."""

    change: Callable[[Path], None] = lambda _: None
    parameters: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Life:
    """The stack with an app, and the folder of the built stack."""

    ready: Ready
    folder: Path

    def client(self, service: str) -> Any:
        return self.ready.cloud.client(service)

    def update(self, update: Update) -> None:
        update.change(self.folder)
        sam.deploy(
            PROJECT,
            self.folder / "template.yaml",
            STACK,
            self.ready.cloud.endpoint,
            self.ready.cloud.logs,
            overrides=update.parameters,
        )

    def begin(self, name: str) -> str:
        """Begin a release whose app waits, and return once its deployment is being followed."""
        key = {"Bucket": "going", "Key": name}
        url = self.client("s3").generate_presigned_url("get_object", key, ExpiresIn=3600)
        changes: dict[str, Any] = {"verification": {"watchSeconds": 1}}
        spec = pushing.spec(APP) | changes
        spec["containers"]["web"]["environment"] = {"GO": url}
        account.put_app(self.client("ssm"), APP, spec)
        folder = self.folder.parent / name
        folder.mkdir()
        (folder / "main.py").write_text(f"# {name}\n{_WAITING_APP}")
        image = registry.build([folder], ImageConfig(cmd=("python", "main.py")))
        registry.push(self.ready.cloud.endpoint, APP, f"build-{name}", image)
        machine, request = self.client("stepfunctions"), {"app": APP, "tag": f"build-{name}"}
        arn = local_cloud.start(machine, self.ready.stack.state_machine_arn, request)
        pushing.wait_until(lambda: pushing.has_entered(self.ready, arn, "CheckDeployment"), WITHIN)
        return arn

    def let_go(self, name: str) -> None:
        """Let the app of the release answer."""
        self.client("s3").put_object(Bucket="going", Key=name)

    def end(self, arn: str) -> str:
        """The status of the execution that has ended."""
        return local_cloud.wait_for_end(self.client("stepfunctions"), arn, within=WITHIN).status

    def release(self, name: str) -> str:
        arn = self.begin(name)
        self.let_go(name)
        assert self.end(arn) == "SUCCEEDED"
        return arn

    def record_days(self) -> int:
        """For how long RecordOutcome of the last release keeps the record of the one before it."""
        before = pushing.releases_of(self.ready, APP)[-2]
        expires = datetime.fromtimestamp(int(before["expiresAt"]), UTC)
        return round((expires - datetime.now(UTC)) / timedelta(days=1))

    def versions(self) -> dict[str, list[str]]:
        """The published versions of each function that has any."""
        functions, found = self.client("lambda"), {}
        for each in functions.list_functions(MaxItems=50)["Functions"]:
            name = each["FunctionName"]
            listed = functions.list_versions_by_function(FunctionName=name)["Versions"]
            step = name.removeprefix(f"{STACK}-").partition("Function")[0]
            found[step] = [version["Version"] for version in listed[1:]]
        return {step: versions for step, versions in found.items() if versions}

    def called(self, arn: str) -> dict[str, str]:
        """The version of each function that the execution has called."""
        events = executions.history(self.client("stepfunctions"), arn)
        scheduled = (event.get("taskScheduledEventDetails", {}) for event in events)
        resources = (each.get("resource", "") for each in scheduled)
        names = (each.split(":function:")[1] for each in resources if ":function:" in each)
        return {
            name.removeprefix(f"{STACK}-").partition("Function")[0]: name.partition(":")[2]
            for name in names
        }


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    project = tmp_path_factory.mktemp("life")
    shutil.copytree(PROJECT / "statemachine", project / "statemachine")
    folder = project / "build" / "sam" / "stack"
    with started() as ready:
        shutil.copytree(PROJECT / "build" / "sam" / "stack", folder)
        pushing.furnish(ready, APP)
        local_cloud.set_switches(ready.cloud, APP, activation_limit=10 * 3600)
        life = Life(ready, folder)
        life.client("s3").create_bucket(Bucket="going")
        life.release("first")
        yield life


def change_code(built: Path) -> None:
    """RecordOutcome itself has another setting."""
    handler = built / "RecordOutcomeFunction" / "app.py"
    text = handler.read_text()
    handler.write_text(f'{text}\nimport os\nos.environ["LIGHTGATE_RECORD_DAYS"] = "100"\n')
    shutil.rmtree(handler.parent / "__pycache__")


def change_layer(built: Path) -> None:
    """The package in the layer ignores the setting."""
    runtime = built / "CoreLayer" / "python" / "lightgate" / "runtime.py"
    text, setting = runtime.read_text(), 'int(environment.get("LIGHTGATE_RECORD_DAYS", "365"))'
    assert setting in text
    runtime.write_text(text.replace(setting, "200"))
    shutil.rmtree(runtime.parent / "__pycache__")


STEPS = {
    *("Admit", "TakeSnapshot", "CheckSnapshot", "Deploy", "CheckDeployment", "VerifyRelease"),
    *("RollBack", "RecordOutcome", "StartNext", "PruneSnapshots"),
    *("AdmitRehearsal", "PrepareRehearsal", "RunRehearsal", "RemoveRehearsal", "RecordRehearsal"),
}
PARAMETER = Update(parameters=["RecordRetentionDays=300"])
READ_THE_PARAMETER = {"Admit", "RecordOutcome", "StartNext", "RecordRehearsal"}


@pytest.mark.parametrize(
    ("name", "update", "days", "changed"),
    [
        ("parameter", PARAMETER, (365, 300), READ_THE_PARAMETER),
        ("code", Update(change_code), (300, 100), {"RecordOutcome"}),
        ("layer", Update(change_layer), (100, 200), STEPS),
    ],
    ids=["a parameter", "code", "the layer"],
)
def test_a_release_ends_with_the_code_with_which_it_began(
    life: Life, name: str, update: Update, days: tuple[int, int], changed: set[str]
) -> None:
    before = life.versions()
    arn = life.begin(f"during-{name}")

    life.update(update)
    assert executions.describe(life.client("stepfunctions"), arn).running
    after = life.versions()
    life.let_go(f"during-{name}")

    assert life.end(arn) == "SUCCEEDED"
    assert life.record_days() == days[0]
    assert {step for step in after if after[step] != before[step]} == changed
    assert before.keys() == after.keys() == STEPS
    for step, versions in before.items():
        assert after[step][: len(versions)] == versions, "old versions stay"
    assert all(version == before[step][-1] for step, version in life.called(arn).items())

    following = life.release(f"after-{name}")

    assert life.record_days() == days[1]
    assert all(version == after[step][-1] for step, version in life.called(following).items())


def test_old_versions_can_be_removed_but_not_those_in_use(life: Life) -> None:
    functions, before = life.client("lambda"), life.versions()
    for each in functions.list_functions(MaxItems=50)["Functions"]:
        name = each["FunctionName"]
        listed = functions.list_versions_by_function(FunctionName=name)["Versions"][1:]
        for version in [found["Version"] for found in listed[:-1]]:
            functions.delete_function(FunctionName=name, Qualifier=version)
        if listed:
            with pytest.raises(functions.exceptions.ResourceConflictException):
                functions.delete_function(FunctionName=name, Qualifier=listed[-1]["Version"])

    assert life.versions() == {step: versions[-1:] for step, versions in before.items()}
    life.release("with-the-last-versions")


def test_a_stack_that_is_deleted_in_the_middle_of_a_release_leaves_what_is_on_record(
    life: Life,
) -> None:
    """The runbook names what is left, and the commands that remove it."""
    arn, cloudformation = life.begin("last"), life.client("cloudformation")
    described = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    kinds = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in described}
    messages = len(life.ready.inbox.receive(100, timedelta(seconds=2)))

    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK)
    life.let_go("last")

    ended = local_cloud.wait_for_end(life.client("stepfunctions"), arn, within=WITHIN)
    assert (ended.status, ended.error) == ("FAILED", "States.Runtime")
    assert "has been deleted" in ended.cause
    assert messages > 0
    assert life.client("lambda").list_functions()["Functions"] == []
    assert life.client("stepfunctions").list_state_machines()["stateMachines"] == []
    # The release has no outcome and keeps the lock, and Lightsail goes on with its deployment.
    last = pushing.releases_of(life.ready, APP)[-1]
    assert "outcome" not in last
    assert pushing.turn(life.ready, APP)["holder"]
    pushing.wait_until(lambda: pushing.deployed(life.ready, APP)[-1][1] == "ACTIVE", WITHIN)
    assert life.client("ssm").get_parameter(Name=f"/{STACK}/apps/{APP}")

    remove_what_stayed(life, kinds)


def remove_what_stayed(life: Life, kinds: dict[str, str]) -> None:
    """As the runbook says."""
    table, dynamodb = kinds["ReleaseTable"], life.client("dynamodb")
    with pytest.raises(ClientError, match="deletion"):
        dynamodb.delete_table(TableName=table)
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=table)
    s3 = life.client("s3")
    names = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for logical_id in ("MailboxBucket", "EvidenceBucket"):
        bucket = kinds[logical_id]
        assert bucket in names
        listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        for each in listed:
            s3.delete_object(Bucket=bucket, Key=each["Key"])
        s3.delete_bucket(Bucket=bucket)
