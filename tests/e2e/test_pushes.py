"""Pushes as they come: out of order, twice, five at once, and executions that are stopped."""

import itertools
import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.cloud import executions, registry
from local.cloud.sns_inbox import NOT_EARLY, Inbox
from tests.e2e import pushing
from tests.e2e.conftest import Ready

TAGS = ("v1", "v2", "v3", "v4", "v5")
LONG = timedelta(minutes=10)
PUSHED = datetime(2026, 11, 16, 1, 54, 34, tzinfo=UTC)
WAY = [
    *("Begin", "Admit", "Deploy", "WaitForDeployment", "CheckDeployment"),
    *("RecordOutcome", "StartNext", "PublishOutcome", "MarkMessageSent", "PruneSnapshots"),
]
_NAMES = (f"app-{number}" for number in itertools.count())


@pytest.fixture
def inbox(ready: Ready, request: pytest.FixtureRequest) -> Inbox:
    cloud = ready.cloud
    name = f"inbox-{abs(hash(request.node.name))}"
    return Inbox(cloud.client("sns"), cloud.client("sqs"), ready.stack.topic_arn, name, NOT_EARLY)


@pytest.fixture
def digests(tmp_path: Path) -> dict[str, str]:
    """The images of every app, by tag."""
    images = {tag: pushing.image(tmp_path / tag, tag) for tag in TAGS}
    return {tag: image.digest for tag, image in images.items()}


def furnish(ready: Ready, app: str, folder: Path) -> None:
    """An app whose images are all there, under tags that nobody watches.

    What is told of them, and when, is up to the test.
    """
    pushing.furnish(ready, app)
    for tag in TAGS:
        image = pushing.image(folder / app / tag, tag)
        registry.push(ready.cloud.endpoint, app, f"build-{tag}", image)


def pin(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def final_messages(inbox: Inbox, app: str, count: int) -> dict[str, str]:
    """The status by the id of the message; whatever else comes within a moment, too."""
    found = [json.loads(m.text) for m in inbox.receive(count, timedelta(seconds=20))]
    found += [json.loads(m.text) for m in inbox.receive(1, timedelta(seconds=1))]
    assert all(message["app"].startswith("app-") for message in found), app
    return {message["messageId"]: message["status"] for message in found}


@pytest.mark.slow
@pytest.mark.parametrize("apps", [3, 20])
def test_every_app_ends_on_its_newest_image_and_deploys_each_once(
    ready: Ready, inbox: Inbox, digests: dict[str, str], tmp_path: Path, apps: int
) -> None:
    names = [next(_NAMES) for _ in range(apps)]
    for name in names:
        furnish(ready, name, tmp_path)
    pushes = [(name, tag, uuid.uuid4()) for name in names for tag in TAGS]
    chance = random.Random(apps)  # noqa: S311 - the same order every time
    events = [*pushes, *chance.sample(pushes, len(pushes) // 2)]
    chance.shuffle(events)

    for name, tag, identity in events:
        at = PUSHED + timedelta(minutes=TAGS.index(tag))
        pushing.deliver(ready, name, tag, digests[tag], at, identity)

    pushing.wait_until(lambda: pushing.is_quiet(ready, names), LONG)
    admitted = 0
    for name in names:
        deployed = pushing.deployed(ready, name)
        pins = [image for image, _ in deployed]
        assert deployed[-1] == (pin(digests["v5"]), "ACTIVE")
        assert len(pins) == len(set(pins))
        releases = pushing.releases_of(ready, name)
        succeeded = [each for each in releases if each["status"] == "SUCCEEDED"]
        assert len(succeeded) == len(pins)
        assert {each["digest"] for each in releases} == set(digests.values())
        admitted += len(succeeded)
    messages = final_messages(inbox, names[0], admitted)
    assert len(messages) == admitted
    assert set(messages.values()) == {"SUCCEEDED"}


@pytest.mark.slow
@pytest.mark.parametrize("state", WAY)
def test_an_execution_that_is_stopped_in_any_state_holds_up_no_later_push(
    ready: Ready, inbox: Inbox, digests: dict[str, str], tmp_path: Path, state: str
) -> None:
    name = next(_NAMES)
    furnish(ready, name, tmp_path)
    machine = ready.cloud.client("stepfunctions")
    before = set(ready.executions())
    pushing.deliver(ready, name, "v1", digests["v1"], PUSHED, uuid.uuid4())
    arn = executions.wait_for_start(
        machine, ready.stack.state_machine_arn, known=before, within=LONG
    )
    pushing.wait_until(lambda: pushing.has_entered(ready, arn, state), LONG)
    pushing.stop(ready, arn)

    pushing.deliver(ready, name, "v2", digests["v2"], PUSHED + timedelta(1), uuid.uuid4())

    pushing.wait_until(lambda: pushing.is_settled(ready, name, digests["v2"]), LONG)
    pushing.wait_until(lambda: pushing.is_quiet(ready, [name]), LONG)
    assert pushing.deployed(ready, name)[-1] == (pin(digests["v2"]), "ACTIVE")
    messages = final_messages(inbox, name, 2)
    assert len(messages) == 2
    assert list(messages.values())[-1] == "SUCCEEDED"


def test_reconcile_has_every_permission_it_needs(ready: Ready) -> None:
    functions = ready.cloud.client("lambda")
    pages = functions.get_paginator("list_functions").paginate()
    [name] = [
        function["FunctionName"]
        for page in pages
        for function in page["Functions"]
        if "ReconcileFunction" in function["FunctionName"]
    ]

    answer = json.load(functions.invoke(FunctionName=name, Payload=b"{}")["Payload"])

    # What was pushed within the last minutes is left to its event.
    assert answer == {"started": [], "troubled": []}
