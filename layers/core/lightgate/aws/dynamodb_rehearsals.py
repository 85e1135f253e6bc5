"""The records of rehearsals in DynamoDB: the items `rehearsal#<id>` of an app.

They are apart from those of releases: a rehearsal has no lock, and makes no version.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code
from lightgate.aws.dynamodb import Table, as_values
from lightgate.codec import DecodeError, decode, encode
from lightgate.records.release_record import RELEASING, ReadableRecord

_PREFIX = "rehearsal#"
_MOST = 50
_EXPIRES = "expiresAt"
_IS_RUNNING = "attribute_not_exists(app) OR #status = :running"


class Rehearsals:
    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self, record: ReadableRecord) -> None:
        """Put a rehearsal on record that begins. Idempotent; an end on record stands."""
        self._write(record, {})

    def end(self, record: ReadableRecord, expires_at: datetime) -> ReadableRecord:
        """Record how the rehearsal has ended, and return what is on record: the first end stands.

        DynamoDB deletes the record some time after `expires_at`.
        """
        self._write(record, {_EXPIRES: int(expires_at.timestamp())})
        return self.find(record.app, record.release) or record

    def find(self, app: str, rehearsal: str) -> ReadableRecord | None:
        found = self._table.read(app, f"{_PREFIX}{rehearsal}")
        return None if found is None else decode(
            ReadableRecord, as_values(found), ignore_unknown=True
        )  # fmt: skip

    def history(self, app: str, beginning: str = "") -> Iterator[ReadableRecord]:
        """The records of the app's last 50 rehearsals, the newest first.

        With a `beginning` only those whose ids begin so. A record that cannot be read is left out.
        """
        pages = self._table.client.get_paginator("query").paginate(
            TableName=self._table.name,
            ConsistentRead=True,
            ScanIndexForward=False,
            KeyConditionExpression="app = :app AND begins_with(#item, :begin)",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues={
                ":app": {"S": app},
                ":begin": {"S": f"{_PREFIX}{beginning}"},
            },
            PaginationConfig={"MaxItems": _MOST, "PageSize": _MOST},
        )
        for page in pages:
            for found in page["Items"]:
                with suppress(DecodeError):
                    yield decode(ReadableRecord, as_values(found), ignore_unknown=True)

    def _write(self, record: ReadableRecord, more: dict[str, int]) -> None:
        values = {name: value for name, value in encode(record).items() if name != "app"}
        update = self._table.update(
            record.app,
            f"{_PREFIX}{record.release}",
            {**values, **more},
            condition=_IS_RUNNING,
        )["Update"]
        update["ExpressionAttributeValues"][":running"] = {"S": RELEASING}
        try:
            self._table.client.update_item(**update)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
