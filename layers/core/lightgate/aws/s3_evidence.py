"""The evidence files of releases, in a bucket of their own.

S3 deletes a file that has the tag `lightgate:expires` some days after it was written: see
EvidenceBucket in the template.
"""

import json
from typing import Any

from lightgate.aws.clients import reaching
from lightgate.codec import decode, encode
from lightgate.records.release_evidence import Evidence, evidence_key

_TYPE = "application/json"
_EXPIRES = "lightgate:expires=true"


class EvidenceFiles:
    """One file for each release. A second write of the same release replaces the first."""

    def __init__(self, s3: Any, bucket: str) -> None:  # noqa: ANN401 - boto3
        self._s3, self._bucket = s3, bucket

    @reaching("S3")
    def write(self, evidence: Evidence, *, expires: bool) -> str:
        """Write the file, and return its key. Without `expires` it stays until `let_expire`.

        Raises:
            UnreachableError: S3 did not take it.
        """
        key = evidence_key(evidence.app, evidence.release)
        body = json.dumps(encode(evidence), ensure_ascii=False).encode()
        tag = {"Tagging": _EXPIRES} if expires else {}
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=_TYPE, **tag)
        return key

    @reaching("S3")
    def let_expire(self, app: str, release: str) -> None:
        """Count the days of the release's file from now on. Safe to repeat.

        Raises:
            UnreachableError: S3 did not do it, or there is no such file.
        """
        key = evidence_key(app, release)
        # S3 counts from the time at which a file was written, so it is written once more.
        self._s3.copy_object(
            Bucket=self._bucket,
            Key=key,
            CopySource={"Bucket": self._bucket, "Key": key},
            ContentType=_TYPE,
            MetadataDirective="REPLACE",
            TaggingDirective="REPLACE",
            Tagging=_EXPIRES,
        )

    @reaching("S3")
    def read(self, key: str) -> Evidence:
        """The evidence under this key.

        Raises:
            UnreachableError: it could not be read, or is no longer there.
        """
        body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return decode(Evidence, json.loads(body), ignore_unknown=True)
