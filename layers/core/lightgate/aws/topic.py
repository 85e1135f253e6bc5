"""Amazon SNS: the topic of the final messages, for what the state machine did not publish."""

from collections.abc import Mapping
from typing import Any

from lightgate.aws.clients import reaching


class Topic:
    def __init__(self, client: Any, arn: str) -> None:  # noqa: ANN401 - boto3 is untyped
        self._client = client
        self._arn = arn

    def publish(self, settlement: Mapping[str, Any]) -> None:
        """The same publication as the state `PublishOutcome` makes.

        Raises:
            UnreachableError: SNS did not take it, or its answer was lost.
        """
        with reaching("SNS"):
            self._client.publish(
                TopicArn=self._arn,
                Subject=settlement["subject"],
                Message=settlement["message"],
                MessageStructure="json",
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": settlement[name]}
                    for name in ("app", "status", "stage")
                },
            )
