"""The values behind secret references. Only Deploy and RollBack may read them."""

import json
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from lightgate.app_spec.spec import SecretReference, SecretStore
from lightgate.aws.clients import error_code, reaching
from lightgate.errors import RefusedError

_NOT_THERE = {
    "ResourceNotFoundException",
    "InvalidRequestException",
    "DecryptionFailure",
    "ParameterNotFound",
    "ParameterVersionNotFound",
    "InvalidKeyId",
    "AccessDeniedException",
    "AccessDenied",
}


class Secrets:
    """Secrets Manager and the parameter store behind one kind of reference."""

    def __init__(self, manager: Any, parameters: Any) -> None:  # noqa: ANN401 - boto3 is untyped
        self._manager = manager
        self._parameters = parameters

    def resolve(self, references: Iterable[SecretReference]) -> dict[SecretReference, str]:
        """The value of each reference, each read once.

        Raises:
            RefusedError: some cannot be resolved; one reason for each. The reference is
                named, and never a value.
            UnreachableError: a store does not answer.
        """
        values: dict[SecretReference, str] = {}
        reasons: list[str] = []
        for reference in dict.fromkeys(references):
            try:
                with reaching(f"The store of {reference}"):
                    values[reference] = self._read(reference)
            except RefusedError as error:
                reasons += error.reasons
        if reasons:
            raise RefusedError(*reasons)
        return values

    def _read(self, reference: SecretReference) -> str:
        try:
            if reference.store is SecretStore.PARAMETER_STORE:
                answer = self._parameters.get_parameter(Name=reference.name, WithDecryption=True)
                return str(answer["Parameter"]["Value"])
            stage = {"VersionStage": reference.version_stage} if reference.version_stage else {}
            text = self._manager.get_secret_value(SecretId=reference.name, **stage).get(
                "SecretString"
            )
        except ClientError as error:
            if error_code(error) not in _NOT_THERE:
                raise
            raise RefusedError(
                f"the secret {reference} cannot be read: {error_code(error)}"
            ) from None
        if text is None:
            raise RefusedError(f"the secret {reference} is binary, and a variable holds text")
        return str(text) if reference.json_key is None else _member(text, reference)


def _member(text: str, reference: SecretReference) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or reference.json_key not in document:
        raise RefusedError(f"the secret {reference} has no member {reference.json_key}")
    value = document[reference.json_key]
    return value if isinstance(value, str) else json.dumps(value)
