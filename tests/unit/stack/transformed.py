"""The template as SAM hands it to CloudFormation."""

from functools import cache
from typing import Any

import pytest
from samtranslator.translator.managed_policy_translator import (  # type: ignore[import-untyped]
    ManagedPolicyLoader,
)
from samtranslator.translator.transform import transform  # type: ignore[import-untyped]

from tests.support.builders import Json
from tests.support.template import read_template

_SOURCES = ("CodeUri", "ContentUri", "DefinitionUri")


class _NoManagedPolicies(ManagedPolicyLoader):  # type: ignore[misc]
    def __init__(self) -> None:
        pass

    def load(self) -> Json:
        return {}


def _packaged(value: Any) -> Any:
    """The template as `sam package` leaves it: its sources are in S3."""
    if isinstance(value, dict):
        return {
            key: f"s3://packaged/{each}" if key in _SOURCES else _packaged(each)
            for key, each in value.items()
        }
    return [_packaged(each) for each in value] if isinstance(value, list) else value


def transformed(template: Json | None = None) -> dict[str, Json]:
    """Everything that the stack consists of, with the names that SAM gives by itself."""
    return _own() if template is None else _transformed(template)


@cache
def _own() -> dict[str, Json]:
    return _transformed(read_template())


def _transformed(template: Json) -> dict[str, Json]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        result = transform(_packaged(template), {}, _NoManagedPolicies())
    found: dict[str, Json] = result["Resources"]
    return found
