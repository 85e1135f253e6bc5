"""What is on record of every release and every image.

A release's record is opened when it asks for its turn, and settled once: the first outcome
stands. A quiet outcome is on record from the start, and may still change: what is queued
becomes another release, or is superseded.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code
from lightgate.aws.table import Table
from lightgate.past import Past
from lightgate.turn import Answer, Claim, TurnStatus

type Json = dict[str, Any]
type Write = dict[str, Any]
"""One write of a transaction, as DynamoDB takes it."""

# The service lists its last 50 deployments (lightsail-facts.md, section 6), and a release makes at
# most two. The rest is for releases that made none: an older version than these is not on record.
_MOST_RELEASES = 200
_LISTED_VERSIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A release on record. `outcome` is None while it is under way.

    `admission` is what Admit answered, so that whoever settles the release for an
    execution that cannot do it any more knows what it was about.
    """

    release: str
    status: str
    execution: str | None
    digest: str | None
    admission: Mapping[str, Any] | None
    outcome: Json | None
    published: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LastKnown:
    """Facts about an app from its last admitted release."""

    repository: str
    stage: str


class Records:
    """The items `release#<id>` and `image#<digest>` of each app."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, app: str, release: str) -> Record | None:
        found = self._table.read(app, _release(release))
        return None if found is None else _record(found)

    def of_execution(self, app: str, execution: str, started_at: datetime) -> Record | None:
        """The record of the release that this execution has carried out, if it got so far.

        Release ids begin with the second of the execution's start.
        """
        moment = started_at.astimezone(UTC).strftime("%Y%m%dt%H%M%Sz")
        pages = self._table.client.get_paginator("query").paginate(
            TableName=self._table.name,
            ConsistentRead=True,
            KeyConditionExpression="app = :app AND begins_with(#item, :begin)",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues={":app": {"S": app}, ":begin": {"S": _release(moment)}},
        )
        for page in pages:
            for found in page["Items"]:
                if found.get("execution", {}).get("S") == execution:
                    return _record(found)
        return None

    def versions(self, app: str) -> Mapping[int, Past]:
        """The versions of the app's service that its last 200 releases have made, by number."""
        found: dict[int, Past] = {}
        for outcome in self._newest_outcomes(app):
            for past in map(Past.from_json, outcome.get("versions", [])):
                # A service that was made anew counts from 1 again.
                found.setdefault(past.version, past)
            if found and min(found) <= max(found) - _LISTED_VERSIONS:
                break
        return found

    def last_known(self, app: str) -> LastKnown | None:
        """The repository and stage of the app's last admitted release; None without one."""
        for item in self._newest_items(app):
            if "admission" in item:
                release = json.loads(item["admission"]["S"])["release"]
                return LastKnown(repository=release["repository"], stage=release["stage"])
        return None

    def _newest_outcomes(self, app: str) -> Iterator[Json]:
        for item in self._newest_items(app):
            if "outcome" in item:
                yield json.loads(item["outcome"]["S"])

    def _newest_items(self, app: str) -> Iterator[Mapping[str, Any]]:
        """The app's last 200 releases as they are in the table, the newest first."""
        pages = self._table.client.get_paginator("query").paginate(
            TableName=self._table.name,
            ConsistentRead=True,
            ScanIndexForward=False,
            KeyConditionExpression="app = :app AND begins_with(#item, :begin)",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues={":app": {"S": app}, ":begin": {"S": _release("")}},
            PaginationConfig={"MaxItems": _MOST_RELEASES, "PageSize": _LISTED_VERSIONS},
        )
        for page in pages:
            yield from page["Items"]

    def knows_image(self, app: str, digest: str) -> bool:
        """Whether there has been anything at all about this image."""
        return self._table.read(app, _image(digest)) is not None

    def settle(
        self, app: str, release: str, outcome: Json, *, execution: str, digest: str | None
    ) -> Record:
        """Record the outcome, and return what is on record.

        The first outcome stands: a step that runs again after a lost answer, and comes
        to another conclusion because time has passed, gets the one that was recorded.
        """
        settled = self._update(
            app,
            release,
            {
                "status": outcome["status"],
                "outcome": json.dumps(outcome),
                "execution": execution,
                **({"digest": digest} if digest else {}),
            },
            condition="attribute_not_exists(outcome)",
        )
        image = [self._image_known(app, digest, release)] if digest else []
        try:
            self._table.client.transact_write_items(TransactItems=[settled, *image])
        except ClientError as error:
            if not _is_condition(error):
                raise
        record = self.find(app, release)
        if record is None:
            raise RuntimeError(f"the record of release {release} has gone")
        return record

    def mark_published(self, app: str, release: str, at: datetime) -> None:
        """The final message has gone out. Repeating this changes nothing that matters."""
        update = self._update(app, release, {"published": at.isoformat()})["Update"]
        self._table.client.update_item(**update)

    def following(self, app: str, claim: Claim, answer: Answer, admission: Json) -> Iterator[Write]:
        """The writes that follow from the answer to a claim, and belong to its transaction."""
        if answer.displaced is not None:
            yield self._update(
                app,
                answer.displaced.release,
                {"status": TurnStatus.SUPERSEDED.value, "supersededBy": claim.release},
            )
        if answer.begun is not None:
            yield self._update(app, answer.begun.release, {"begunAs": claim.release})
        attributes = {"execution": claim.execution}
        if claim.digest is not None:
            attributes["digest"] = claim.digest
        if answer.holder is not None:
            attributes |= {"status": "RELEASING", "admission": json.dumps(admission)}
        else:
            outcome = {"status": answer.status.value, "cause": answer.reason}
            ending = {"app": app, "release": claim.release, **outcome}
            attributes |= {"status": answer.status.value, "outcome": json.dumps(ending)}
        yield self._update(app, claim.release, attributes)
        if claim.digest is not None:
            yield self._image_known(app, claim.digest, claim.release)

    def _update(
        self, app: str, release: str, attributes: Mapping[str, str], condition: str | None = None
    ) -> Write:
        return {
            "Update": {
                "TableName": self._table.name,
                "Key": self._table.key(app, _release(release)),
                "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
                "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
                "ExpressionAttributeValues": {f":{k}": {"S": v} for k, v in attributes.items()},
                **({"ConditionExpression": condition} if condition else {}),
            }
        }

    def _image_known(self, app: str, digest: str, release: str) -> Write:
        item = {**self._table.key(app, _image(digest)), "release": {"S": release}}
        return {"Put": {"TableName": self._table.name, "Item": item}}


def _release(release: str) -> str:
    return f"release#{release}"


def _image(digest: str) -> str:
    return f"image#{digest}"


def _is_condition(error: ClientError) -> bool:
    """Whether a condition has refused the transaction, and not a passing trouble."""
    reasons = error.response.get("CancellationReasons", [])
    codes = {reason.get("Code") for reason in reasons}
    return error_code(error) == "TransactionCanceledException" and codes <= {
        "None",
        "ConditionalCheckFailed",
    }


def _record(found: Mapping[str, Any]) -> Record:
    def text(name: str) -> str | None:
        value: str | None = found.get(name, {}).get("S")
        return value

    outcome, admission = text("outcome"), text("admission")
    return Record(
        release=str(text("item")).removeprefix("release#"),
        status=text("status") or "",
        execution=text("execution"),
        digest=text("digest"),
        admission=None if admission is None else json.loads(admission),
        outcome=None if outcome is None else json.loads(outcome),
        published=text("published") is not None,
    )
