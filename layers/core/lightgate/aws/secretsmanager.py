"""What is behind secret references. Only Deploy and RollBack may read the values."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, reaching
from lightgate.checks.app_secrets import StoredSecret
from lightgate.errors import DeniedError, RefusalCode, RefusedError
from lightgate.spec.keys import SecretReference, SecretStore

_NAMES_IN_FILTER = 50
_NO_SECRET = "ResourceNotFoundException"  # noqa: S105 - a code
_NOT_THERE = {
    _NO_SECRET,
    "InvalidRequestException",
    "DecryptionFailure",
    "ParameterNotFound",
    "ParameterVersionNotFound",
    "InvalidKeyId",
}
_DENIED = {"AccessDeniedException", "AccessDenied"}
# A name that a list does not take, such as one of AWS's own, may still be read.
_NOT_LISTED = {*_NOT_THERE, *_DENIED, "ValidationException", "InvalidFilterValue"}


class Secrets:
    """Secrets Manager and the parameter store behind one kind of reference."""

    def __init__(self, manager: Any, parameters: Any) -> None:  # noqa: ANN401 - boto3 is untyped
        self._manager = manager
        self._parameters = parameters

    def resolve(self, references: Iterable[SecretReference]) -> dict[SecretReference, str]:
        """The value of each reference, each read once.

        Raises:
            RefusedError: some cannot be resolved; one reason for each. The reference is
                named, and never a value. A DeniedError, if that may be all that is wrong.
            UnreachableError: a store does not answer.
        """
        values: dict[SecretReference, str] = {}
        errors: list[RefusedError] = []
        for reference in dict.fromkeys(references):
            try:
                with reaching(f"The store of {reference}"):
                    values[reference] = self._read(reference)
            except RefusedError as error:
                errors.append(error)
        if errors:
            reasons = [reason for error in errors for reason in error.reasons]
            if all(isinstance(error, DeniedError) for error in errors):
                raise DeniedError(*reasons)
            raise RefusedError(*reasons, code=RefusalCode.SECRET)
        return values

    def described(
        self, references: Iterable[SecretReference]
    ) -> dict[SecretReference, StoredSecret | None]:
        """What the stores say of each secret, without its value. None for one that is not there.

        One that may not be described is left out.

        Raises:
            UnreachableError: a store does not answer.
        """
        wanted = dict.fromkeys(references)
        in_parameters = [one for one in wanted if one.store is SecretStore.PARAMETER_STORE]
        found: dict[SecretReference, StoredSecret | None] = {}
        with reaching("The store of a secret"):
            parameters = self._parameters_of([one.name for one in in_parameters])
            for one in wanted:
                if one.store is SecretStore.SECRETS_MANAGER:
                    found |= self._secret_of(one)
                elif one.name in parameters:
                    found[one] = parameters[one.name]
        return found

    def _secret_of(self, reference: SecretReference) -> dict[SecretReference, StoredSecret | None]:
        try:
            answer = self._manager.describe_secret(SecretId=reference.name)
        except ClientError as error:
            if error_code(error) not in _NOT_LISTED:
                raise
            return {reference: None} if error_code(error) == _NO_SECRET else {}
        stage = reference.version_stage or "AWSCURRENT"
        # A secret that never had a value has none.
        stages_of = answer.get("VersionIdsToStages") or {}
        ids = [one for one, stages in stages_of.items() if stage in stages]
        stored = StoredSecret(
            tags=_tags(answer.get("Tags", ())),
            version=ids[0] if len(ids) == 1 else None,
            rotates=answer.get("RotationEnabled", False),
            key=answer.get("KmsKeyId"),
            changed_at=answer.get("LastChangedDate"),
        )
        return {reference: stored}

    def _parameters_of(self, names: list[str]) -> dict[str, StoredSecret | None]:
        """By name. A parameter that is deleted and stored again counts from 1 once more."""
        found: dict[str, StoredSecret | None] = {}
        # No list has the parameters of AWS itself.
        own = [name for name in names if not name.startswith("/aws/")]
        try:
            for start in range(0, len(own), _NAMES_IN_FILTER):
                values = own[start : start + _NAMES_IN_FILTER]
                pages = self._parameters.get_paginator("describe_parameters").paginate(
                    ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": values}]
                )
                listed = {one["Name"]: one for page in pages for one in page["Parameters"]}
                for name in values:
                    found[name] = self._parameter(name, listed[name]) if name in listed else None
        except ClientError as error:
            if error_code(error) not in _NOT_LISTED:
                raise
        return found

    def _parameter(self, name: str, listed: Mapping[str, Any]) -> StoredSecret:
        tags = self._parameters.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)
        return StoredSecret(
            tags=_tags(tags["TagList"]),
            version=f"{listed['Version']} {listed['LastModifiedDate'].isoformat()}",
            key=listed.get("KeyId"),
            changed_at=listed["LastModifiedDate"],
        )

    def _read(self, reference: SecretReference) -> str:
        try:
            if reference.store is SecretStore.PARAMETER_STORE:
                answer = self._parameters.get_parameter(Name=reference.name, WithDecryption=True)
                return str(answer["Parameter"]["Value"])
            stage = {"VersionStage": reference.version_stage} if reference.version_stage else {}
            found = self._manager.get_secret_value(SecretId=reference.name, **stage)
        except ClientError as error:
            code = error_code(error)
            if code not in _NOT_THERE | _DENIED:
                raise
            why = f"the secret {reference} cannot be read: {code}"
            if code in _DENIED:
                raise DeniedError(why) from None
            raise RefusedError(why, code=RefusalCode.SECRET) from None
        if "SecretBinary" in found:
            raise RefusedError(
                f"the secret {reference} is binary, and a variable holds text",
                code=RefusalCode.SECRET,
            )
        text = found["SecretString"]
        return str(text) if reference.json_key is None else _member(text, reference)


def _tags(listed: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in listed}


def _member(text: str, reference: SecretReference) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or reference.json_key not in document:
        raise RefusedError(
            f"the secret {reference} has no member {reference.json_key}", code=RefusalCode.SECRET
        )
    value = document[reference.json_key]
    return value if isinstance(value, str) else json.dumps(value)
