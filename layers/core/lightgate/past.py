"""What is on record of a version of the service that a release has made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from lightgate.release import Kind
from lightgate.verdict import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A version on record: whether it was verified as good, and what its migrations mean.

    `release` is the marker in its deployment, and `kind` what that release was about. Image and
    spec are not known of a version that was deployed again and was not on record itself.
    """

    version: int
    release: str
    kind: Kind
    digest: str | None
    spec_version: int | None
    is_good: bool
    judgement: Judgement

    def to_json(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "release": self.release,
            "kind": self.kind.value,
            "digest": self.digest,
            "specVersion": self.spec_version,
            "isGood": self.is_good,
            "judgement": self.judgement.to_json(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            version=document["version"],
            release=document["release"],
            kind=Kind(document["kind"]),
            digest=document["digest"],
            spec_version=document["specVersion"],
            is_good=document["isGood"],
            judgement=Judgement.from_json(document["judgement"]),
        )
