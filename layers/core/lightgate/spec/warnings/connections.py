"""Addresses that a container on Lightsail cannot reach."""

import re
from collections.abc import Iterator

from lightgate.patterns import pattern
from lightgate.spec.hosts import Host, hosts_in, hosts_in_text, servers_on_localhost
from lightgate.spec.keys import AppSpec
from lightgate.spec.warnings.warning import SpecWarning, commands, variables

_SQLITE = pattern(r"(?:spatialite|sqlite3?)(?:\+\w+)?:", re.IGNORECASE)
# The end of many host names, and of almost no repository's name.
_END_OF_A_HOST = pattern(r".*[.](?:com|org|net|io|dev|cloud|local|internal)")


def registry_in_the_repository(spec: AppSpec) -> Iterator[SpecWarning]:
    host, slash, name = spec.repository.partition("/")
    if slash and _END_OF_A_HOST.fullmatch(host):
        yield SpecWarning(
            "repository",
            f"{host} looks like the address of a registry, and ECR reports a push by the bare name "
            "of the repository",
            f"write {name}, unless the repository in ECR is really called {spec.repository}",
        )


def hosts_of_docker(spec: AppSpec) -> Iterator[SpecWarning]:
    """The containers of one node share its network (docs/lightsail.md, "The network of a node")."""
    for variable in variables(spec):
        for host in dict.fromkeys(hosts_in(variable.name, variable.value, spec.containers)):
            yield _about(variable.path, host, spec)
    for path, command in commands(spec):
        found = (host for word in command for host in hosts_in_text(word, spec.containers))
        for host in dict.fromkeys(found):
            yield _about(path, host, spec)


def _about(path: str, host: Host, spec: AppSpec) -> SpecWarning:
    if host.name in spec.containers:
        return SpecWarning(
            path,
            f"connects to the container {host.name} by its name, and the containers of one "
            "Lightsail deployment reach each other on localhost only",
            f"write localhost in place of {host.name}, as in {host.on_localhost}",
        )
    return SpecWarning(
        path,
        f"names the host {host.name}, which Docker or Kubernetes may know and Lightsail does not",
        "write the full address of the server, or localhost if a container of this spec is the "
        f"server, as in {host.on_localhost}",
    )


def servers_that_nothing_runs(spec: AppSpec) -> Iterator[SpecWarning]:
    """A container with another image may be the server, so a spec that has one is skipped."""
    if any(container.image is not None for container in spec.containers.values()):
        return
    for variable in variables(spec):
        for host in servers_on_localhost(variable.value):
            yield SpecWarning(
                variable.path,
                f"connects to {host.scheme} on {host.name}, but every container of this spec runs "
                "the pushed image, and nothing listens there",
                "write the address of the server, or add a container with its image",
            )


def databases_in_a_file(spec: AppSpec) -> Iterator[SpecWarning]:
    for variable in variables(spec):
        if _SQLITE.match(variable.value):
            yield SpecWarning(
                variable.path,
                "names an SQLite database, but each container has its own files, and a deployment "
                "replaces them: no other container sees the tables that migrate creates",
                "use a database server, and put its URL behind secrets",
            )
