"""Roles that the containers could assume.

Lightsail gives every container credentials of the service's own role, in an account of AWS's. A
role of the user's account that trusts it can be assumed by any code in any of its containers.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from lightgate.checks.finding import Check, Finding, ok, warning


def trusting_roles(principal: str, roles: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """`principal` is the `principalArn` of the service, `roles` those that IAM lists."""
    account = principal.split(":")[4]
    wanted = {principal, "*", account, f"arn:aws:iam::{account}:root"}
    found = [
        warning(
            Check.ROLES,
            f"any code in a container of the service can assume the role {role['RoleName']}: its "
            f"trust policy names {', '.join(sorted(named))}",
            f"aws iam get-role --role-name {role['RoleName']}",
            "Take the principal out of the trust policy unless the app needs the role: "
            f"aws iam update-assume-role-policy --role-name {role['RoleName']} "
            "--policy-document file://trust.json",
        )
        for role in roles
        if (named := _trusted(role["AssumeRolePolicyDocument"]) & wanted)
    ]
    return found or [ok(Check.ROLES, "no role of the account trusts the service's containers")]


def _trusted(document: Mapping[str, Any] | str) -> set[str]:
    """The principals of AWS that may assume the role. A condition may still refuse them."""
    policy = json.loads(unquote(document)) if isinstance(document, str) else document
    found: set[str] = set()
    for statement in _list(policy["Statement"]):
        if statement["Effect"] != "Allow":
            continue
        principal = statement.get("Principal", {})
        found.update(_list(principal if isinstance(principal, str) else principal.get("AWS", [])))
    return found


def _list(value: Any) -> list[Any]:  # noqa: ANN401 - JSON of somebody else
    return value if isinstance(value, list) else [value]
