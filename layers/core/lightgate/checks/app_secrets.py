"""Which app may read a secret: by a tag, by the beginning of its name, or by its database.

IAM lets Lightgate read secrets of its apps only. It cannot compare a tag with the app whose release
runs, so this rule does, before anything is changed.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lightgate.checks.finding import Check, Finding, failure, ok, unknown, warning
from lightgate.names import APP_TAG
from lightgate.spec.keys import AppSpec, Database
from lightgate.spec.secret_reference import SecretReference, SecretStore

_RDS = "rds!"
_OWNER_TAG = "aws:secretsmanager:owningService"
# RDS sets one of them on the secret of a master user. Nobody else can set a tag of AWS.
_DATABASE_TAGS = ("aws:rds:primaryDBInstanceArn", "aws:rds:primaryDBClusterArn")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """What a store says of a secret, without its value.

    `version` is None for a secret without a value in the wanted stage. `key` is the KMS key, None
    for the one of AWS. `changed_at` is when anything of it was last changed, None if that is
    unknown.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    rotates: bool = False
    key: str | None = None
    changed_at: datetime | None = None


def why_foreign(
    reference: SecretReference,
    stored: StoredSecret,
    app: str,
    prefix: str,
    database: Database | None,
) -> str | None:
    """Why the app may not read the secret; None if it may. `prefix` is that of the stack."""
    name = reference.plain_name.lstrip("/")
    if prefix and name.startswith(f"{prefix}{app}/"):
        return None
    if name.startswith(_RDS) and stored.tags.get(_OWNER_TAG) == "rds":
        owners = [arn for tag in _DATABASE_TAGS if (arn := stored.tags.get(tag))]
        if database is not None and any(_names(arn, database.name) for arn in owners):
            return None
        return (
            f"the secret {reference} belongs to {', '.join(owners) or 'no database'}, which is not "
            "the database of the spec"
        )
    tag = stored.tags.get(APP_TAG)
    if tag is None:
        return f"the secret {reference} has no tag {APP_TAG}, so no app may read it"
    if app not in tag.split():
        return f"the secret {reference} has the tag {APP_TAG}={tag}, which does not name {app}"
    return None


def tag_command(reference: SecretReference, stored: StoredSecret, app: str) -> str | None:
    """The command that lets the app read the secret as well; None where no tag can."""
    if reference.plain_name.startswith((_RDS, "/aws/")):
        return None
    value = shlex.quote(tag_value(stored, app))
    name = shlex.quote(reference.name)
    if reference.store is SecretStore.PARAMETER_STORE:
        return (
            f"aws ssm add-tags-to-resource --resource-type Parameter --resource-id {name} "
            f"--tags Key={APP_TAG},Value={value}"
        )
    return f"aws secretsmanager tag-resource --secret-id {name} --tags Key={APP_TAG},Value={value}"


def tag_value(stored: StoredSecret, app: str) -> str:
    """The apps that may read it from then on: those of before, and this one."""
    return " ".join(dict.fromkeys([*stored.tags.get(APP_TAG, "").split(), app]))


def foreign_secrets(
    spec: AppSpec,
    stored: Mapping[SecretReference, StoredSecret | None],
    app: str,
    prefix: str,
) -> Iterator[tuple[SecretReference, str, str | None]]:
    """Each secret that the app may not read, why, and the command that lets it.

    One that does not exist is left to the step that reads it. One that nobody describes is not
    known to be the app's.
    """
    for reference in references_of(spec):
        if reference not in stored:
            why = f"the secret {reference} cannot be described, so whose it is remains unknown"
            yield reference, why, None
            continue
        found = stored[reference]
        why_not = found and why_foreign(reference, found, app, prefix, spec.database)
        if found is not None and why_not:
            yield reference, why_not, tag_command(reference, found, app)


def references_of(spec: AppSpec) -> list[SecretReference]:
    """Each secret of the app's containers once."""
    return list(dict.fromkeys(r for c in spec.containers.values() for r in c.secrets.values()))


def stored_secrets(
    spec: AppSpec,
    stored: Mapping[SecretReference, StoredSecret | None],
    app: str,
    prefix: str,
) -> Iterator[Finding]:
    """A finding for each fault."""
    references = references_of(spec)
    if not references:
        yield ok(Check.SECRETS, "the spec names no secret")
        return
    foreign = {reference: (why, fix) for reference, why, fix in
               foreign_secrets(spec, stored, app, prefix)}  # fmt: skip
    faults = 0
    for reference in references:
        if reference in foreign:
            faults += 1
            why, fix = foreign[reference]
            make = unknown if reference not in stored else failure
            yield make(Check.SECRETS, why, *([fix] if fix else []))
            continue
        found = stored[reference]
        if found is None:
            faults += 1
            yield failure(
                Check.SECRETS, f"the secret {reference} does not exist", _create(reference, app)
            )
        elif found.rotates:
            faults += 1
            yield warning(
                Check.SECRETS,
                f"the secret {reference} rotates: the live deployment keeps the old value until "
                "the next release",
                f"lightgate release {app}",
            )
    if not faults:
        yield ok(Check.SECRETS, f"{app} may read all {len(references)} secrets of its spec")


def _create(reference: SecretReference, app: str) -> str:
    """It waits for the value, so that no history of a shell has it."""
    name = shlex.quote(reference.plain_name)
    create = (
        f"aws ssm put-parameter --type SecureString --name {name} --value"
        if reference.store is SecretStore.PARAMETER_STORE
        else f"aws secretsmanager create-secret --name {name} --secret-string"
    )
    return (
        f'read -rs VALUE && printf %s "$VALUE" | {create} file:///dev/stdin '
        f"--tags Key={APP_TAG},Value={app}"
    )


def _names(arn: str, database: str) -> bool:
    return arn.rpartition(":")[2].lower() == database.lower()
