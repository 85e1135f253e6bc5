"""Whether Lightsail may pull the app's image, and how to let it."""

import json
import shlex
from typing import Any

from lightgate.checks.finding import Check, Finding, failure, ok, unknown
from lightgate.deployment.status import Service
from lightgate.diagnosis.puller import Puller, statement


def image_puller(service: Service, repository: str, policy: str | None) -> Finding:
    """`policy` is that of the repository, None if it has none."""
    if not service.puller_is_active:
        return failure(
            Check.IMAGE_PULLER,
            f"the service {service.name} has no role to pull images from a private repository",
            f"aws lightsail update-container-service --service-name {service.name} "
            "--private-registry-access ecrImagePullerRole={isActive=true}",
            "Run lightgate doctor again after some minutes: then the service has its role.",
        )
    role = service.puller_role
    if role is None:
        return unknown(
            Check.IMAGE_PULLER,
            f"the service {service.name} does not show its image-puller role yet; Lightsail takes "
            "some minutes to make it",
        )
    allowed = Puller(role=role, policy=policy).is_allowed
    if allowed:
        return ok(Check.IMAGE_PULLER, f"the policy of {repository} names the image-puller role")
    if allowed is None:
        return unknown(
            Check.IMAGE_PULLER,
            f"the policy of {repository} has a statement that needs more than reading: a "
            "condition, a Deny, or a whole account",
        )
    fix = (
        f"aws ecr set-repository-policy --repository-name {repository} --policy-text "
        f"{shlex.quote(_with_statement(policy, role, service.principal_arn))}"
    )
    if _names(policy, service.principal_arn):
        return failure(
            Check.IMAGE_PULLER,
            f"the policy of {repository} names the service's own role, {service.principal_arn}, "
            f"and not its image-puller role, {role}; Lightsail shows neither a container nor a log "
            "then",
            fix,
        )
    return failure(
        Check.IMAGE_PULLER,
        f"the policy of {repository} does not name the image-puller role of {service.name}, {role}",
        fix,
    )


def _names(policy: str | None, role: str | None) -> bool:
    return policy is not None and bool(role) and json.dumps(role) in policy


def _with_statement(policy: str | None, role: str, wrong: str | None) -> str:
    """The whole policy as it has to be: SetRepositoryPolicy replaces the old one."""
    try:
        document: dict[str, Any] = json.loads(policy or "")
        statements = document["Statement"]
        kept = statements if isinstance(statements, list) else [statements]
    except (ValueError, LookupError, TypeError):
        document, kept = {"Version": "2012-10-17"}, []
    kept = [one for one in kept if not _is_only_for(one, wrong)]
    return json.dumps({**document, "Statement": [*kept, json.loads(statement(role))]})


def _is_only_for(found: Any, role: str | None) -> bool:  # noqa: ANN401 - JSON of somebody else
    principal = found.get("Principal") if isinstance(found, dict) else None
    return role is not None and principal in ({"AWS": role}, {"AWS": [role]})
