"""AWS Systems Manager parameters: the app specs."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from botocore.exceptions import ClientError

from lightgate.aws.clients import error_code, reaching
from lightgate.errors import RefusalCode, RefusedError, SpecError, SpecReplacedError
from lightgate.release.release import UsedSpec

# The most parameters that SSM returns in one answer: of a list, and of reading by name.
_LONGEST_PAGE, _MOST = 50, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecText:
    """An app's spec as it stands in its parameter.

    The version alone does not identify the text: a parameter that is deleted and stored again
    counts from 1 once more. `stored_at` is when this version was stored.
    """

    app: str
    text: str
    version: int
    stored_at: datetime

    @property
    def digest(self) -> str:
        """The SHA-256 of the text, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class AppParameters:
    """One parameter for each app, named after it, below one path.

    It keeps the texts that `all` has read. A function that runs again reads only those that have
    changed.
    """

    def __init__(self, client: Any, path: str) -> None:  # noqa: ANN401 - boto3 is untyped
        self._client = client
        self._path = path
        self._kept: dict[str, SpecText] = {}

    def all(self) -> Iterator[SpecText]:
        """Every app's current spec, in no particular order, readable or not.

        A SecureString yields its encrypted text, so that callers see a broken spec and no gap.

        The list first, then the values by their names: reading all values by path would need a
        permission that cannot be confined to this path everywhere.
        """
        listed = dict(self._listed())
        self._kept = {
            app: text
            for app, text in self._kept.items()
            if listed.get(app) == (text.version, text.stored_at)
        }
        for apps in batched((app for app in listed if app not in self._kept), _MOST, strict=False):
            names = [f"{self._path}/{app}" for app in apps]
            # It leaves out an app that is removed in this moment.
            for found in self._client.get_parameters(Names=names)["Parameters"]:
                app = found["Name"].rpartition("/")[2]
                self._kept[app] = _text(app, found)
        yield from self._kept.values()

    def names(self) -> Iterator[str]:
        """The apps that have a spec, in no particular order."""
        return (app for app, _ in self._listed())

    def _listed(self) -> Iterator[tuple[str, tuple[int, datetime]]]:
        """Each app with the version of its parameter and the moment at which that was stored."""
        pages = self._client.get_paginator("describe_parameters").paginate(
            ParameterFilters=[{"Key": "Path", "Option": "OneLevel", "Values": [self._path]}],
            PaginationConfig={"PageSize": _LONGEST_PAGE},
        )
        for page in pages:
            for found in page["Parameters"]:
                app = found["Name"].rpartition("/")[2]
                yield app, (found["Version"], found["LastModifiedDate"].astimezone(UTC))

    @reaching("SSM")
    def others(self, app: str) -> list[SpecText]:
        """The specs of all other apps, by name.

        Raises:
            UnreachableError: they cannot be read.
        """
        return sorted((text for text in self.all() if text.app != app), key=lambda text: text.app)

    def read(self, app: str, version: int | None = None) -> SpecText:
        """The app's spec, current or in an earlier version, so that a release sees one spec.

        Raises:
            SpecReplacedError: there is no such version any more.
            RefusedError: there is no such parameter.
            SpecError: the parameter is a SecureString.
        """
        found = self._parameter(app, version)
        if found["Type"] == "SecureString":
            name = f"{self._path}/{app}"
            raise SpecError(
                f"the spec: {name} is a SecureString, which Lightgate does not decrypt; a spec "
                "holds no secrets, only references to them. SSM cannot change the type of a "
                f"parameter: delete it with aws ssm delete-parameter --name {name}, and store it "
                f"again with {_store(name)}"
            )
        return _text(app, found)

    def read_again(self, app: str, used: UsedSpec | None) -> SpecText:
        """The spec that was used before, exactly that text; for None, the spec of today.

        Raises:
            SpecReplacedError: the parameter has another text under that number, or no such version.
            RefusedError: there is no such parameter.
        """
        if used is None:
            return self.read(app)
        found = self.read(app, used.version)
        if found.digest != used.digest:
            name = f"{self._path}/{app}"
            raise SpecReplacedError(
                f"app: the spec of {app} was deleted and stored again: version {used.version} of "
                f"{name} has another text now than when it was used (SHA-256 {used.digest[:12]} "
                f"then, {found.digest[:12]} now)."
            )
        return found

    def _parameter(self, app: str, version: int | None) -> Mapping[str, Any]:
        name = f"{self._path}/{app}"
        selector = name if version is None else f"{name}:{version}"
        try:
            found: Mapping[str, Any] = self._client.get_parameter(Name=selector)["Parameter"]
        except ClientError as error:
            if version is not None and error_code(error) == "ParameterVersionNotFound":
                raise SpecReplacedError(
                    f"app: version {version} of the spec of {app} does not exist any more: SSM "
                    f"keeps the last 100 of {name}, and none of a parameter that was deleted"
                ) from error
            if error_code(error) in ("ParameterNotFound", "ParameterVersionNotFound"):
                raise RefusedError(
                    f"app: there is no app {app}: the parameter {selector} does not exist. "
                    f"Store the app's spec with {_store(name)}",
                    code=RefusalCode.SPEC_MISSING,
                ) from error
            raise
        return found


def _store(name: str) -> str:
    return (
        f"aws ssm put-parameter --name {name} --type String --tier Intelligent-Tiering "
        "--value file://containers-with-migrations.json"
    )


def _text(app: str, found: Mapping[str, Any]) -> SpecText:
    return SpecText(
        app=app,
        text=found["Value"],
        version=found["Version"],
        stored_at=found["LastModifiedDate"].astimezone(UTC),
    )
