"""docs/messages.md has every field of the JSON objects, every event and every status."""

import json
import re
from pathlib import Path
from typing import Any

from lightgate.notifications.formats import MessageEvent, sns_message
from tests.support.ended_releases import rolled_back
from tests.support.messages import failed_migration, not_pruned_notice, rehearsal_ended, started

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "messages.md").read_text()
STATES = json.loads((ROOT / "statemachine" / "release.asl.json").read_text())["States"]
UNDETERMINED = STATES["DescribeUndetermined"]["Parameters"]["document"]
# Only of an image in a multi-platform index.
IN_AN_INDEX = {"runningDigest"}


def documents() -> list[dict[str, Any]]:
    published = [
        sns_message(rolled_back()),
        started().message,
        failed_migration().message,
        not_pruned_notice().message,
        rehearsal_ended().message,
    ]
    by_the_machine = {name.removesuffix(".$"): value for name, value in UNDETERMINED.items()}
    return [*(json.loads(json.loads(one)["sqs"]) for one in published), by_the_machine]


def rows(section: str) -> list[list[str]]:
    _, _, rest = PAGE.partition(f"\n## {section}\n")
    body, _, _ = rest.partition("\n## ")
    found = [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| `")]
    assert found
    return found


def named(cell: str) -> set[str]:
    return set(re.findall(r"`([\w-]+)`", cell))


def test_the_page_names_every_field_and_no_other() -> None:
    written = {name for document in documents() for name in document} | IN_AN_INDEX

    listed = [name for row in rows("The JSON object") for name in named(row[0])]
    assert sorted(listed) == sorted(written)


def test_every_message_has_the_fields_that_the_page_promises() -> None:
    [promise] = re.findall(r"Every message has\n(.*?);", PAGE, re.DOTALL)

    for document in documents():
        assert named(promise) <= document.keys()
        assert document["schemaVersion"] == 1
        assert document["links"].keys() - {"execution.$"} >= {"page", "log", "snapshot"}


def test_the_page_has_each_event_with_its_statuses() -> None:
    told = [(document["event"], document["status"]) for document in documents()]

    listed = {
        (event, status)
        for row in rows("Which messages there are")
        for status in named(row[0])
        for event in named(row[1])
    }
    assert set(told) <= listed
    events = {event for event, _ in listed}
    assert events == {*MessageEvent, UNDETERMINED["event"]}


def test_only_the_end_of_a_release_is_final() -> None:
    final = [row for row in rows("Which messages there are") if row[2] == "yes"]

    assert [named(row[1]) for row in final] == [{MessageEvent.RELEASE_ENDED}]
