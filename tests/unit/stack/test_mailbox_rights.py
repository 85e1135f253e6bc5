"""Who may do what in the bucket of the mailboxes, as the template has it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.template import read_template

RESOURCES: Any = read_template()["Resources"]
MESSAGES = {"plan.json", "status.json", "result.json"}
WRITERS_OF_PERMITS = {
    "RunRehearsal","Admit", "Deploy", "CheckDeployment", "RollBack", "RecordOutcome",
                      "StartNext", "CleanUp", "Reconcile"}  # fmt: skip


def rights(statements: list[Any]) -> Iterator[tuple[str, str]]:
    """Each action on objects of the bucket, with the name of the object."""
    for one in statements:
        actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
        found = one["Resource"]
        for resource in found if isinstance(found, list) else [found]:
            text = resource.get("Fn::Sub", "") if isinstance(resource, dict) else ""
            if isinstance(text, str) and text.startswith("${MailboxBucket.Arn}"):
                yield from ((action, text.rpartition("/")[2]) for action in actions)


def of_functions() -> dict[str, set[tuple[str, str]]]:
    return {
        name.removesuffix("Function"): set(
            rights(resource["Properties"]["Policies"][0]["Statement"])
        )
        for name, resource in RESOURCES.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def test_permits_are_written_by_who_opens_gives_or_voids_them() -> None:
    writers = {name for name, mays in of_functions().items() if mays}

    assert writers == WRITERS_OF_PERMITS
    for name in writers:
        assert {what for what in of_functions()[name] if what[1] == "permit.json"} == {
            ("s3:GetObject", "permit.json"),
            ("s3:PutObject", "permit.json"),
        }


@pytest.mark.parametrize("name", sorted(WRITERS_OF_PERMITS))
def test_messages_are_read_where_gates_are_listened_to_and_written_by_none_of_ours(
    name: str,
) -> None:
    others = {what for what in of_functions()[name] if what[1] != "permit.json"}

    reads = {("s3:GetObject", message) for message in MESSAGES}
    expected = {
        "Deploy": {("s3:PutObject", "classifier.json")},
        "CheckDeployment": reads,
        "RecordOutcome": reads,
        "RollBack": {("s3:PutObject", "classifier.json"), *reads},
        "RunRehearsal": {("s3:PutObject", "classifier.json"), *reads},
    }
    assert others == expected.get(name, set())


def test_what_signs_the_urls_writes_messages_and_reads_permits_and_classifiers() -> None:
    [policy] = RESOURCES["MailboxRole"]["Properties"]["Policies"]

    assert set(rights(policy["PolicyDocument"]["Statement"])) == {
        ("s3:GetObject", "permit.json"),
        ("s3:GetObject", "classifier.json"),
        *(("s3:PutObject", message) for message in MESSAGES),
    }
