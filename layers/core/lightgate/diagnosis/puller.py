"""Whether Lightsail may pull a service's images from a private repository.

Each container service has a role of its own for that, in an account of AWS's, and the policy of
the repository must name it (docs/lightsail.md, "Pulling from ECR").
"""

import fnmatch
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ACTIONS = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Puller:
    """The service's image puller role, None while it has none, and the repository's policy.

    `policy` is None for a repository without one.
    """

    role: str | None
    policy: str | None

    @property
    def is_allowed(self) -> bool | None:
        """Whether the policy lets the role pull; None where it takes more than reading to tell."""
        if self.role is None or self.policy is None:
            return False
        try:
            statements = json.loads(self.policy)["Statement"]
            statements = statements if isinstance(statements, list) else [statements]
            found = [_verdict(statement, self.role) for statement in statements]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None
        if any("Deny" in one.values() or None in one.values() for one in found):
            return None
        return all(any(one.get(action) == "Allow" for one in found) for action in _ACTIONS)


def statement(role: str) -> str:
    """What to add to the policy of the repository, beside what is in it already."""
    document = {
        "Sid": "LightsailPull",
        "Effect": "Allow",
        "Principal": {"AWS": role},
        "Action": list(_ACTIONS),
    }
    return json.dumps(document)


def _verdict(found: Mapping[str, Any], role: str) -> dict[str, str | None]:
    """What the statement says of each action: its effect, or None if that hangs on a condition."""
    principal = found.get("Principal")
    principals = _list(principal.get("AWS") if isinstance(principal, dict) else principal)
    if found.get("NotPrincipal") or found.get("NotAction"):
        return dict.fromkeys(_ACTIONS)
    account = role.split(":")[4]
    is_whole_account = bool({account, f"arn:aws:iam::{account}:root"}.intersection(principals))
    if not is_whole_account and not {role, "*"}.intersection(principals):
        return {}
    patterns = [str(one).lower() for one in _list(found.get("Action"))]
    # Whether its account lets the role pull is not in this policy.
    effect = None if found.get("Condition") or is_whole_account else str(found["Effect"])
    return {
        action: effect
        for action in _ACTIONS
        if any(fnmatch.fnmatchcase(action.lower(), pattern) for pattern in patterns)
    }


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
