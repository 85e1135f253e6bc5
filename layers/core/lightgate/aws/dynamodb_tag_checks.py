"""What the watched tags of each app stood for at the last check, and when Reconcile last ran."""

import json
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code
from lightgate.aws.dynamodb import Table
from lightgate.codec import DecodeError, decode, encode
from lightgate.errors import MissingError
from lightgate.release.tag_changes import TagCheck

_ITEM = "tags"
# An item may have 400 KB. A repository may have 100,000 images.
_PART = 300_000
# No app can have this name.
_STACKS = "#stacks"


class TagChecks:
    """The items `tags`, `tags#1`, … of each app, which hold one text in parts."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, app: str) -> tuple[TagCheck | None, int]:
        """The last check if there is one that can be read, and its number, which `write` needs.

        Raises:
            MissingError: the parts do not belong together, since somebody writes them just now.
        """
        first = self._table.read(app, _ITEM)
        if first is None:
            return None, 0
        number = int(first["number"]["N"])
        parts = [first]
        for part in range(1, int(first["parts"]["N"])):
            found = self._table.read(app, f"{_ITEM}#{part}")
            if found is None or int(found["number"]["N"]) != number:
                raise MissingError(f"part {part} of the tags of {app} could not be read")
            parts.append(found)
        document = json.loads("".join(part["text"]["S"] for part in parts))
        try:
            return decode(TagCheck, document, ignore_unknown=True), number
        except DecodeError:
            # Another version of Lightgate has written it. The next check starts anew.
            return None, number

    def write(self, app: str, check: TagCheck, after: int) -> bool:
        """Write the check that follows the one with this number; False if another one does."""
        text = json.dumps(encode(check), separators=(",", ":"))
        parts = [text[start : start + _PART] for start in range(0, len(text), _PART)]
        condition = "#number = :after" if after else "attribute_not_exists(#number)"
        writes = [
            self._put(app, part, each, len(parts), after + 1) for part, each in enumerate(parts)
        ]
        writes[0]["Put"] |= {
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {"#number": "number"},
            **({"ExpressionAttributeValues": {":after": {"N": str(after)}}} if after else {}),
        }
        try:
            self._table.client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            if error_code(error) != "TransactionCanceledException":
                raise
            return False
        return True

    def _put(self, app: str, part: int, text: str, parts: int, number: int) -> dict[str, Any]:
        numbers = {"number": {"N": str(number)}, "parts": {"N": str(parts)}}
        key = self._table.key(app, f"{_ITEM}#{part}" if part else _ITEM)
        item = {**key, **numbers, "text": {"S": text}}
        return {"Put": {"TableName": self._table.name, "Item": item}}

    def last_run(self, stack: str) -> datetime | None:
        """When the last run of Reconcile began that has checked every app of this stack."""
        found = self._table.read(_STACKS, stack)
        return None if found is None else datetime.fromisoformat(found["reconciledAt"]["S"])

    def ran(self, stack: str, at: datetime) -> None:
        put = self._table.put(_STACKS, stack, {"reconciledAt": at.isoformat()})
        self._table.client.put_item(**put["Put"])
