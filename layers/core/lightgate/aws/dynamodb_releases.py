"""The records of releases, images and versions in DynamoDB.

A release gets its record when it requests the lock. Its outcome is recorded once: the first one
stands. Only QUEUED, DUPLICATE and SUPERSEDED may change: a queued release starts or is superseded.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code
from lightgate.aws.dynamodb import Table, as_values
from lightgate.codec import DecodeError, decode, encode
from lightgate.errors import MissingError
from lightgate.outcome.begun_record import begun_record
from lightgate.records.earlier_record import earlier_record
from lightgate.records.recorded_outcome import EndStatus, RecordedOutcome
from lightgate.records.release_record import ReadableRecord
from lightgate.records.version import VersionRecord, read_version
from lightgate.release.lock import LockAnswer, LockRequest, LockStatus, execution_name_of
from lightgate.state import Admitted

type _Json = dict[str, Any]
type Write = dict[str, Any]
"""One write of a transaction, as DynamoDB takes it."""

# The service lists its last 50 deployments (docs/lightsail.md, "Quotas"), and a release makes at
# most two. The rest is for releases that made none: an older version than these is not on record.
_MOST_RELEASES = 200
_LISTED_VERSIONS = 50
# The state machine writes this name, too (MarkMessageSent).
OWED = "#owed-messages"
_NOT_ENDED = "attribute_not_exists(ended)"
_ITS_ONLY_RELEASE = f"{_NOT_ENDED} AND (attribute_not_exists(#release) OR #release = :release)"
_NO_OUTCOME = "attribute_not_exists(outcome)"
# DynamoDB's time to live reads it (template.yaml).
_EXPIRES = "expiresAt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRecord:
    """A release on record. `outcome` and `status` are None while it is in progress.

    `admission` is what Admit has decided. The outcome of a release whose execution was stopped is
    made from it. It is None if there is none, or if this version of Lightgate cannot read it.
    `fence` is that of its lock, 0 if it never had it. `fingerprint` stands for what it deploys;
    None if that is unknown. `readable` is what people read of it; None if an earlier version of
    Lightgate has written it.
    """

    release: str
    status: EndStatus | None
    execution: str | None
    digest: str | None
    fingerprint: str | None
    fence: int
    admission: Admitted | None
    outcome: RecordedOutcome | None
    readable: ReadableRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastKnown:
    """Facts about an app from its last admitted release."""

    repository: str
    stage: str
    service: str
    service_since: datetime | None


class Releases:
    """What is on record of each app, and which releases still have to be heard of.

    The items of an app are `release#<id>`, `image#<digest>` and `execution#<name>`. The last one
    ties an execution to its only release, and says when it was found to be over. A release owes a
    message from the moment it gets the lock, or ends without it, until the message is out. Such
    releases of all apps are items of one partition, so that they are found without a scan and
    without the app's spec. No app can have the name of that partition.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, app: str, release: str) -> ReleaseRecord | None:
        found = self._table.read(app, _release(release))
        return None if found is None else _record(found)

    def get(self, app: str, release: str) -> ReleaseRecord:
        """The record of a release that is known to have one.

        Raises:
            MissingError: the answer has no record, so what it says is unknown.
        """
        found = self.find(app, release)
        if found is None:
            raise MissingError(f"the record of release {release} of {app} could not be read")
        return found

    def of_execution(self, app: str, execution: str) -> ReleaseRecord | None:
        """The record of the execution's release; None if it has none, or the answer was empty."""
        found = self._table.read(app, _execution(execution))
        release = None if found is None else _text(found, "release")
        return None if release is None else self.get(app, release)

    def end(self, app: str, execution: str, at: datetime) -> str | None:
        """Record that the execution is over, and return its release if that has a record.

        From here on no function of the execution that still runs can take the lock, open a
        record or begin to create a deployment. Whatever it wrote before shows in the answer.
        Safe to repeat.

        Raises:
            MissingError: the answer was empty.
        """
        update = self._table.update(app, _execution(execution), {"ended": at.isoformat()})["Update"]
        answer = self._table.client.update_item(**update, ReturnValues="ALL_NEW")
        written = answer.get("Attributes", {})
        if "ended" not in written:
            raise MissingError(f"the end of {execution} could not be read back")
        return _text(written, "release")

    def unless_ended(self, app: str, execution: str) -> Write:
        """A part of a transaction that refuses it once the execution is recorded as ended."""
        return {
            "ConditionCheck": {
                "TableName": self._table.name,
                "Key": self._table.key(app, _execution(execution)),
                "ConditionExpression": _NOT_ENDED,
            }
        }

    def versions(self, app: str) -> Mapping[int, VersionRecord]:
        """The versions of the app's service that its last 200 releases have made, by number."""
        found: dict[int, VersionRecord] = {}
        for outcome in self._newest_outcomes(app):
            for past in map(read_version, outcome.get("versions", [])):
                # A service that was made anew counts from 1 again.
                found.setdefault(past.version, past)
            if found and min(found) <= max(found) - _LISTED_VERSIONS:
                break
        return found

    def last_known(self, app: str) -> LastKnown | None:
        """The facts from the app's last admitted release; None without one."""
        for item in self._newest_items(app):
            if (admission := _document(item, "admission")) is not None:
                with contextlib.suppress(DecodeError):
                    return decode(LastKnown, admission["release"], ignore_unknown=True)
        return None

    def _newest_outcomes(self, app: str) -> Iterator[_Json]:
        for item in self._newest_items(app):
            if (outcome := _document(item, "outcome")) is not None:
                yield outcome

    def _newest_items(self, app: str, beginning: str = "") -> Iterator[Mapping[str, Any]]:
        """The app's last 200 releases as they are in the table, the newest first."""
        pages = self._table.client.get_paginator("query").paginate(
            TableName=self._table.name,
            ConsistentRead=True,
            ScanIndexForward=False,
            KeyConditionExpression="app = :app AND begins_with(#item, :begin)",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues={":app": {"S": app}, ":begin": {"S": _release(beginning)}},
            PaginationConfig={"MaxItems": _MOST_RELEASES, "PageSize": _LISTED_VERSIONS},
        )
        for page in pages:
            yield from page["Items"]

    def release_of_image(self, app: str, digest: str) -> str | None:
        """The release that was last recorded for this image; None if there was none."""
        found = self._table.read(app, _image(digest))
        return None if found is None else _text(found, "release")

    def record_outcome(
        self,
        outcome: RecordedOutcome,
        record: ReadableRecord,
        *,
        rollback: ReadableRecord | None,
        digest: str | None,
        owes_message: bool,
        expires_at: datetime | None,
    ) -> ReleaseRecord:
        """Record the outcome, and return what is on record.

        The first outcome stands: a step that runs again after a lost answer, and comes
        to another conclusion because time has passed, gets the one that was recorded.
        `rollback` is the record of the rollback that the release has made. `digest` is the image
        that it brought the app. DynamoDB deletes the records some time after `expires_at`; never
        where it is None.
        """
        app, release = outcome.app, outcome.release
        execution = record.execution or ""
        expiry = {} if expires_at is None else {_EXPIRES: int(expires_at.timestamp())}
        settled = self._table.update(
            app,
            _release(release),
            {**_attributes(record), "outcome": encode(outcome), **expiry},
            condition=_NO_OUTCOME,
        )
        writes = [
            settled,
            self._table.update(app, _execution(execution), {"release": release, **expiry}),
            self._owes(app, release) if owes_message else self._owes_nothing(app, release),
            *([self._image_known(app, digest, release)] if digest else []),
        ]
        if rollback is not None:
            back = {**_attributes(rollback), **expiry}
            writes.append(self._table.put(app, _release(rollback.release), back))
        try:
            self._table.client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            if not _is_condition(error):
                raise
        return self.get(app, release)

    def let_expire(self, app: str, release: str, at: datetime) -> None:
        """DynamoDB may delete this record some time after that moment. Safe to repeat."""
        update = self._table.update(
            app,
            _release(release),
            {_EXPIRES: int(at.timestamp())},
            condition=f"attribute_exists(app) AND attribute_not_exists({_EXPIRES})",
        )["Update"]
        try:
            self._table.client.update_item(**update)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def history(self, app: str, beginning: str = "") -> Iterator[ReadableRecord]:
        """The records of the app's last 200 releases, the newest first.

        With a `beginning` only those whose ids begin so. A record in another shape is there with
        the facts that can be read.
        """
        for item in self._newest_items(app, beginning):
            if (found := _readable(item) or _earlier(app, item)) is not None:
                yield found

    def owes_message(self, app: str, release: str) -> bool:
        """Whether the release still has to be heard of."""
        return self._table.read(OWED, owed_key(app, release)) is not None

    def owed_messages(self) -> Iterator[tuple[str, str]]:
        """App and release of all that still have to be heard of, those in progress included."""
        pages = self._table.client.get_paginator("query").paginate(
            TableName=self._table.name,
            ConsistentRead=True,
            KeyConditionExpression="app = :owed",
            ExpressionAttributeValues={":owed": {"S": OWED}},
        )
        for page in pages:
            for found in page["Items"]:
                app, _, release = found["item"]["S"].partition("#")
                yield app, release

    def message_sent(self, app: str, release: str) -> None:
        """The final message is out. The state machine does the same after its own publication."""
        delete = self._owes_nothing(app, release)["Delete"]
        self._table.client.delete_item(**delete)

    def following(
        self, app: str, lock_request: LockRequest, answer: LockAnswer, admission: Admitted
    ) -> Iterator[Write]:
        """The writes that follow from the answer to a claim, and belong to its transaction.

        They are refused once the execution is recorded as ended. A release with an outcome gets no
        lock any more: an execution whose release was queued ends without that record, and an
        earlier run of its Admit may still be in progress.
        """
        if answer.displaced is not None:
            displaced = {
                "status": LockStatus.SUPERSEDED.value,
                "supersededBy": lock_request.release,
            }
            yield self._table.update(app, _release(answer.displaced.release), displaced)
        if answer.begun is not None:
            yield self._table.update(
                app, _release(answer.begun.release), {"begunAs": lock_request.release}
            )
        record = begun_record(
            admission, answer, execution=lock_request.execution, request=lock_request.request
        )
        attributes = _attributes(record)
        if answer.holder is not None:
            attributes |= {
                "admission": encode(admission),
                "fence": answer.holder.fence,
                # Empty if it is unknown, in place of one that an earlier attempt has written.
                "fingerprint": lock_request.fingerprint or "",
            }
            yield self._owes(app, lock_request.release)
        else:
            status = EndStatus(answer.status)
            ending = RecordedOutcome(
                app=app, release=lock_request.release, status=status, cause=answer.reason
            )
            attributes |= {"outcome": encode(ending)}
        may_begin = _NO_OUTCOME if answer.holder is not None else None
        yield self._table.update(
            app, _release(lock_request.release), attributes, condition=may_begin
        )
        yield self._table.update(
            app,
            _execution(lock_request.execution),
            {"release": lock_request.release},
            condition=_ITS_ONLY_RELEASE,
        )
        if lock_request.digest is not None:
            # Reconcile meets the image by the digest that was pushed.
            for digest in {lock_request.digest, lock_request.pushed_digest or lock_request.digest}:
                yield self._image_known(app, digest, lock_request.release)

    def _owes(self, app: str, release: str) -> Write:
        return self._table.put(OWED, owed_key(app, release), {})

    def _owes_nothing(self, app: str, release: str) -> Write:
        key = self._table.key(OWED, owed_key(app, release))
        return {"Delete": {"TableName": self._table.name, "Key": key}}

    def _image_known(self, app: str, digest: str, release: str) -> Write:
        return self._table.put(app, _image(digest), {"release": release})


def _release(release: str) -> str:
    return f"release#{release}"


def _image(digest: str) -> str:
    return f"image#{digest}"


def _execution(arn: str) -> str:
    return f"execution#{execution_name_of(arn)}"


def owed_key(app: str, release: str) -> str:
    return f"{app}#{release}"


def _text(found: Mapping[str, Any], name: str) -> str | None:
    value: str | None = found.get(name, {}).get("S")
    return value


def _is_condition(error: ClientError) -> bool:
    """Whether a condition has refused the transaction; false for a temporary error."""
    reasons = error.response.get("CancellationReasons", [])
    codes = {reason.get("Code") for reason in reasons}
    return error_code(error) == "TransactionCanceledException" and codes <= {
        "None",
        "ConditionalCheckFailed",
    }


def _attributes(record: ReadableRecord) -> _Json:
    """The record as attributes of its item. Its app is a part of the key."""
    return {name: value for name, value in encode(record).items() if name != "app"}


def _document(found: Mapping[str, Any], name: str) -> _Json | None:
    """A part of the item; earlier versions of Lightgate wrote it as a text."""
    if name not in found:
        return None
    value = as_values({name: found[name]})[name]
    document: _Json = json.loads(value) if isinstance(value, str) else value
    return document


def _readable(found: Mapping[str, Any]) -> ReadableRecord | None:
    """None for a record in another shape, as an earlier version of Lightgate has written it."""
    if "schemaVersion" in found:
        with contextlib.suppress(DecodeError):
            return decode(ReadableRecord, as_values(found), ignore_unknown=True)
    return None


def _earlier(app: str, found: Mapping[str, Any]) -> ReadableRecord | None:
    release = found["item"]["S"].removeprefix(_release(""))
    documents = [_document(found, name) or {} for name in ("outcome", "admission")]
    return earlier_record(app, release, as_values(found), *documents)


def _record(found: Mapping[str, Any]) -> ReleaseRecord:
    values = as_values(found)
    outcome, admission = _document(found, "outcome"), _document(found, "admission")
    status = values.get("status")
    return ReleaseRecord(
        release=str(values["item"]).removeprefix("release#"),
        status=EndStatus(status) if status is not None and status in EndStatus else None,
        execution=values.get("execution"),
        digest=values.get("digest"),
        fingerprint=values.get("fingerprint") or None,
        fence=int(values.get("fence", 0)),
        admission=None if admission is None else _admitted(admission),
        outcome=None if outcome is None else _outcome(outcome),
        readable=_readable(found),
    )


def _admitted(document: _Json) -> Admitted | None:
    with contextlib.suppress(DecodeError):
        return decode(Admitted, document, ignore_unknown=True)
    return None


def _outcome(document: _Json) -> RecordedOutcome:
    """Also of another version of Lightgate. The versions are read by themselves."""
    return decode(RecordedOutcome, {**document, "versions": []}, ignore_unknown=True)
