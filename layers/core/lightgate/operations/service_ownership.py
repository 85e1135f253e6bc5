"""Which stack a container service belongs to. Only that stack deploys to it.

A service belongs to the stack that made its newest deployment: every deployment of Lightgate names
its stack. The tag `lightgate:stack` of the service overrides that, so that a person can give the
service to another stack. A service without a deployment of Lightgate is free.
"""

from lightgate.deployment.status import Deployment, Service
from lightgate.errors import RefusalCode, RefusedError
from lightgate.names import STACK_TAG, marked_release
from lightgate.runtime import Runtime


def refuse_if_foreign(service: Service, app: str, runtime: Runtime) -> None:
    """Raise RefusedError unless the service is free or belongs to this stack.

    Two stacks can find the same service free. Lightsail takes one deployment at a time, so a check
    right before the create call lets only one of them deploy.
    """
    stack = runtime.settings.stack
    tagged, newest = service.tagged_stack, service.newest_release
    if tagged is not None:
        if tagged and tagged == stack:
            return
        raise RefusedError(
            _refusal(service, stack, _owner_by_tag(tagged)), code=RefusalCode.SERVICE_TAKEN
        )
    if newest is None or newest.release is None or newest.stack == stack:
        return
    # Older versions of Lightgate did not name their stack; this one has a record of its releases.
    if newest.stack is None and runtime.releases.find(app, marked_release(newest.release)):
        return
    raise RefusedError(
        _refusal(service, stack, _owner_by_deployment(newest)), code=RefusalCode.SERVICE_TAKEN
    )


def _owner_by_tag(tagged: str) -> str:
    if not tagged:
        return f"has the tag {STACK_TAG} without a value, so its stack is unknown"
    return f"belongs to the stack {tagged}, which its tag {STACK_TAG} names"


def _owner_by_deployment(newest: Deployment) -> str:
    made = f"version {newest.version}, release {newest.release}"
    if newest.stack is None:
        return f"has a newest deployment ({made}) that names no stack, so its stack is unknown"
    return f"belongs to the stack {newest.stack}, which made its newest deployment ({made})"


def _refusal(service: Service, stack: str, owner: str) -> str:
    return (
        f"serviceName: the container service {service.name} {owner}. The stack {stack} does not "
        "deploy to it: two stacks would replace each other's app. Correct serviceName in the spec. "
        f"To deploy this app with the stack {stack} from now on: remove the app from the other "
        "stack, give the service to this one, and release again. This command gives it: "
        f"aws lightsail tag-resource --resource-name {service.name} "
        f"--tags key={STACK_TAG},value={stack}"
    )
