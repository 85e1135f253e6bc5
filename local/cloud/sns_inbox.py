"""A subscriber of the topic: an SQS queue, and the messages as they arrive there."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

type Client = Any

# Leaves out the message that migrations have failed, which comes before the final one.
NOT_EARLY = {"status": [{"anything-but": ["IN_PROGRESS"]}]}
EARLY = {"status": ["IN_PROGRESS"]}


@dataclass(frozen=True, slots=True)
class Message:
    """One notification. `subject` can be empty."""

    subject: str
    text: str
    attributes: Mapping[str, str]


class Inbox:
    """A queue that is subscribed to one topic."""

    def __init__(
        self,
        sns: Client,
        sqs: Client,
        topic_arn: str,
        name: str,
        filter_policy: Mapping[str, Any] | None = None,
    ) -> None:
        """Create the queue, let the topic send to it, and subscribe it."""
        self._sqs = sqs
        self._url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        queue_arn = attributes["Attributes"]["QueueArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
            },
        }
        sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": json.dumps(policy)})
        chosen = {"FilterPolicy": json.dumps(filter_policy)} if filter_policy else {}
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes=chosen)

    def receive(self, count: int, within: timedelta) -> list[Message]:
        """Receive messages until there are `count` or the time is over."""
        messages: list[Message] = []
        deadline = time.monotonic() + within.total_seconds()
        while len(messages) < count and (left := deadline - time.monotonic()) > 0:
            received = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(10, count - len(messages)),
                WaitTimeSeconds=min(20, int(left) + 1),
            )
            for raw in received.get("Messages", []):
                messages.append(_message(json.loads(raw["Body"])))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=raw["ReceiptHandle"])
        return messages


def _message(envelope: Mapping[str, Any]) -> Message:
    attributes = envelope.get("MessageAttributes", {})
    return Message(
        subject=envelope.get("Subject", ""),
        text=envelope["Message"],
        attributes={name: attribute["Value"] for name, attribute in attributes.items()},
    )
