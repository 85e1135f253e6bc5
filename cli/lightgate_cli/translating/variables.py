"""Which variables of a container are secrets, and which cannot be kept as they are."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from lightgate.spec.hosts import hosts_in
from lightgate.spec.plain_secrets import secret_in
from lightgate_cli.translating.source import Note, SourceContainer

# A shell, Compose or a script fills these in.
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}|\$[A-Za-z_]\w*|<[^<>]+>|__[A-Z][A-Z0-9_]*__")
# It stands for the value of a placeholder, so that the name of its variable decides.
_STAND_IN = "x4Kq81zPw7Rt0Yc3Vb6Nm"
_URL_OF_A_SERVER = re.compile(
    r"(?:.*_)?(?:DATABASE|DB|PG|POSTGRES|POSTGRESQL|MYSQL|MARIADB|MONGO|MONGODB)_?(?:URL|URI|DSN)"
)


@dataclass(slots=True)
class Variables:
    plain: dict[str, str] = field(default_factory=dict)
    secret: dict[str, str] = field(default_factory=dict)
    """By name, with the values. They are compared, and never shown."""
    notes: list[Note] = field(default_factory=list)


def read_variables(
    container: SourceContainer, kept: Collection[str], left_out: Collection[str]
) -> Variables:
    """`kept` and `left_out` are the containers of the source that the spec has or has not."""
    found = Variables()
    for name, value in container.environment.items():
        place = f"containers.{container.name}.environment.{name}"
        gone = [host.name for host in hosts_in(name, value, left_out) if host.name in left_out]
        if _is_secret(name, value):
            found.secret[name] = value
        elif gone:
            found.notes.append(
                Note(
                    place,
                    f"names the container {gone[0]}, which the spec does not have",
                    f"add {name} to environment with the address of the server",
                )
            )
        elif _PLACEHOLDER.search(value):
            found.notes.append(
                Note(place, "has no value here", f"add {name} to environment with its value")
            )
        elif name.upper().startswith("LIGHTGATE_"):
            found.notes.append(
                Note(place, "names with LIGHTGATE_ are reserved", "give it another name")
            )
        else:
            found.plain[name] = _on_localhost(name, value, kept)
    return found


def _is_secret(name: str, value: str) -> bool:
    filled = _PLACEHOLDER.sub(_STAND_IN, value) or _STAND_IN
    if secret_in(name, filled):
        return True
    is_open = not value or _PLACEHOLDER.search(value) is not None
    return is_open and _URL_OF_A_SERVER.fullmatch(name.upper()) is not None


def _on_localhost(name: str, value: str, kept: Collection[str]) -> str:
    """The containers of one deployment reach each other on localhost, and by no name."""
    for host in hosts_in(name, value, kept):
        if host.name in kept:
            value = re.sub(
                rf"(?<![\w.-]){re.escape(host.name)}(?=[:/?,;\s]|$)(?!://)", "localhost", value
            )
    return value


def references(of: Mapping[str, Mapping[str, str]], app: str) -> Mapping[str, Mapping[str, str]]:
    """The reference of each secret, by container and variable. Equal values share one.

    The names are in the app's own part of the parameter store, which it may read.
    """
    values: dict[str, set[str]] = {}
    for secrets in of.values():
        for name, value in secrets.items():
            values.setdefault(name, set()).add(value)
    return {
        container: {
            name: f"ssm:/lightgate/secrets/{app}/"
            + (name if len(values[name]) == 1 else f"{container}/{name}")
            for name in secrets
        }
        for container, secrets in of.items()
    }


def commands_that_create(
    secrets: Mapping[str, tuple[str, str]], app: str, live_service: str | None
) -> Iterator[str]:
    """They show no value, and no history of a shell has one.

    They read each value from the keyboard, or from the live version of this service. It goes to
    standard input: AWS CLI 1 would load a value such as https://key@sentry.io/1 from its address.
    """
    for reference, (container, variable) in secrets.items():
        if live_service is None:
            source = 'read -rs VALUE && printf %s "$VALUE"'
        else:
            path = f'currentDeployment.containers."{container}".environment."{variable}"'
            source = (
                f'printf %s "$(aws lightsail get-container-services --service-name {live_service} '
                f"--output text --query 'containerServices[0].{path}')\""
            )
        yield (
            f"{source} | aws ssm put-parameter --type SecureString "
            f"--name {reference.removeprefix('ssm:')} --tags Key=lightgate:app,Value={app} "
            "--value file:///dev/stdin"
        )
