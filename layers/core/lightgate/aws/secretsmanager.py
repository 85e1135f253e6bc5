"""What is behind secret references. Only Deploy and RollBack may read the values."""

import json
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, reaching
from lightgate.errors import DeniedError, RefusalCode, RefusedError
from lightgate.spec.keys import SecretReference, SecretStore

_NAMES_IN_FILTER = 50
_NOT_THERE = {
    "ResourceNotFoundException",
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

    def versions(self, references: Iterable[SecretReference]) -> dict[SecretReference, str]:
        """Which version each reference means now, without its value; none for what nobody tells.

        Raises:
            UnreachableError: a store does not answer.
        """
        wanted = dict.fromkeys(references)
        in_manager = [one for one in wanted if one.store is SecretStore.SECRETS_MANAGER]
        in_parameters = [one for one in wanted if one.store is SecretStore.PARAMETER_STORE]
        with reaching("The store of a secret"):
            found = {one: self._version(one) for one in in_manager}
            known = self._parameter_versions([one.name for one in in_parameters])
        found |= {one: known.get(one.name) for one in in_parameters}
        return {reference: version for reference, version in found.items() if version}

    def _version(self, reference: SecretReference) -> str | None:
        try:
            answer = self._manager.describe_secret(SecretId=reference.name)
        except ClientError as error:
            if error_code(error) not in _NOT_LISTED:
                raise
            return None
        stage = reference.version_stage or "AWSCURRENT"
        # A secret that never had a value has none.
        stages_of = answer.get("VersionIdsToStages") or {}
        ids = [one for one, stages in stages_of.items() if stage in stages]
        return ids[0] if len(ids) == 1 else None

    def _parameter_versions(self, names: list[str]) -> dict[str, str]:
        """By name. A parameter that is deleted and stored again counts from 1 once more."""
        found: dict[str, str] = {}
        try:
            for start in range(0, len(names), _NAMES_IN_FILTER):
                values = names[start : start + _NAMES_IN_FILTER]
                pages = self._parameters.get_paginator("describe_parameters").paginate(
                    ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": values}]
                )
                for one in (one for page in pages for one in page["Parameters"]):
                    found[one["Name"]] = f"{one['Version']} {one['LastModifiedDate'].isoformat()}"
        except ClientError as error:
            if error_code(error) not in _NOT_LISTED:
                raise
        return found

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
