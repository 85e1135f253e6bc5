"""What is on record of a version of the service that a release has made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from lightgate.release import Kind, UsedSpec
from lightgate.verdict import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A version on record: whether it was verified as good, and what its migrations mean.

    `release` is the marker in its deployment, and `kind` what that release was about. `is_good`
    says that it answered well, and nothing of the schema.

    `code` is the release that first deployed what the app runs. `fits` is the newest version as of
    which that code is known to fit the schema: it was released then, or its gates have looked.
    What was deployed again without a look has both from before. Both, image and spec are None of
    a version that was deployed again and was not on record itself: then nobody knows. The spec
    counts as known only with its digest: the number alone may be that of another spec by now.
    """

    version: int
    release: str
    kind: Kind
    digest: str | None
    spec_version: int | None
    spec_digest: str | None
    code: str | None
    fits: int | None
    is_good: bool
    judgement: Judgement

    @property
    def spec(self) -> UsedSpec | None:
        return UsedSpec.of(self.spec_version, self.spec_digest)

    def to_json(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "release": self.release,
            "kind": self.kind.value,
            "digest": self.digest,
            "specVersion": self.spec_version,
            "specDigest": self.spec_digest,
            "code": self.code,
            "fits": self.fits,
            "isGood": self.is_good,
            "judgement": self.judgement.to_json(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        kind = Kind(document["kind"])
        # A record from before there were `code` and `fits` tells them of an image only.
        is_own = kind is Kind.IMAGE
        return cls(
            version=document["version"],
            release=document["release"],
            kind=kind,
            digest=document["digest"],
            spec_version=document["specVersion"],
            # Older versions of Lightgate recorded the number only.
            spec_digest=document.get("specDigest"),
            code=document.get("code", document["release"] if is_own else None),
            fits=document.get("fits", document["version"] if is_own else None),
            is_good=document["isGood"],
            judgement=Judgement.from_json(document["judgement"]),
        )
