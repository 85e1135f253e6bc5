"""An old version's deployment as a request for a new one.

What Lightsail shows of a deployment holds its environment with all secrets in plain text
(docs/lightsail.md, "Metrics and CloudTrail"). So one step reads it, changes it here and sends it,
and none of it is returned, logged or kept.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightgate.deployment.pinning import is_pinned
from lightgate.names import COMMAND_CONTAINER, PREFIX

type _Request = dict[str, Any]

_MARKER_PREFIX = f"{PREFIX}_".upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeployment:
    """The arguments of CreateContainerServiceDeployment, and the notes for the message.

    The request holds secrets: it does not show itself. The notes name variables, no values.
    """

    request: _Request = field(repr=False)
    notes: tuple[str, ...]


def redeploy(
    service: str,
    shown: Mapping[str, Any],
    markers: Mapping[str, str],
    secrets: Mapping[str, Mapping[str, str]],
) -> Redeployment:
    """The same containers, environment, images and endpoint once more.

    `shown` is the deployment as GetContainerServiceDeployments lists it. `markers` are the
    `LIGHTGATE_` variables of the new deployment; others of that name stay as they are. `secrets`
    has, for each container, the variables whose values were read anew; a container that the
    deployment does not have, or a variable that is not in it, is left out. So is the container
    of a person's command, which was for once.
    """
    containers, changed, loose = {}, set(), []
    for name, container in shown["containers"].items():
        if name == COMMAND_CONTAINER:
            continue
        old = container.get("environment") or {}
        new = {key: value for key, value in secrets.get(name, {}).items() if key in old}
        changed |= {key for key, value in new.items() if not _is_same(old[key], value)}
        containers[name] = _container(container, {**old, **new, **_known(markers)})
        if not is_pinned(container["image"]):
            loose.append(f"The image {container['image']} of {name} may have changed since then.")
    request: _Request = {"serviceName": service, "containers": containers}
    if endpoint := shown.get("publicEndpoint"):
        request["publicEndpoint"] = _given(endpoint)
    told = (
        f"The value of {', '.join(sorted(changed))} has changed since then; the new value is used."
    )
    return Redeployment(request=request, notes=(*([told] if changed else []), *loose))


def _container(shown: Mapping[str, Any], environment: Mapping[str, str]) -> _Request:
    container = {
        "image": shown["image"],
        "environment": dict(environment),
        "ports": dict(shown.get("ports") or {}),
    }
    # Lightsail shows an empty one for a container that runs what its image says.
    if command := shown.get("command"):
        container["command"] = list(command)
    return container


def _known(markers: Mapping[str, str]) -> Mapping[str, str]:
    wrong = [name for name in markers if not name.startswith(_MARKER_PREFIX)]
    if wrong:
        raise ValueError(f"not a marker: {', '.join(wrong)}")
    return markers


def _given(endpoint: Mapping[str, Any]) -> _Request:
    return {key: value for key, value in endpoint.items() if value is not None}


def _is_same(old: str, new: str) -> bool:
    """Without telling by the time it takes how much of them is the same."""
    return hmac.compare_digest(old.encode(), new.encode())
