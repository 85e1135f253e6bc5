"""One item of the DynamoDB table: what all adapters of it have in common."""

from collections.abc import Mapping
from decimal import Decimal
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
    return {name: _attribute(value) for name, value in values.items()}


def as_values(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of an item as JSON values."""
    return {name: _value(attribute) for name, attribute in attributes.items()}


# Not boto3's own pair, which takes boto3 and s3transfer to import.
def _attribute(value: object) -> dict[str, Any]:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case Mapping():
            return {"M": {str(name): _attribute(each) for name, each in value.items()}}
        case list() | tuple():
            return {"L": [_attribute(each) for each in value]}
    raise TypeError(f"{value!r} has no place in an item")


def _value(attribute: Mapping[str, Any]) -> object:
    [(kind, value)] = attribute.items()
    match kind:
        case "NULL":
            return None
        case "BOOL" | "S":
            return value
        case "N":
            number = Decimal(value)
            return int(number) if number == number.to_integral_value() else float(number)
        case "M":
            return {name: _value(each) for name, each in value.items()}
        case "L":
            return [_value(each) for each in value]
    raise TypeError(f"an attribute of the type {kind} has no place in a record")
