"""The record of a version of the container service: its image, its spec and its health."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lightgate.codec import decode
from lightgate.migrations.compatibility import Judgement
from lightgate.release.release import ReleaseKind, UsedSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSource:
    """Which code and spec a version runs, see `VersionRecord`. Whatever is unknown is None."""

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
class VersionRecord(VersionSource):
    """A version on record: whether it was verified as good, and what its migrations mean.

    `release` is the marker in its deployment, and `kind` what that release was about. `is_good`
    says that it answered well, and nothing of the schema.

    `code` is the release that first deployed the app's code. `fits` is the newest version at which
    that code was known to fit the schema: it was released then, or its gates checked the schema.
    A version that was deployed again without that check copies both. Both, the image and the spec
    are None if the version that was deployed again was not on record. The spec counts as known only
    with its digest, because its number may name another spec by now. `left` has, for each gate, a
    hash of the migrations on record of each app, as the gate left them.
    """

    version: int
    release: str
    kind: ReleaseKind
    is_good: bool
    judgement: Judgement
    left: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def source(self) -> VersionSource:
        """The part that another version copies when it deploys this one again."""
        return VersionSource(
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
    if found.kind is not ReleaseKind.IMAGE or found.code is not None:
        return found
    return replace(found, code=found.release, fits=found.version)
