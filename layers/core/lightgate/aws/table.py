"""The DynamoDB table: what must outlive an execution."""

import json
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code


class ReleaseRecords:
    """The final outcome of each release, written once."""

    def __init__(self, client: Any, table: str) -> None:  # noqa: ANN401 - boto3 is untyped
        self._client = client
        self._table = table

    def settle(self, app: str, release: str, outcome: dict[str, Any]) -> dict[str, Any]:
        """Record the outcome, and return what is on record.

        The first outcome stands: a step that runs again after a lost answer, and comes
        to another conclusion because time has passed, gets the one that was recorded.
        """
        key = {"app": {"S": app}, "item": {"S": f"release#{release}"}}
        try:
            self._client.put_item(
                TableName=self._table,
                Item={**key, "outcome": {"S": json.dumps(outcome)}},
                ConditionExpression="attribute_not_exists(app)",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
            recorded: dict[str, Any] = json.loads(found["Item"]["outcome"]["S"])
            return recorded
        return outcome
