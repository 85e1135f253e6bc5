"""The gate channel of a release: a folder in a private bucket for messages and permits.

The gate has presigned URLs and no credentials. It can write `status`, `plan` and `result`, and read
`permit` and `classifier`, the program that judges its plan. Its messages are untrusted. Only
Lightgate writes the other objects of the folder.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, make_presigner, reaching
from lightgate.errors import UnreachableError
from lightgate.migrations.permit import (
    LARGEST_PERMIT_BYTES,
    Permit,
    PermitState,
    VoidCause,
    pending,
)
from lightgate.spec.time_limits import SIGNED_FOR

_SESSION = _SIGNED_FOR = SIGNED_FOR
# The order in which a gate sends them.
MESSAGES = ("plan", "status", "result")
_PERMIT, _CLASSIFIER = "permit", "classifier"
_READ = (_PERMIT, _CLASSIFIER)
_LARGEST_MESSAGE_BYTES = 16 * 1024
_TRIES = 5
_MISSING = ("NoSuchKey", "404")
_NO_BUCKET = "NoSuchBucket"
_CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAddress:
    """The place in the bucket of one gate of a release."""

    app: str
    release: str
    container: str

    def key(self, name: str) -> str:
        return f"{self.app}/{self.release}/{self.container}/{name}.json"


class ContendedError(UnreachableError):
    """A permit changed under our hands each time that we tried. Nothing was written."""


class GateChannels:
    """The gate channels of all releases.

    `role` signs the URLs; a session of it is confined to one release. If the bucket is deleted,
    every permit counts as void, because no gate can read one.

    Every method but `open` and `urls` raises UnreachableError if the bucket does not answer: the
    messages and the permit are unknown then.
    """

    def __init__(self, s3: Any, sts: Any, bucket: str, role: str) -> None:  # noqa: ANN401 - boto3
        self._s3, self._sts = s3, sts
        self._bucket, self._role = bucket, role

    def open(self, address: GateAddress, classifier: str) -> Permit:
        """Write the classifier, and a pending permit unless there is one; return the current one.

        Idempotent.

        Call it before the deployment is created: a permit that is missing cannot be granted.
        """
        permit = pending(address.release)
        try:
            self._put(address, _CLASSIFIER, classifier)
            self._write(address, permit, IfNoneMatch="*")
        except _Changed:
            return self.permit(address)
        except _NoBucket:
            return _lost(address)
        return permit

    @reaching("S3")
    def permit(self, address: GateAddress) -> Permit:
        """The current permit. Writes nothing.

        A missing permit counts as void: it was there before the deployment, and the one that was
        removed may have been void.
        """
        return self._read(address)[0] or _lost(address)

    @reaching("S3")
    def grant(self, address: GateAddress, seen: Permit, plan: str, until: datetime) -> Permit:
        """Permit this plan, if it is begun before `until`; the permit that stands afterwards.

        Only the permit that was `seen` when that was decided is changed: one that has changed
        since stands. What is missing or unreadable may have been void: it counts as void, and
        nothing is written.
        """
        permit = self._change(address, lambda p: seen.granted(plan, until) if p == seen else p)
        return permit or _lost(address)

    @reaching("S3")
    def void(self, address: GateAddress, cause: VoidCause, reason: str) -> Permit:
        """Withdraw the permit for good, in any state. Idempotent.

        A gate that has read a granted permit before may still begin until the permit's `until`.
        """
        permit = self._change(
            address, lambda p: (p or pending(address.release)).voided(cause, reason)
        )
        return permit or _lost(address)

    def _change(
        self, address: GateAddress, change: Callable[[Permit | None], Permit | None]
    ) -> Permit | None:
        """Write what `change` makes of the permit, unless that is nothing or no change.

        Only a write that meets the very object which was read takes effect: of two writers the
        second sees what the first has done. So it does not matter either if the answer to a
        write is lost and it is sent again.
        """
        for _ in range(_TRIES):
            permit, etag = self._read(address)
            changed = change(permit)
            if changed is None or changed == permit:
                return permit
            try:
                self._write(
                    address, changed, **({"IfMatch": etag} if etag else {"IfNoneMatch": "*"})
                )
            except _Changed:
                continue
            except _NoBucket:
                return None
            return changed
        raise ContendedError(address.key(_PERMIT))

    @reaching("S3")
    def messages(self, address: GateAddress) -> list[str]:
        """The gate's messages, one line each, in the order in which the gate sends them.

        A message that is missing, too long or no text is left out.
        """
        found = (self._object(address, name, _LARGEST_MESSAGE_BYTES)[0] for name in MESSAGES)
        return [text for text in found if text]

    @reaching("AssumeRole")
    def urls(self, app: str, release: str, gates: Iterable[str]) -> Mapping[str, str]:
        """For each gate the value of its variable LIGHTGATE_MAILBOX: a secret.

        Signed anew each time, by a session that can do nothing but what the URLs do.

        Raises:
            UnreachableError: there are no credentials for that session, or no URLs from them.
        """
        answer = self._sts.assume_role(
            RoleArn=self._role,
            RoleSessionName=release[:64],
            Policy=json.dumps(self._session_policy(app, release)),
            DurationSeconds=int(_SESSION.total_seconds()),
        )
        presigner = make_presigner(answer["Credentials"])
        return {
            gate: self._template(presigner, GateAddress(app=app, release=release, container=gate))
            for gate in gates
        }

    def _template(self, presigner: Any, address: GateAddress) -> str:  # noqa: ANN401 - boto3
        """One URL with a star for the name, and a signature for each name.

        The URLs differ in nothing else, if they were signed in the same second; each would be
        some two kilobytes, and a deployment has little room.
        """
        for _ in range(_TRIES):
            urls = {name: self._url(presigner, address, name) for name in (*_READ, *MESSAGES)}
            heads = {
                url.rpartition("=")[0].replace(f"/{name}.json?", "/*.json?", 1)
                for name, url in urls.items()
            }
            if len(heads) == 1:
                signatures = {name: url.rpartition("=")[2] for name, url in urls.items()}
                return json.dumps({"url": f"{heads.pop()}=", "signatures": signatures})
        raise UnreachableError("presigned URLs of one second differ in more than the signature")

    def _url(self, presigner: Any, address: GateAddress, name: str) -> str:  # noqa: ANN401 - boto3
        url: str = presigner.generate_presigned_url(
            "get_object" if name in _READ else "put_object",
            Params={"Bucket": self._bucket, "Key": address.key(name)},
            ExpiresIn=int(_SIGNED_FOR.total_seconds()),
        )
        return url

    def _session_policy(self, app: str, release: str) -> dict[str, Any]:
        partition = self._role.split(":")[1]
        folder = f"arn:{partition}:s3:::{self._bucket}/{app}/{release}/*"
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "s3:PutObject",
                    "Resource": [f"{folder}/{name}.json" for name in MESSAGES],
                },
                {
                    "Effect": "Allow",
                    "Action": "s3:GetObject",
                    "Resource": [f"{folder}/{name}.json" for name in _READ],
                },
            ],
        }

    def _read(self, address: GateAddress) -> tuple[Permit | None, str | None]:
        text, etag = self._object(address, _PERMIT, LARGEST_PERMIT_BYTES)
        permit = Permit.from_text(text) if text else None
        return (permit if permit and permit.release == address.release else None), etag

    def _object(self, address: GateAddress, name: str, limit: int) -> tuple[str | None, str | None]:
        """Its text, if it is one of at most `limit` bytes, and its ETag; neither if missing."""
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=address.key(name))
        except ClientError as error:
            if error_code(error) in (*_MISSING, _NO_BUCKET):
                return None, None
            raise
        with found["Body"] as body:
            data: bytes = body.read(limit + 1)
        try:
            return (data.decode() if len(data) <= limit else None), found["ETag"]
        except UnicodeDecodeError:
            return None, found["ETag"]

    def _write(self, address: GateAddress, permit: Permit, **condition: str) -> None:
        self._put(address, _PERMIT, permit.to_text(), **condition)

    def _put(self, address: GateAddress, name: str, text: str, **condition: str) -> None:
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=address.key(name),
                Body=text.encode(),
                ContentType="application/json",
                **condition,
            )
        except ClientError as error:
            if error_code(error) in (*_CHANGED, *_MISSING):
                raise _Changed from error
            if error_code(error) == _NO_BUCKET:
                raise _NoBucket from error
            raise


class _Changed(Exception):  # noqa: N818
    """The object is not any more what the condition asks for."""


class _NoBucket(Exception):  # noqa: N818
    """There is nothing to write into."""


def _lost(address: GateAddress) -> Permit:
    return Permit(
        release=address.release,
        state=PermitState.VOID,
        cause=VoidCause.LOST,
        reason="the permit is missing or cannot be read",
    )
