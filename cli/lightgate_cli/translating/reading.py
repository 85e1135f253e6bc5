"""From a document of any kind to a source."""

from pathlib import Path

from lightgate.errors import SpecError
from lightgate_cli.translating.compose import read_compose
from lightgate_cli.translating.kinds import Kind, kind_of
from lightgate_cli.translating.lightsail import read_lightsail
from lightgate_cli.translating.source import Source


def read_source(
    document: object, name: str, folder: Path | None, endpoint: object, service: str | None
) -> Source:
    """`folder` is where the file is, `endpoint` a file beside it, `service` one of several.

    Raises:
        SpecError: nothing in the document can become a spec.
    """
    kind = kind_of(document)
    if kind is Kind.COMPOSE and isinstance(document, dict):
        return read_compose(document, name, folder)
    if kind.can_become_a_spec and isinstance(document, dict | list):
        return read_lightsail(kind, document, endpoint, service, name)
    if kind is Kind.ENDPOINT:
        raise SpecError(
            f"{name}: is {kind}; give the file with the containers, and this one with "
            "--public-endpoint"
        )
    raise SpecError(
        f"{name}: is {kind}, and lightgate init does not read it; it reads a containers.json, the "
        "output of get-container-services, or a docker-compose file"
    )
