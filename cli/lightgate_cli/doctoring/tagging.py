"""The tags that let apps read their secrets: which are missing, and how to set them."""

from collections.abc import Iterator
from dataclasses import dataclass

from lightgate.checks import app_secrets
from lightgate.names import APP_TAG
from lightgate.spec.keys import AppSpec, SecretStore
from lightgate.spec.secret_reference import SecretReference
from lightgate_cli.connection import Connection
from lightgate_cli.doctoring.plan import described_secrets, secret_prefix


@dataclass(frozen=True, slots=True)
class MissingTag:
    """`command` does the same by hand."""

    reference: SecretReference
    value: str
    command: str


def missing_tags(app: str, spec: AppSpec, connection: Connection) -> Iterator[MissingTag]:
    """Each secret of the app that needs a tag. One that cannot be described gets none."""
    stored = described_secrets(spec, connection)
    prefix = secret_prefix(connection)
    for reference, _, command in app_secrets.foreign_secrets(spec, stored, app, prefix):
        found = stored.get(reference)
        if found is not None and command is not None:
            yield MissingTag(reference, app_secrets.tag_value(found, app), command)


def set_tag(tag: MissingTag, connection: Connection) -> None:
    tags = [{"Key": APP_TAG, "Value": tag.value}]
    if tag.reference.store is SecretStore.PARAMETER_STORE:
        connection.client("ssm").add_tags_to_resource(
            ResourceType="Parameter", ResourceId=tag.reference.name, Tags=tags
        )
    else:
        connection.client("secretsmanager").tag_resource(SecretId=tag.reference.name, Tags=tags)
