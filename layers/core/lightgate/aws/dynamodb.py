"""One item of the DynamoDB table: what all adapters of it have in common."""

from collections.abc import Mapping
from typing import Any


class Table:
    """The table that outlives the executions. The key of an item is its app and its name."""

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 - boto3 is untyped
        self.client = client
        self.name = name

    def key(self, app: str, item: str) -> dict[str, Any]:
        return {"app": {"S": app}, "item": {"S": item}}

    def read(self, app: str, item: str) -> Mapping[str, Any] | None:
        """The item as it stands after every write that was answered; None if there is none."""
        found = self.client.get_item(
            TableName=self.name, Key=self.key(app, item), ConsistentRead=True
        )
        item_found: Mapping[str, Any] | None = found.get("Item")
        return item_found

    def put(self, app: str, item: str, attributes: Mapping[str, str]) -> dict[str, Any]:
        """A write of a transaction that makes the item or replaces it."""
        texts = {name: {"S": value} for name, value in attributes.items()}
        return {"Put": {"TableName": self.name, "Item": {**self.key(app, item), **texts}}}

    def update(
        self, app: str, item: str, attributes: Mapping[str, str], condition: str | None = None
    ) -> dict[str, Any]:
        """A write of a transaction that sets these attributes and keeps the others."""
        return {
            "Update": {
                "TableName": self.name,
                "Key": self.key(app, item),
                "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
                "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
                "ExpressionAttributeValues": {f":{k}": {"S": v} for k, v in attributes.items()},
                **({"ConditionExpression": condition} if condition else {}),
            }
        }
