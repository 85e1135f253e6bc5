"""Which container of a source serves the public endpoint, and so which image is the app's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lightgate.errors import SpecError
from lightgate.spec.programs import programs
from lightgate_cli.translating.images import is_database, is_front, is_public
from lightgate_cli.translating.migrating import is_server, migration_of, port_of
from lightgate_cli.translating.source import Source, SourceContainer, SourceEndpoint

_URL_OF_A_CHECK = re.compile(
    r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::(\d+))?(/[^\s\"']*)?"
)
_WORKERS = {"celery", "rq", "rqworker", "dramatiq", "huey", "arq", "qcluster", "procrastinate"}


@dataclass(frozen=True, slots=True)
class Choice:
    """The endpoint, or the containers among which a person has to choose.

    `instead_of` is the container that serves the endpoint in the source, if it is another one.
    """

    endpoint: SourceEndpoint | None
    candidates: Sequence[str] = ()
    instead_of: str | None = None


def choose_endpoint(source: Source, wanted: str | None) -> Choice:
    """`wanted` is CONTAINER or CONTAINER:PORT.

    Raises:
        SpecError: there is no such container, or no container that can serve.
    """
    known = {each.name: each for each in source.containers}
    given = source.endpoint
    if wanted is not None:
        name, _, port = wanted.partition(":")
        if name not in known or (port and not port.isdigit()):
            raise SpecError(
                f"--endpoint {wanted}: allowed is CONTAINER:PORT with one of {', '.join(known)}"
            )
        chosen = _with_port(known[name], given)
        return _complete(replace(chosen, port=int(port)) if port else chosen)
    candidates = [each for each in source.containers if _may_serve(each, source)]
    apps = [each for each in candidates if not is_front(each.name, each.image)]
    if given is not None and given.container in known:
        own = known[given.container]
        if own not in candidates or (own not in apps and apps):
            other = _with_port(apps[0], None) if len(apps) == 1 else None
            return _complete(other, apps, instead_of=own.name)
        return _complete(_with_port(own, given))
    found = apps or candidates
    servers = [each for each in found if is_server(each.command or ())]
    with_port = [each for each in servers or found if _with_port(each, None).port is not None]
    for group in (with_port, servers, found):
        if len(group) == 1:
            return _complete(_with_port(group[0], None))
    if not found:
        raise SpecError(
            f"no container can serve the app: {', '.join(known)}; name one with --endpoint"
        )
    return Choice(None, [each.name for each in with_port or servers or found])


def _complete(
    chosen: SourceEndpoint | None,
    apps: Sequence[SourceContainer] = (),
    instead_of: str | None = None,
) -> Choice:
    if chosen is None or chosen.port is None:
        names = [chosen.container] if chosen is not None else [each.name for each in apps]
        return Choice(None, names, instead_of)
    return Choice(chosen, instead_of=instead_of)


def _may_serve(container: SourceContainer, source: Source) -> bool:
    command = container.command or ()
    words = {word for one in programs(command) for word in one.words[:2]}
    ends = any(
        wait.container == container.name and wait.condition == "SUCCESS"
        for each in source.containers
        for wait in each.waits
    )
    return not (
        is_database(container.name, container.image)
        or is_public(container.image)
        or ends
        or migration_of(command) is not None
        or words & _WORKERS
    )


def _with_port(container: SourceContainer, given: SourceEndpoint | None) -> SourceEndpoint:
    """The endpoint with the port and the health check that the source gives for the container."""
    if given is not None and given.container == container.name:
        return given
    test = " ".join(map(str, (container.health_check or {}).get("command", ())))
    checked = _URL_OF_A_CHECK.search(test)
    port = port_of(container.command or ())
    if port is None and container.ports:
        http = [each for each, protocol in container.ports.items() if protocol == "HTTP"]
        port = http[0] if len(http) == 1 else None
    if port is None and container.environment.get("PORT", "").isdigit():
        port = int(container.environment["PORT"])
    if port is None and checked and checked[1]:
        port = int(checked[1])
    path = {"path": checked[2]} if checked and checked[2] else {}
    return SourceEndpoint(container=container.name, port=port, health_check=path)
