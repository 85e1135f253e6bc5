"""AWS Systems Manager parameters: the app specs."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code
from lightgate.errors import RefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecText:
    """An app's spec as it stands in its parameter."""

    app: str
    text: str
    version: int


class AppParameters:
    """One parameter for each app, named after it, below one path."""

    def __init__(self, client: Any, path: str) -> None:  # noqa: ANN401 - boto3 is untyped
        self._client = client
        self._path = path

    def all(self) -> Iterator[SpecText]:
        """Every app's current spec, in no particular order.

        Names first, then each value by its name: reading all values by path would need a
        permission that cannot be confined to this path everywhere.
        """
        pages = self._client.get_paginator("describe_parameters").paginate(
            ParameterFilters=[{"Key": "Path", "Option": "OneLevel", "Values": [self._path]}]
        )
        for page in pages:
            for found in page["Parameters"]:
                # An app that is removed in this moment is simply no longer one.
                with contextlib.suppress(RefusedError):
                    yield self.read(found["Name"].rpartition("/")[2])

    def read(self, app: str, version: int | None = None) -> SpecText:
        """The app's spec, current or in an earlier version, so that a release sees one spec.

        Raises:
            RefusedError: there is no such parameter or version.
        """
        name = f"{self._path}/{app}"
        selector = name if version is None else f"{name}:{version}"
        try:
            found = self._client.get_parameter(Name=selector)["Parameter"]
        except ClientError as error:
            if version is not None and error_code(error) == "ParameterVersionNotFound":
                raise RefusedError(
                    f"app: version {version} of the spec of {app} does not exist any more: SSM "
                    f"keeps the last 100 of {name}, and none of a parameter that was deleted"
                ) from error
            if error_code(error) in ("ParameterNotFound", "ParameterVersionNotFound"):
                raise RefusedError(
                    f"app: there is no app {app}: the parameter {selector} does not exist. "
                    f"Put the app's spec into it with aws ssm put-parameter --name {name}"
                ) from error
            raise
        return SpecText(app=app, text=found["Value"], version=found["Version"])
