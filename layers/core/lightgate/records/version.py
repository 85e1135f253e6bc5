"""What is on record of a version of the service that a release has made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lightgate.codec import decode
from lightgate.migrations.compatibility import Judgement
from lightgate.release.release import Kind, UsedSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the app of a version is, see `VersionRecord`. Whatever is unknown is None."""

    digest: str | None = None
    spec_version: int | None = None
    spec_digest: str | None = None
    code: str | None = None
    fits: int | None = None
    tag: str | None = None

    @property
    def spec(self) -> UsedSpec | None:
        return UsedSpec.of(self.spec_version, self.spec_digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord(Source):
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
    is_good: bool
    judgement: Judgement

    @property
    def source(self) -> Source:
        """What a version has from this one that deploys it once more."""
        return Source(
            digest=self.digest,
            spec_version=self.spec_version,
            spec_digest=self.spec_digest,
            code=self.code,
            fits=self.fits,
            tag=self.tag,
        )


def read_version(document: Mapping[str, Any]) -> VersionRecord:
    """The version on record, also as an earlier version of Lightgate has written it.

    A record from before there were `code` and `fits` tells them of an image only.
    """
    found = decode(VersionRecord, document, ignore_unknown=True)
    if found.kind is not Kind.IMAGE or found.code is not None:
        return found
    return replace(found, code=found.release, fits=found.version)
