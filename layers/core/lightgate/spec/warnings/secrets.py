"""Secrets in plain text or in the wrong place, and secret values with line breaks or quotes."""

import re
from collections.abc import Iterator, Mapping

from lightgate.image.addresses import ImageAddress, RegistryAddress
from lightgate.patterns import pattern
from lightgate.spec.keys import AppSpec, SecretReference
from lightgate.spec.plain_secrets import secret_in, secrets_in_arguments
from lightgate.spec.warnings.warning import SpecWarning, commands, variables

_REFERENCE = pattern(
    r"secretsmanager:[\w/+=.@-]+(?::.*)?|ssm:/[\w./-]+|arn:[\w-]*:(?:secretsmanager|ssm):\S+"
)
# A variable of such a name is meant to say where a secret is.
_NAMES_A_SECRET = pattern(r".*_(?:ARN|ID|NAME|REF|PATH)", re.IGNORECASE)
# They have no use for the app's database or Django's key, even where their container names them.
_NEED_NO_DATABASE = {
    *("nginx", "nginx-unprivileged", "redis", "valkey", "memcached", "caddy", "traefik", "haproxy"),
    *("varnish", "rabbitmq", "envoy", "httpd", "busybox"),
}
_OF_THE_APP = pattern(r"DATABASE_URL|(?:DATABASE|DB|PG|POSTGRES|MYSQL)_?PASS(?:WORD)?|.*SECRET_KEY")
# Characters without a width.
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff"


def in_plain_text(spec: AppSpec) -> Iterator[SpecWarning]:
    for variable in variables(spec):
        kind = secret_in(variable.name, variable.value)
        if kind is None:
            continue
        key = re.sub("_+", "-", variable.name.strip("_").lower()) or "secret"
        parameter = f"/{spec.service}/{key}"
        yield SpecWarning(
            variable.path,
            f"holds {kind} in plain text, which everybody can read who may read the parameter or "
            "the container service",
            f"store it with aws ssm put-parameter --type SecureString --name {parameter}, remove "
            f'it here, and write "secrets": {{"{variable.name}": "ssm:{parameter}"}}',
        )


def in_plain_text_in_commands(spec: AppSpec) -> Iterator[SpecWarning]:
    """Also in what is sent to the app while it is watched."""
    write = spec.verification.write
    sent = (write.body or "", *write.headers.values()) if write is not None else ()
    for path, texts in (*commands(spec), ("verification.write", sent)):
        for kind in dict.fromkeys(secrets_in_arguments(texts)):
            yield SpecWarning(
                path,
                f"has {kind} in plain text, which everybody can read who may read the parameter or "
                "the container service",
                'remove it, and put it behind "secrets" as a variable if a program needs it',
            )


def references_in_the_environment(spec: AppSpec) -> Iterator[SpecWarning]:
    for variable in variables(spec):
        is_named = _NAMES_A_SECRET.fullmatch(variable.name)
        if _REFERENCE.fullmatch(variable.value) and not is_named:
            yield SpecWarning(
                variable.path,
                "holds a reference to a secret, and the app gets the reference in place of the "
                "secret",
                f'move {variable.name} from "environment" to "secrets"',
            )


def inherited_by_other_images(spec: AppSpec) -> Iterator[SpecWarning]:
    """Secrets at the top of the spec go to every container, whatever image it runs."""
    for container in spec.containers.values():
        if container.image is None or RegistryAddress.of_address(container.image) is not None:
            continue
        shared, plain = spec.secrets, spec.environment
        names = [
            *(name for name, ref in container.secrets.items() if shared.get(name) == ref),
            *(
                name
                for name, value in container.environment.items()
                if plain.get(name) == value and secret_in(name, value)
            ),
        ]
        if names:
            yield SpecWarning(
                f"containers.{container.name}",
                f"runs the image {container.image}, which is not the app's, and is given "
                f"{', '.join(names)}, because the variables at the top go to every container",
                "move them to the containers that run the app",
            )
        software = ImageAddress.read(container.image).path.rpartition("/")[2]
        given = (*container.secrets, *container.environment)
        own = [name for name in given if name not in names and _OF_THE_APP.fullmatch(name.upper())]
        if own and software in _NEED_NO_DATABASE:
            yield SpecWarning(
                f"containers.{container.name}",
                f"runs the image {container.image}, and is given {', '.join(own)}, for which "
                f"{software} has no use",
                "remove it from this container",
            )


def warnings_of_values(values: Mapping[SecretReference, str]) -> list[str]:
    """A warning for each value with a probable mistake. For steps that read secrets only."""
    return [
        f"The value of the secret {reference} {wrong}, and the app gets it as it is. Store it "
        "again without, such as with printf '%s' in place of echo."
        for reference, value in values.items()
        if (wrong := _wrong_with(value)) is not None
    ]


def _wrong_with(value: str) -> str | None:
    text = value.strip("\r\n")
    if not text.strip():
        return "is empty"
    has_lines = "\n" in text
    # A key or a certificate of several lines ends in a line break.
    if not value.endswith(text) and not has_lines:
        return "ends in a line break"
    if not value.startswith(text):
        return "begins with a line break"
    if text[-1].isspace() or text[-1] in _UNSEEN:
        return "ends in a space"
    if text[0].isspace() or text[0] in _UNSEEN:
        return "begins with a space"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return "stands in quotation marks"
    return None
