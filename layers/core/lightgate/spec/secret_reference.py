"""Where the value of a secret is kept, as a spec names it."""

import enum
import re
from dataclasses import dataclass
from typing import Self

from lightgate.patterns import pattern

_NAME = "[A-Za-z0-9_/+=.@-]+"
# Those that RDS makes for a master user have an exclamation mark, which no other secret has.
_SECRET_NAME = rf"(?:rds![A-Za-z0-9_-]+|{_NAME})"
# Two slashes at the start are those of a URL, which no secret's name begins with.
_SECRETS_MANAGER = rf"secretsmanager:(?!//)({_SECRET_NAME})(?::([^:]+)(?::({_NAME}))?)?"
_PARAMETER_STORE = r"ssm:(?!//)(/[A-Za-z0-9_./-]+)"
_PLACE = r"([a-z0-9-]+):([0-9]{12})"
# As Amazon ECS writes them: the parts at the end may be empty.
_SECRET_ARN = (
    rf"(arn:aws[a-z-]*:secretsmanager:{_PLACE}:secret:{_SECRET_NAME})"
    rf"(?::([^:]*)(?::({_NAME})?:?)?)?"
)
_PARAMETER_ARN = rf"arn:aws[a-z-]*:ssm:{_PLACE}:parameter(/[A-Za-z0-9_./-]+)"
REFERENCE = f"{_SECRETS_MANAGER}|{_PARAMETER_STORE}|{_SECRET_ARN}|{_PARAMETER_ARN}"
# Secrets Manager adds six characters to the name in an ARN.
_RANDOM_END = pattern(r"-[A-Za-z0-9]{6}$")


class SecretStore(enum.StrEnum):
    SECRETS_MANAGER = "secretsmanager"
    PARAMETER_STORE = "ssm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """Where a secret is kept. The value itself is read in the Deploy step only.

    `name` is the name, or the whole ARN of a secret in Secrets Manager. `region` and `account` are
    those of an ARN, None for a name.
    """

    store: SecretStore
    name: str
    json_key: str | None = None
    version_stage: str | None = None
    region: str | None = None
    account: str | None = None

    def __str__(self) -> str:
        parts = [self.name, self.json_key, self.version_stage]
        text = ":".join(part for part in parts if part is not None)
        return text if self.is_arn else f"{self.store.value}:{text}"

    @property
    def is_arn(self) -> bool:
        return self.name.startswith("arn:")

    @property
    def plain_name(self) -> str:
        """The name without the rest of an ARN, as the store shows it."""
        if not self.is_arn:
            return self.name
        return _RANDOM_END.sub("", self.name.split(":", 6)[6])

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The reference that the text is; None if it is none."""
        if found := re.fullmatch(_PARAMETER_STORE, text):
            return cls(store=SecretStore.PARAMETER_STORE, name=found[1])
        if found := re.fullmatch(_PARAMETER_ARN, text):
            region, account, name = found.groups()
            return cls(store=SecretStore.PARAMETER_STORE, name=name, region=region, account=account)
        if found := re.fullmatch(_SECRETS_MANAGER, text):
            name, json_key, version_stage = found.groups()
            return cls(
                store=SecretStore.SECRETS_MANAGER,
                name=name,
                json_key=json_key,
                version_stage=version_stage,
            )
        if found := re.fullmatch(_SECRET_ARN, text):
            name, region, account, json_key, version_stage = found.groups()
            if version_stage and not json_key:
                return None
            return cls(
                store=SecretStore.SECRETS_MANAGER,
                name=name,
                json_key=json_key or None,
                version_stage=version_stage or None,
                region=region,
                account=account,
            )
        return None
