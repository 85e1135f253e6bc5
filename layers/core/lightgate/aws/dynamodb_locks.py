"""The deployment lock of each app in DynamoDB: one item, written only if it is unchanged."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code
from lightgate.aws.dynamodb import Table
from lightgate.errors import ExecutionEndedError
from lightgate.release.lock import LatestRequest, Lock, LockHolder, Pause, QueueRehearsal, Waiting

_ITEM = "lock"
# Everybody who takes part in a race writes once, so there are fewer losses than that.
_ATTEMPTS = 20
# Of a transaction that met another one; whether a condition would hold is not known.
_PASSING = {"ConditionalCheckFailed", "TransactionConflict"}


class Locks:
    """The lock item of each app. It is never deleted, because its fencing number only grows."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, app: str) -> Lock:
        return self._read(app)[0]

    def change[T](
        self,
        app: str,
        rule: Callable[[Lock], tuple[Lock, T]],
        records: Callable[[T], Iterable[dict[str, Any]]] = lambda _: (),
        conditions: Callable[[T], Sequence[dict[str, Any]]] = lambda _: (),
    ) -> T:
        """Apply the rule to the current lock, and return the rule's answer.

        One transaction writes the lock and the records that follow from the answer. If another
        call has written the lock meanwhile, or one of the `conditions` no longer holds, the rule is
        applied again to the new lock. After a lost answer, repeat the call: the rule then finds
        its own lock.

        Raises:
            ExecutionEndedError: a condition of the records does not hold. The only ones they
                have are that the execution is not recorded as ended, and that a release with an
                outcome gets no lock.
        """
        for _ in range(_ATTEMPTS):
            lock, version = self._read(app)
            changed, answer = rule(lock)
            writes = list(records(answer))
            if changed == lock and not writes:
                return answer
            raced = [self._put(app, changed, version), *conditions(answer)]
            try:
                self._table.client.transact_write_items(TransactItems=[*raced, *writes])
            except ClientError as error:
                if "ConditionalCheckFailed" in _reasons(error)[len(raced) :]:
                    raise ExecutionEndedError(
                        f"the execution or its release is recorded as ended; {app} is left as it is"
                    ) from error
                if not _has_lost_a_race(error):
                    raise
            else:
                return answer
        raise RuntimeError(f"the lock of {app} has changed {_ATTEMPTS} times meanwhile")

    def unchanged(self, app: str) -> tuple[Lock, dict[str, Any]]:
        """The lock, and a condition that fails a transaction once the lock has changed."""
        lock, version = self._read(app)
        check = {"TableName": self._table.name, "Key": self._table.key(app, _ITEM)}
        return lock, {"ConditionCheck": {**check, **_still(version)}}

    def _read(self, app: str) -> tuple[Lock, int]:
        found = self._table.read(app, _ITEM)
        if found is None:
            return Lock(), 0
        lock = _lock(json.loads(found["lock"]["S"]))
        return lock, int(found["version"]["N"])

    def _put(self, app: str, lock: Lock, version: int) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": self._table.name,
                "Item": {
                    **self._table.key(app, _ITEM),
                    "version": {"N": str(version + 1)},
                    "lock": {"S": json.dumps(asdict(lock), default=_text)},
                },
                **_still(version),
            }
        }


def _still(version: int) -> dict[str, Any]:
    """The condition that the lock still has this version; with 0, that no lock exists."""
    if not version:
        return {"ConditionExpression": "attribute_not_exists(version)"}
    return {
        "ConditionExpression": "version = :version",
        "ExpressionAttributeValues": {":version": {"N": str(version)}},
    }


def _has_lost_a_race(error: ClientError) -> bool:
    codes = set(_reasons(error))
    return error_code(error) == "TransactionCanceledException" and codes <= {"None", *_PASSING}


def _reasons(error: ClientError) -> list[str]:
    """Why a transaction was cancelled: one code for each of its writes, in their order."""
    return [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])]


def _text(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} has no place in a lock")
    return value.isoformat()


def _lock(document: Mapping[str, Any]) -> Lock:
    holder, waiting, latest = document["holder"], document["waiting"], document["latest"]
    # Older versions of Lightgate knew no pause, and no rehearsal before a release.
    paused, rehearsal = document.get("paused"), document.get("rehearsal")
    return Lock(
        fence=document["fence"],
        holder=LockHolder(**_timed(holder)) if holder else None,
        waiting=Waiting(**_timed(waiting)) if waiting else None,
        latest=LatestRequest(**_timed(latest)) if latest else None,
        abandoned=document["abandoned"],
        begun=document.get("begun"),
        paused=Pause(**_timed(paused)) if paused else None,
        to_rehearse=document.get("to_rehearse"),
        rehearsal=QueueRehearsal(**rehearsal) if rehearsal else None,
    )


def _timed(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "at": datetime.fromisoformat(document["at"])}
