"""Which app each container service belongs to, on record: one item for each service."""

from collections.abc import Set
from typing import Any

from lightgate.aws.dynamodb import Table

# No app can have the name of this partition.
_SERVICES = "#services"
_APP = "belongsTo"


class Services:
    def __init__(self, table: Table) -> None:
        self._table = table

    def app_of(self, service: str) -> str | None:
        """The app that the service belongs to; None if it never belonged to any."""
        found = self._table.read(_SERVICES, service)
        return None if found is None else str(found[_APP]["S"])

    def apps(self) -> Set[str]:
        """Every app that has a container service."""
        pages = self._table.client.get_paginator("query").paginate(
            TableName=self._table.name,
            KeyConditionExpression="app = :services",
            ExpressionAttributeValues={":services": {"S": _SERVICES}},
        )
        return {str(item[_APP]["S"]) for page in pages for item in page["Items"]}

    def belongs_to(self, app: str, service: str, before: str | None) -> dict[str, Any]:
        """A write of a transaction: the service belongs to the app, and so far did to `before`."""
        put = self._table.put(_SERVICES, service, {_APP: app})["Put"]
        if before is None:
            return {"Put": {**put, "ConditionExpression": f"attribute_not_exists({_APP})"}}
        values = {":before": {"S": before}}
        condition = {
            "ConditionExpression": f"{_APP} = :before",
            "ExpressionAttributeValues": values,
        }
        return {"Put": {**put, **condition}}
