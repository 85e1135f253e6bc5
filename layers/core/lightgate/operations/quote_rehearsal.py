"""Quote the newest rehearsal of an image beside what its release did."""

import contextlib

from lightgate.aws.clients import reaching
from lightgate.errors import UnreachableError
from lightgate.gate.gate_report import GateReport
from lightgate.records.prediction import Prediction
from lightgate.records.recorded_outcome import EndStatus
from lightgate.records.release_record import ReadableRecord
from lightgate.rehearsal.comparison import predicted
from lightgate.release.release import Release, ReleaseKind
from lightgate.runtime import Runtime

_HAVE_RUN = (EndStatus.SUCCEEDED, EndStatus.FAILED)


def quote_rehearsal(
    release: Release | None, evidence: GateReport, runtime: Runtime
) -> Prediction | None:
    """None if no migration ran, without a rehearsal, and if the record cannot be read."""
    if release is None or release.kind is not ReleaseKind.IMAGE or release.digest is None:
        return None
    applied = {one.name: one.seconds for one in evidence.migrations}
    failed = evidence.failure.migration if evidence.failure is not None else None
    if not applied and failed is None:
        return None
    with contextlib.suppress(UnreachableError), reaching("DynamoDB"):
        found = _newest(release.app, release.digest, runtime)
        return predicted(found, applied, failed) if found is not None else None
    return None


def _newest(app: str, digest: str, runtime: Runtime) -> ReadableRecord | None:
    """The newest rehearsal of the image that has run its migrations."""
    return next(
        (
            one
            for one in runtime.rehearsals.history(app)
            if one.digest == digest and one.status in _HAVE_RUN
        ),
        None,
    )
