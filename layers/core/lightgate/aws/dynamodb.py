"""One item of the DynamoDB table: what all adapters of it have in common."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer


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

    def put(self, app: str, item: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """A write of a transaction that makes the item or replaces it."""
        return {
            "Put": {
                "TableName": self.name,
                "Item": {**self.key(app, item), **_as_attributes(values)},
            }
        }

    def update(
        self, app: str, item: str, values: Mapping[str, Any], condition: str | None = None
    ) -> dict[str, Any]:
        """A write of a transaction that sets these attributes and keeps the others."""
        attributes = _as_attributes(values)
        return {
            "Update": {
                "TableName": self.name,
                "Key": self.key(app, item),
                "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
                "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
                "ExpressionAttributeValues": {f":{k}": v for k, v in attributes.items()},
                **({"ConditionExpression": condition} if condition else {}),
            }
        }


def _as_attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values as the attributes of an item."""
    serializer = TypeSerializer()
    exact = json.loads(json.dumps(values), parse_float=Decimal)
    return {name: serializer.serialize(value) for name, value in exact.items()}


def as_values(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of an item as JSON values."""
    deserializer = TypeDeserializer()
    found = {name: deserializer.deserialize(value) for name, value in attributes.items()}
    plain: dict[str, Any] = json.loads(json.dumps(found, default=_number))
    return plain


def _number(value: object) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{value!r} has no place in an item")
    return int(value) if value == value.to_integral_value() else float(value)
