"""Amazon SNS: the topic of the final messages, and who is subscribed to it."""

from collections.abc import Mapping
from typing import Any

from lightgate.aws.clients import reaching
from lightgate.checks.subscribers import Subscription
from lightgate.records.recorded_outcome import Publication

# Ten pages.
_MOST_SUBSCRIPTIONS = 1000
# In place of the ARN, as the API and the console show it.
_NO_ARN = {"PendingConfirmation", "Deleted"}


class Topic:
    """`client` publishes. `reader` lists the subscriptions, and has to give up soon."""

    def __init__(self, client: Any, reader: Any, arn: str) -> None:  # noqa: ANN401 - boto3 is untyped
        self._client, self._reader = client, reader
        self.arn = arn

    def publish(self, publication: Publication) -> None:
        """The same publication as the state `PublishOutcome` makes.

        Raises:
            UnreachableError: SNS did not take it, or its answer was lost.
        """
        with reaching("SNS"):
            self._client.publish(
                TopicArn=self.arn,
                Subject=publication.subject,
                Message=publication.message,
                MessageStructure="json",
                MessageAttributes={
                    "app": _text(publication.app),
                    "status": _text(publication.status),
                    "stage": _text(publication.stage),
                },
            )

    def subscriptions(self) -> list[Subscription]:
        """The subscriptions of the topic, confirmed or not.

        Raises:
            UnreachableError: SNS did not answer.
        """
        with reaching("SNS"):
            pages = self._reader.get_paginator("list_subscriptions_by_topic").paginate(
                TopicArn=self.arn, PaginationConfig={"MaxItems": _MOST_SUBSCRIPTIONS}
            )
            return [_subscription(found) for page in pages for found in page["Subscriptions"]]


def _text(value: str) -> Mapping[str, str]:
    return {"DataType": "String", "StringValue": value}


def _subscription(found: Mapping[str, Any]) -> Subscription:
    arn = found["SubscriptionArn"]
    return Subscription(
        protocol=found["Protocol"],
        endpoint=found.get("Endpoint") or "",
        is_confirmed=arn not in _NO_ARN,
        is_pending=arn == "PendingConfirmation",
    )
