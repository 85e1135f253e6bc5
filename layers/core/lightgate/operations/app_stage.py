"""The stage of an app, for messages that no admitted release stands behind."""

import contextlib

from lightgate.aws.clients import reaching
from lightgate.errors import RefusedError, UnreachableError
from lightgate.release.unchecked_request import UNKNOWN
from lightgate.runtime import Runtime
from lightgate.spec.broken import remains_of


def stage_of(app: str, runtime: Runtime) -> str:
    """The stage in the app's spec as it stands, else that of its last release, else "unknown".

    Subscribers filter by it. So a refusal has it too, even if the rest of the spec is wrong.
    """
    with contextlib.suppress(RefusedError, UnreachableError), reaching("SSM"):
        if stage := remains_of(runtime.apps.read(app).text).stage:
            return stage.value
    with contextlib.suppress(UnreachableError), reaching("DynamoDB"):
        if (last := runtime.releases.last_known(app)) and last.stage:
            return last.stage
    return UNKNOWN
