"""Whether the policy of a repository lets the service of a rehearsal pull the image.

Lightsail makes the role with which a service pulls when it makes the service, so no policy can name
the role in advance. A statement with a pattern can: the beginning of the name of these services
follows from the id of the stack, so that no other account's service has it by chance.
"""

import fnmatch
import json
from collections.abc import Mapping
from typing import Any

_ACTIONS = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_CONDITION, _KEY = "ArnLike", "aws:PrincipalArn"
_SID = "LightgateRehearsal"


def statement(app_role: str, names: str) -> dict[str, Any]:
    """The statement that admits the services whose names begin so.

    `app_role` is the role with which the app's own service pulls: the services of one Region have
    their roles in the same account of AWS.
    """
    return {
        "Sid": _SID,
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{app_role.split(':')[4]}:root"},
        "Action": list(_ACTIONS),
        "Condition": {_CONDITION: {_KEY: pattern(app_role, names)}},
    }


def policy_with(policy: str | None, app_role: str, names: str) -> str:
    """The whole policy as it has to be: SetRepositoryPolicy replaces the old one."""
    try:
        document: dict[str, Any] = json.loads(policy or "")
        statements = _list(document["Statement"])
    except (ValueError, LookupError, TypeError):
        document, statements = {"Version": "2012-10-17"}, []
    kept = [one for one in statements if one.get("Sid") != _SID]
    return json.dumps({**document, "Statement": [*kept, statement(app_role, names)]})


def admits(policy: str | None, app_role: str, names: str) -> bool:
    """Whether a statement of the policy certainly admits the services whose names begin so."""
    try:
        statements = _list(json.loads(policy or "")["Statement"])
        found = [_allowed(one, app_role, names) for one in statements]
    except (ValueError, LookupError, TypeError, AttributeError):
        return False
    return all(any(action in actions for actions in found) for action in _ACTIONS)


def _allowed(one: Mapping[str, Any], app_role: str, names: str) -> set[str]:
    principal = one.get("Principal")
    principals = _list(principal.get("AWS") if isinstance(principal, dict) else principal)
    account = app_role.split(":")[4]
    if one.get("Effect") != "Allow" or not {"*", account, f"arn:aws:iam::{account}:root"} & set(
        map(str, principals)
    ):
        return set()
    role = pattern(app_role, names).replace("*", "x")
    if not all(
        operator in ("ArnLike", "StringLike")
        and key.lower() == _KEY.lower()
        and any(fnmatch.fnmatchcase(role, str(each)) for each in _list(patterns))
        for operator, keys in (one.get("Condition") or {}).items()
        for key, patterns in keys.items()
    ):
        return set()
    given = [str(each).lower() for each in _list(one.get("Action"))]
    return {
        action
        for action in _ACTIONS
        if any(fnmatch.fnmatchcase(action.lower(), pattern) for pattern in given)
    }


def pattern(app_role: str, names: str) -> str:
    """The roles of such services: `…:role/amazon/lightsail/REGION/containers/SERVICE/…`."""
    before = app_role.partition("/containers/")[0]
    return f"{before}/containers/{names}*"


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
