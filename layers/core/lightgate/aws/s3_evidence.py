"""The evidence files of releases, in a bucket of their own."""

import json
from typing import Any

from lightgate.aws.clients import reaching
from lightgate.codec import decode, encode
from lightgate.records.release_evidence import Evidence, evidence_key


class EvidenceFiles:
    """One file for each release. A second write of the same release replaces the first."""

    def __init__(self, s3: Any, bucket: str) -> None:  # noqa: ANN401 - boto3
        self._s3, self._bucket = s3, bucket

    @reaching("S3")
    def write(self, evidence: Evidence) -> str:
        """Write the file, and return its key.

        Raises:
            UnreachableError: S3 did not take it.
        """
        key = evidence_key(evidence.app, evidence.release)
        body = json.dumps(encode(evidence), ensure_ascii=False).encode()
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        return key

    @reaching("S3")
    def read(self, key: str) -> Evidence:
        """The evidence under this key.

        Raises:
            UnreachableError: it could not be read, or is no longer there.
        """
        body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return decode(Evidence, json.loads(body), ignore_unknown=True)
