"""Where the value of a secret is kept, as a spec names it."""

import enum
import re
from dataclasses import dataclass
from typing import Self

_NAME = "[A-Za-z0-9_/+=.@-]+"
# Two slashes at the start are those of a URL, which no secret's name begins with.
_SECRETS_MANAGER = rf"secretsmanager:(?!//)({_NAME})(?::([^:]+)(?::({_NAME}))?)?"
_PARAMETER_STORE = r"ssm:(?!//)(/[A-Za-z0-9_./-]+)"
REFERENCE = f"{_SECRETS_MANAGER}|{_PARAMETER_STORE}"


class SecretStore(enum.StrEnum):
    SECRETS_MANAGER = "secretsmanager"
    PARAMETER_STORE = "ssm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """Where a secret is kept. The value itself is read in the Deploy step only."""

    store: SecretStore
    name: str
    json_key: str | None = None
    version_stage: str | None = None

    def __str__(self) -> str:
        parts = [self.name, self.json_key, self.version_stage]
        return ":".join([self.store.value, *(part for part in parts if part is not None)])

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The reference that the text is; None if it is none."""
        found = re.fullmatch(REFERENCE, text)
        if found is None:
            return None
        name, json_key, version_stage, parameter = found.groups()
        if parameter is not None:
            return cls(store=SecretStore.PARAMETER_STORE, name=parameter)
        return cls(
            store=SecretStore.SECRETS_MANAGER,
            name=name,
            json_key=json_key,
            version_stage=version_stage,
        )
